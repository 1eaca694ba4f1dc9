"""Safetensors files: our own checkpoint format, and other files with a StyleGAN2's tensors.

`save` and `load` handle our own format; `read_safetensors` reads both kinds. Tensors are memory-mapped, not read.

Source: the safetensors format (eight bytes of header length, a JSON header, the tensors' bytes).

Our own file differs from a plain safetensors file:
1. its metadata holds the name and version of our format, the generator's family, its config as JSON, the licence and
   the provenance;
2. `content_sha256` of the tensors' bytes is checked at loading: safetensors itself notices only a wrong length.
"""

import hashlib
import json
import mmap
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.hub.catalog import UNKNOWN_LICENCE
from draggan_widget.checkpoints.stylegan2.check_tensors import check_stylegan2
from draggan_widget.checkpoints.stylegan2.infer_config import FAMILY, infer_config_beside
from draggan_widget.errors import CheckpointError
from draggan_widget.files import check_readable, read_remedy, sha256, write_atomically, write_remedy

FORMAT = "draggan-widget checkpoint"
VERSION = 1
RESERVED_KEYS = ("format", "format_version", "family", "config", "content_sha256")
REMEDY = "convert or fetch the checkpoint again"
LARGEST_HEADER = 1 << 20  # bytes; parsed, it takes about 25 times as many; ours has 40 kB
HEADER_STARTS = (b'{"', b"{}", b"{ ", b"{\n")


def save(checkpoint: Checkpoint, path: Path, elsewhere: str = "choose another folder") -> None:
    """Write the checkpoint whole or not at all; where writing fails, an older file stays as it was.

    Args:
        checkpoint: the checkpoint.
        path: the file.
        elsewhere: how the person chooses another folder, for the error.

    Raises:
        CheckpointError: the file cannot be written, or the checkpoint holds what the format cannot keep.
    """
    header, data = _encode(checkpoint, path)
    try:
        write_atomically(path, lambda file: [file.write(p) for p in (len(header).to_bytes(8, "little"), header, data)])
    except OSError as error:
        raise CheckpointError(
            f"checkpoint file {path} cannot be written ({error}); expected a writable folder with "
            f"{len(header) + len(data)} bytes free; {write_remedy(error, path, elsewhere)}"
        ) from error


