"""Reads a checkpoint file of any known format into a `Checkpoint`. No file ever runs code.

The format is recognised by the file's contents, never by its name.

Bound: whatever the file holds, reading it takes at most 1.3 times its size (that of the unpacked file where it was
compressed) + 64 MB of memory beyond what importing this package takes; a refusal takes at most two seconds, plus the
time that reading and unpacking the bytes takes.
"""

import concurrent.futures
import contextlib
import pickle
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from draggan_widget.checkpoints import sniff
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.gzipped import is_gzip, unpack
from draggan_widget.checkpoints.hub.catalog import UNKNOWN_LICENCE
from draggan_widget.checkpoints.json_config import as_json
from draggan_widget.checkpoints.nvidia import NETWORKS, StoredNetwork, find_network
from draggan_widget.checkpoints.own_file import is_safetensors, read_safetensors
from draggan_widget.checkpoints.stylegan2.infer_config import FAMILY, infer_config, infer_config_beside
from draggan_widget.checkpoints.torch_file import is_torch_file, plain_pickle_globals, read_torch
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource
from draggan_widget.checkpoints.unpickling.lazy_tensors import read_tensors
from draggan_widget.checkpoints.unpickling.stream import Budget, PickleStream
from draggan_widget.checkpoints.unpickling.unpickle import unpickle
from draggan_widget.errors import CheckpointError
from draggan_widget.files import as_path, read_remedy, sha256, write_remedy

DISCRIMINATOR = "stylegan2-discriminator"
LARGEST_FILE = 4 << 30  # bytes; the largest StyleGAN2 snapshots take 0.4 GB
PROTOCOL = pickle.PROTO[0]
UNVERSIONED_STARTS = (b"(", b"c", b"}", b"]", b")")  # first bytes of a pickle without a protocol number


def read_checkpoint(path: str | Path, network: str = "G_ema") -> Checkpoint:
    """Read one network of a checkpoint file.

    Args:
        path: our own .safetensors; NVIDIA's PyTorch .pkl of a StyleGAN2; a .pt or .pth of torch.save or a .safetensors
            with a StyleGAN2's tensors; any of them compressed with gzip. The name does not matter.
        network: the network to read where the file holds several: "G_ema", "G" or "D".

    Returns:
        A checkpoint of family "stylegan2"; for "D" of family "stylegan2-discriminator", whose config is its class name
        and arguments; for a file of our own, of the family it was saved with.

    Raises:
        CheckpointError: the file cannot be read, is of no known format, damaged, hostile, or lacks the network.

    Examples:
        >>> from draggan_widget.checkpoints.hub.catalog import HEADS
        >>> read_checkpoint(HEADS.path).config["img_channels"]
        3
    """
    if network not in NETWORKS:
        raise CheckpointError(f"network is {network!r}; expected one of {', '.join(NETWORKS)}; ask for one of these")
    path = as_path(path, "path", CheckpointError)
    try:
        with _open_source(path) as source:
            head = source.read(0, min(sniff.HEAD, source.size))
            if is_gzip(head):
                return _read_gzipped(source, path, network)
            return _read_plain(source, head, path, network)
    except (MemoryError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: reading it failed ({type(error).__name__}); expected a checkpoint that fits the memory; "
            "close other programs"
        ) from error


def _read_plain(source: ByteSource, head: bytes, path: Path, network: str) -> Checkpoint:
    if is_safetensors(head):
        return read_safetensors(path, head, network)
    return _read_stored_network(_find_stored_network(source, head, network), path, network)


def _read_gzipped(source: ByteSource, path: Path, network: str) -> Checkpoint:
    """Read a compressed file through a temporary one of the same name, which is removed at once.

    Where the system cannot remove a file that is mapped into memory (Windows, a .safetensors), it stays in the folder
    for temporary files.
    """
    elsewhere = "set TMPDIR to another folder"
    try:
        made = tempfile.TemporaryDirectory(prefix="draggan-widget-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be unpacked: there is no place for temporary files ({error}); "
            f"{write_remedy(error, Path(), elsewhere)}"
        ) from error
    with made as folder:
        unpacked = Path(folder) / path.name
        try:
            with unpacked.open("wb") as file:
                unpack(source, file, LARGEST_FILE)
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be unpacked in {tempfile.gettempdir()} ({error}); expected room for the unpacked file; "
                f"{write_remedy(error, unpacked, elsewhere)}"
            ) from error
        try:
            with _open_source(unpacked) as inner:
                return _read_plain(inner, inner.read(0, min(sniff.HEAD, inner.size)), unpacked, network)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace(str(unpacked), f"{path}, unpacked")) from error


@contextlib.contextmanager
def _open_source(path: Path) -> Iterator[ByteSource]:
    try:
        status = path.stat()
        # Reading a pipe or a device could block for ever.
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{path} is not a file; expected {sniff.FORMATS}; give the path of a file")
        if status.st_size > LARGEST_FILE:
            raise CheckpointError(
                f"{path} has {status.st_size} bytes; expected at most {LARGEST_FILE}; save the generator alone"
            )
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise _not_read(path, error) from error
    with file:
        yield ByteSource(file, str(path), 0, status.st_size)


def _not_read(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({error}); expected a file; {read_remedy(error, path)}")


def _find_stored_network(source: ByteSource, head: bytes, network: str) -> StoredNetwork:
    """Find the network in the file and check its structure; its tensors stay places in the file."""
    budget = Budget()
    if is_torch_file(head):
        return find_network(read_torch(source, budget), network, source)
    modern = head[:1] == bytes([PROTOCOL]) and head[1:2] <= bytes([pickle.HIGHEST_PROTOCOL])
    if modern or (head.startswith(UNVERSIONED_STARTS) and source.read(source.size - 1, 1) == pickle.STOP):
        return find_network(unpickle(PickleStream(source, budget), plain_pickle_globals(budget)), network, source)
    raise sniff.refusal(source, head)


def _read_stored_network(stored: StoredNetwork, path: Path, network: str) -> Checkpoint:
    # Hashing the file takes as long as reading its tensors, so both run at once.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        digest = pool.submit(sha256, path)
        tensors = read_tensors(stored.tensors)
        meta = _make_meta(path, stored.format, network)
        try:
            meta["source_sha256"] = digest.result()
        except OSError as error:
            raise _not_read(path, error) from error
    if network == "D":
        return _make_discriminator(stored, tensors, meta, str(path))
    return Checkpoint(FAMILY, _infer_config(stored, tensors, str(path)), tensors, meta)


def _infer_config(stored: StoredNetwork, tensors: dict[str, Tensor], name: str) -> dict[str, Any]:
    if stored.config:
        return infer_config_beside(tensors, stored.config, stored.init_kwargs, name)
    return infer_config(tensors, stored.init_kwargs, stored.attributes, name)


def _make_meta(path: Path, source_format: str, network: str) -> dict[str, str]:
    return {
        "licence": UNKNOWN_LICENCE,
        "provenance": f"{path.name}, {network} of a {source_format}",
        "source_format": source_format,
    }


def _make_discriminator(
    stored: StoredNetwork, tensors: dict[str, Tensor], meta: dict[str, str], name: str
) -> Checkpoint:
    if "b4.out.weight" not in tensors:
        raise CheckpointError(f"{name}: D has no b4.out.weight; expected a StyleGAN2's discriminator; ask for 'G_ema'")
    config = {"class_name": stored.class_name, "init_kwargs": as_json(stored.init_kwargs, name)}
    return Checkpoint(DISCRIMINATOR, config, tensors, meta)
