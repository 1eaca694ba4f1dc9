"""Write a data set of drawn heads: `python -m heads_training.render.dataset FOLDER --count 62000 --size 128 --seed 0`.

Several processes may share the work (`--shard 0/2`, `--shard 1/2`): each fills its own range from the front, writes
the number of pictures done to `progress-I-of-N.txt`, and resumes from there when started again. Pictures counted there
are on disk and may be read while the rest is being drawn.
"""

import argparse
import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from heads_training.render.head import LANDMARKS, SWAP
from heads_training.render.renderer import Renderer
from heads_training.render.vector import FLIP_SIGNS, NAMES, sample

VERSION = 1  # version of the pictures: raised when the same vector gives another picture
NOTE_EVERY = 100  # pictures


@dataclass(frozen=True)
class Shard:
    """One of several equal ranges of a data set.

    Attributes:
        index: number of the range, from 0.
        of: number of ranges.
    """

    index: int
    of: int

    def range(self, count: int) -> range:
        """Indices of its pictures in a set of `count`."""
        return range(count * self.index // self.of, count * (self.index + 1) // self.of)

    def progress(self, folder: Path) -> Path:
        """Path of the file that says how many of its pictures are done, counted from its front."""
        return folder / f"progress-{self.index}-of-{self.of}.txt"

    def done(self, folder: Path) -> int:
        """Number of its pictures that are done."""
        path = self.progress(folder)
        return int(path.read_text()) if path.exists() else 0


@dataclass(frozen=True)
class Plan:
    """Everything that determines a data set.

    Attributes:
        count: number of pictures.
        size: side of a picture, px.
        seed: seed of the vectors.
        supersample: rendered samples along the side of a pixel.
    """

    count: int
    size: int
    seed: int
    supersample: int = 2

    def description(self) -> dict[str, object]:
        """The contents of dataset.json."""
        return {
            "version": VERSION,
            "count": self.count,
            "size": self.size,
            "seed": self.seed,
            "supersample": self.supersample,
            "names": list(NAMES),
            "flip_signs": FLIP_SIGNS.astype(int).tolist(),
            "landmarks": list(LANDMARKS),
            "landmark_swap": list(SWAP),
        }


def write(folder: Path, plan: Plan, shard: Shard, renderer: Renderer | None = None) -> None:
    """Draw the missing pictures of one shard.

    Args:
        folder: folder of the data set; made if absent.
        plan: data set to write.
        shard: range to draw.
        renderer: renderer of the plan's size; None makes one.

    Raises:
        ValueError: the folder contains another data set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vectors = sample(plan.count, plan.seed)
    _prepare(folder, plan, vectors)
    pictures = np.lib.format.open_memmap(folder / "pictures.npy", "r+")
    landmarks = np.lib.format.open_memmap(folder / "landmarks.npy", "r+")
    numbers, done = shard.range(plan.count), shard.done(folder)
    if done >= len(numbers):
        return
    renderer = renderer or Renderer(plan.size, plan.supersample)
    start = time.perf_counter()
    for drawn, number in enumerate(numbers[done:], 1):
        pictures[number], landmarks[number] = renderer.render(vectors[number])
        if drawn % NOTE_EVERY == 0 or done + drawn == len(numbers):
            pictures.flush()
            landmarks.flush()
            _replace(shard.progress(folder), str(done + drawn))
        if drawn % (10 * NOTE_EVERY) == 0 or done + drawn == len(numbers):
            rate = drawn / (time.perf_counter() - start)
            print(f"{done + drawn} of {len(numbers)}, {rate:.1f} pictures/s", flush=True)


def _prepare(folder: Path, plan: Plan, vectors: Float[np.ndarray, "count entries"]) -> None:
    description = folder / "dataset.json"
    if description.exists():
        found = json.loads(description.read_text())
        if found != plan.description():
            raise ValueError(f"{folder} holds another data set; choose an empty folder")
        return
    shapes = {
        "pictures": (np.uint8, (plan.count, plan.size, plan.size, 3)),
        "landmarks": (np.float32, (plan.count, len(LANDMARKS), 2)),
        "vectors": (np.float32, vectors.shape),
    }
    for name, (dtype, shape) in shapes.items():
        # A shard that starts at the same time must not overwrite what another has begun.
        path = folder / f"{name}.npy"
        if not path.exists():
            part = folder / f"{name}.{os.getpid()}.part"
            array = np.lib.format.open_memmap(part, "w+", dtype, shape)
            if name == "vectors":
                array[:] = vectors
            array.flush()
            _publish(part, path)
    _replace(description, json.dumps(plan.description(), indent=1))


def _publish(part: Path, path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(part)
    part.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)


def _shard(text: str) -> Shard:
    index, _, of = text.partition("/")
    if not (index.isdigit() and of.isdigit() and int(index) < int(of)):
        raise argparse.ArgumentTypeError(f"shard is {text!r}; expected I/N with I from 0 to N - 1, e.g. 0/2")
    return Shard(int(index), int(of))


def main() -> None:
    """Write a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=62000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", type=_shard, default=Shard(0, 1))
    options = parser.parse_args()
    write(options.folder, Plan(options.count, options.size, options.seed), options.shard)


if __name__ == "__main__":
    main()