def load(path: Path) -> Checkpoint:
    """Load a file that `save` wrote; the tensors are mapped from the file.

    Raises:
        CheckpointError: the file is missing, truncated, altered, foreign, or of a newer format.
    """
    try:
        check_readable(path)
    except OSError as error:
        raise CheckpointError(
            f"checkpoint file {path} cannot be read ({error}); expected a whole .safetensors file; "
            f"{read_remedy(error, path)}"
        ) from error
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_format(path, metadata)
            _check_content(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        config = json.loads(metadata["config"])
        if not isinstance(config, dict):
            raise ValueError(f"config is {config!r}")
        meta = {key: value for key, value in metadata.items() if key not in RESERVED_KEYS}
        return Checkpoint(metadata["family"], config, tensors, meta)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"checkpoint file {path} cannot be read ({error}); expected a whole .safetensors file; {REMEDY}"
        ) from error
    except (KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"checkpoint file {path} has broken metadata ({error!r}); expected metadata as save() writes them; {REMEDY}"
        ) from error


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a safetensors file: eight bytes of length, then JSON."""
    return head[8:10] in HEADER_STARTS and head[5:8] == bytes(3)


def read_safetensors(path: Path, head: bytes, network: str) -> Checkpoint:
    """Read a safetensors file, our own or another's.

    Args:
        path: the file.
        head: its first bytes.
        network: the network to read; a file of our own holds one network, which is read whatever this is.

    Raises:
        CheckpointError: the file is damaged, or its tensors do not fit its config.
    """
    length = int.from_bytes(head[:8], "little")
    if length > LARGEST_HEADER:
        raise CheckpointError(
            f"{path}: its header has {length} bytes; expected at most {LARGEST_HEADER}; download it again"
        )
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            ours = metadata.get("format") == FORMAT
            names = [] if ours else file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); expected a whole .safetensors file; download it again"
        ) from error
    if ours:
        return _checked(load(path), str(path))
    if network == "D":
        raise CheckpointError(f"{path} is a .safetensors file; expected NVIDIA's .pkl for 'D'; ask for 'G_ema'")
    config = infer_config_beside(tensors, _stated_config(metadata, str(path)), {}, str(path))
    meta = {
        "licence": UNKNOWN_LICENCE,
        "provenance": f"{path.name}, safetensors",
        "source_format": "safetensors",
        "source_sha256": sha256(path),
    }
    return Checkpoint(FAMILY, config, tensors, meta)


def _encode(checkpoint: Checkpoint, path: Path) -> tuple[bytes, memoryview]:
    """The header, padded to a multiple of eight bytes, and the tensors' bytes."""
    _check_storable(checkpoint, path)
    try:
        # Copied, since safetensors refuses tensors that share memory.
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.tensors.items()}
        encoded = memoryview(safetensors.torch.save(plain))
        config = json.dumps(checkpoint.config, allow_nan=False)
        survives = json.loads(config) == checkpoint.config
    except (TypeError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"checkpoint for {path} cannot be stored ({error}); expected plain JSON and dense tensors"
        ) from error
    if not survives:
        raise CheckpointError(
            f"config {checkpoint.config} changes in JSON; expected text keys and lists; convert it before saving"
        )
    length = int.from_bytes(encoded[:8], "little")
    header: dict[str, Any] = json.loads(bytes(encoded[8 : 8 + length]))
    data = encoded[8 + length :]
    header["__metadata__"] = checkpoint.meta | {
        "format": FORMAT,
        "format_version": str(VERSION),
        "family": checkpoint.family,
        "config": config,
        "content_sha256": hashlib.sha256(data).hexdigest(),
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8), data


def _check_storable(checkpoint: Checkpoint, path: Path) -> None:
    taken = sorted(set(RESERVED_KEYS) & set(checkpoint.meta))
    if taken:
        raise CheckpointError(
            f"checkpoint for {path} has meta {taken}; expected keys other than {list(RESERVED_KEYS)}; rename them"
        )
    if "__metadata__" in checkpoint.tensors:
        raise CheckpointError(f"checkpoint for {path} has a tensor '__metadata__'; expected another name; rename it")


def _check_format(path: Path, metadata: dict[str, str]) -> None:
    found = metadata.get("format")
    if found != FORMAT:
        raise CheckpointError(f"checkpoint file {path} has format {found!r}; expected {FORMAT!r}; convert it first")
    version = int(metadata["format_version"])
    if version > VERSION:
        raise CheckpointError(
            f"checkpoint file {path} has format version {version}; expected at most {VERSION}; "
            "upgrade draggan-widget or convert the checkpoint again"
        )


def _check_content(path: Path, metadata: dict[str, str]) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        start = 8 + int.from_bytes(mapped[:8], "little")
        with memoryview(mapped) as whole, whole[start:] as data:
            found = hashlib.sha256(data).hexdigest()
    if found != metadata["content_sha256"]:
        raise CheckpointError(
            f"checkpoint file {path} has content sha256 {found}; expected {metadata['content_sha256']}, as its header "
            f"says: the file was altered; {REMEDY}"
        )


def _stated_config(metadata: dict[str, str], name: str) -> dict:
    """The config that the metadata state; empty where they state none."""
    try:
        config = json.loads(metadata.get("config", "{}"))
    except ValueError as error:
        raise CheckpointError(
            f"{name}: its config is not JSON ({error}); expected a JSON object; save it again"
        ) from error
    return config if isinstance(config, dict) else {}


def _checked(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """Check that the config of a StyleGAN2 fits its tensors, and return the checkpoint: a network is built from it."""
    if checkpoint.family == FAMILY:
        check_stylegan2(checkpoint.config, checkpoint.tensors, name)
    return checkpoint
