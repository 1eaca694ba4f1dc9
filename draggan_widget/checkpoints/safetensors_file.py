"""Safetensors files: ours, and others with a StyleGAN2's tensors; mapped, not read."""

import json
from pathlib import Path

import safetensors

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2 import infer_config
from draggan_widget.checkpoints.stylegan2.config import check_config
from draggan_widget.checkpoints.stylegan2.tensor_shapes import check_tensors
from draggan_widget.errors import CheckpointError
from draggan_widget.files import sha256

LARGEST_HEADER = 1 << 20  # bytes, some 25 times as many once parsed; ours has 40 kB
STARTS = (b'{"', b"{}", b"{ ", b"{\n")
LICENCE = "not stated in the file; ask where it comes from"


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins like this is a safetensors file: eight bytes of length, then JSON."""
    return head[8:10] in STARTS and head[5:8] == bytes(3)


def read_safetensors(path: Path, head: bytes, network: str) -> Checkpoint:
    """The checkpoint in such a file; one of ours holds one network, which is taken whatever was asked for.

    Raises:
        CheckpointError: the file is damaged, or its tensors are not those its config tells of.
    """
    length = int.from_bytes(head[:8], "little")
    if length > LARGEST_HEADER:
        raise CheckpointError(
            f"{path}: its header has {length} bytes; expected at most {LARGEST_HEADER}; download it again"
        )
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            ours = metadata.get("format") == own_file.FORMAT
            names = [] if ours else file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); expected a whole .safetensors file; download it again"
        ) from error
    if ours:
        return _checked(own_file.load(path), str(path))
    if network == "D":
        raise CheckpointError(f"{path} is a .safetensors file; expected NVIDIA's .pkl for 'D'; ask for 'G_ema'")
    config = infer_config.config_beside(tensors, _said(metadata, str(path)), {}, str(path))
    meta = {
        "licence": LICENCE,
        "provenance": f"{path.name}, safetensors",
        "source_format": "safetensors",
        "source_sha256": sha256(path),
    }
    return Checkpoint(infer_config.FAMILY, config, tensors, meta)


def _said(metadata: dict[str, str], name: str) -> dict:
    """The config that the file tells, if it does."""
    try:
        said = json.loads(metadata.get("config", "{}"))
    except ValueError as error:
        raise CheckpointError(f"{name}: its config is no JSON ({error}); expected some; save it again") from error
    return said if isinstance(said, dict) else {}


def _checked(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """A StyleGAN2 of ours, once its config is known to fit its tensors: a network is built of it."""
    if checkpoint.family == infer_config.FAMILY:
        check_config(checkpoint.config, name)
        check_tensors(checkpoint.config, checkpoint.tensors, name)
    return checkpoint
