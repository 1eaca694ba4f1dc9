"""Files of `torch.save`: the zip archive and the older layout, both read with the same table of allowed globals.

Source: `torch.serialization` (format 3 in a zip; format 1001: five pickles and the storages' bytes after them).

Differs from `torch.load`: 1. tensors are places in the file (`lazy_tensors.py`), on no device; 2. storages of another
byte order, views of storages and TorchScript are refused.
"""

import io
import re
import zlib

from torch import Tensor

from draggan_widget.checkpoints.torch_zip import MAGIC, ZipEntry, read_archive
from draggan_widget.checkpoints.unpickling.allowed_globals import ALLOWED, Latin1Bytes
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import (
    STORAGES,
    Span,
    StoredStorage,
    StoredTensor,
    checked_size,
    read_tensors,
)
from draggan_widget.checkpoints.unpickling.machine import AllowedGlobal
from draggan_widget.checkpoints.unpickling.stream import Budget, PickleStream
from draggan_widget.checkpoints.unpickling.unpickle import unpickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0a" + LEGACY_MAGIC.to_bytes(10, "little") + b"."
LEGACY_PROTOCOL = 1001
INNER_COST = 20  # operations that opening a storage counts as
LARGEST_PICKLE = 16 << 20  # bytes of data.pkl; the tensors lie outside it
AGAIN = "load it with the PyTorch that wrote it and save its state_dict() again"


def is_torch_file(head: bytes) -> bool:
    """Whether a file that begins with these bytes may be one of `torch.save`."""
    return head.startswith((MAGIC, LEGACY_START))


def read_torch(source: ByteSource, budget: Budget) -> object:
    """Read the value that was saved; its tensors and storages are places in the file.

    Raises:
        CheckpointError: the file is damaged, hostile, or holds more than weights.
    """
    head = source.read(0, min(4, source.size))
    return _read_zip(source, budget) if head == MAGIC else _read_legacy(source, budget)


def read_tensor_file(source: ByteSource) -> dict[str, Tensor]:
    """Read the tensors of a file of `torch.save` that holds one tensor, under the name "", or a dict of tensors.

    Raises:
        CheckpointError: the file is damaged or hostile, or holds something else.
    """
    if not is_torch_file(source.read(0, min(source.size, len(LEGACY_START)))):
        raise source.refuse("is not a file of torch.save", "one that holds a tensor or a dict of tensors")
    found = read_torch(source, Budget())
    held = {"": found} if type(found) is StoredTensor else found
    if type(held) is not dict:
        raise source.refuse(f"holds {brief(found)}", "a tensor or a dict of tensors")
    stored = {str(name): tensor for name, tensor in held.items() if type(tensor) is StoredTensor}
    for name, value in held.items():
        if type(value) is not StoredTensor:
            raise source.refuse(f"{brief(name)} is {brief(value)}", "tensors alone", "save a dict of tensors")
    return read_tensors(stored)


def plain_pickle_globals(budget: Budget) -> dict[tuple[str, str], AllowedGlobal]:
    """The globals that a pickle outside `torch.save` may name.

    They include `torch.storage._load_from_bytes`, which reads a storage saved as a file within the pickle.
    """

    def load_from_bytes(source: ByteSource, arguments: tuple) -> StoredStorage:
        held = arguments[0] if len(arguments) == 1 else arguments
        if type(held) is Latin1Bytes:
            inner = ByteSource(io.BytesIO(held.read()), source.name, 0, held.length)
        elif type(held) is Span:
            inner = held.source.window(held.offset, held.length)
        else:
            raise source.refuse(f"_load_from_bytes gets {brief(held)}", "bytes")
        # `read_torch` does not allow `_load_from_bytes`: one file within a file, and no deeper.
        budget.spend(source, INNER_COST)
        found = read_torch(inner, budget)
        if type(found) is not StoredStorage:
            raise source.refuse(f"the bytes of a storage hold {brief(found)}", "a storage")
        return found

    name = "torch.storage._load_from_bytes"
    return ALLOWED | {("torch.storage", "_load_from_bytes"): AllowedGlobal(name, load_from_bytes)}


class StorageTable:
    """The storages that a file's persistent ids name.

    Attributes:
        by_key: the storage's key in the file -> the storage.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, StoredStorage] = {}

    def __call__(self, source: ByteSource, identity: object) -> StoredStorage:
        """The storage of the id ("storage", type, key, location, element count and, in the older layout, a view)."""
        if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
            raise source.refuse(f"has the persistent id {brief(identity)}", "the id of a storage")
        kind, key, location, numel = identity[1:5]
        name = kind.name.removeprefix("torch.") if type(kind) is AllowedGlobal else ""
        if name not in STORAGES or type(key) is not str or type(location) is not str:
            raise source.refuse(f"has a storage of type {brief(name)} and key {brief(key)}", ", ".join(STORAGES))
        if len(identity) == 6 and identity[5] is not None:
            raise source.refuse("has a storage that is a view of another", "whole storages", AGAIN)
        storage = StoredStorage(STORAGES[name], checked_size(numel, source), source)
        first = self.by_key.setdefault(key, storage)
        if (first.dtype, first.numel) != (storage.dtype, storage.numel):
            raise source.refuse(f"has two storages of key {brief(key)}", "one of each", AGAIN)
        return first


def _read_zip(source: ByteSource, budget: Budget) -> object:
    """Read an archive: `data.pkl` and one entry for each storage."""
    entries = read_archive(source, budget)
    pickles = [name for name in entries if re.fullmatch(r"[^/]+/data\.pkl", name)]
    if len(pickles) != 1:
        raise source.refuse(f"is a zip archive without data.pkl ({len(entries)} entries)", "one of torch.save")
    root = pickles[0].removesuffix("data.pkl")
    if any(name.startswith((f"{root}code/", f"{root}constants.pkl")) for name in entries):
        raise source.refuse("is a TorchScript archive, compiled code", "weights", "save the model's state_dict()")
    _check_byte_order(source, entries.get(f"{root}byteorder"))
    main, storages = _checked_pickle(source, entries[pickles[0]], budget), StorageTable()
    value = unpickle(PickleStream(main, budget), ALLOWED, storages)
    for key, storage in storages.by_key.items():
        entry = entries.get(f"{root}data/{key}")
        if entry is None or entry.size != storage.nbytes:
            found = "is not there" if entry is None else f"has {entry.size} bytes"
            raise source.refuse(f"storage {brief(key)} {found}", f"{storage.nbytes} bytes")
        storage.place(source, entry.offset, entry.crc)
    return value


def _check_byte_order(source: ByteSource, entry: ZipEntry | None) -> None:
    if entry is None:
        return
    order = source.read(entry.offset, min(entry.size, 16))
    if order != b"little":
        raise source.refuse(f"has byte order {order!r}", "little", AGAIN)


def _checked_pickle(source: ByteSource, entry: ZipEntry, budget: Budget) -> ByteSource:
    """The archive's pickle, after its checksum was checked."""
    if entry.size > LARGEST_PICKLE:
        raise source.refuse(f"{brief(entry.name)} has {entry.size} bytes", f"at most {LARGEST_PICKLE}")
    budget.spend(source, entry.size // 1024)
    if zlib.crc32(source.read(entry.offset, entry.size)) != entry.crc:
        raise source.refuse(f"{brief(entry.name)} has another checksum than the archive states", "unaltered bytes")
    return source.window(entry.offset, entry.size)


def _read_legacy(source: ByteSource, budget: Budget) -> object:
    """Read the older layout: magic number, protocol, system, value and storage keys, then the storages' bytes."""
    stream, storages = PickleStream(source, budget), StorageTable()
    if unpickle(stream, {}) != LEGACY_MAGIC or unpickle(stream, {}) != LEGACY_PROTOCOL:
        raise source.refuse("does not begin as torch.save begins", f"its magic number and {LEGACY_PROTOCOL}")
    system = unpickle(stream, {})
    if type(system) is not dict or system.get("little_endian") is not True:
        raise source.refuse("was written with another byte order", "little", AGAIN)
    value = unpickle(stream, ALLOWED, storages)
    keys = unpickle(stream, {})
    if type(keys) is not list or len(keys) != len(storages.by_key) or _text_keys(keys) != storages.by_key.keys():
        raise source.refuse(f"lists {brief(keys)} of storages", f"the {len(storages.by_key)} that its tensors name")
    for key in keys:
        _place_storage(stream, storages.by_key[key])
    return value


def _text_keys(keys: list) -> set[str]:
    return {key for key in keys if type(key) is str}


def _place_storage(stream: PickleStream, storage: StoredStorage) -> None:
    numel = stream.number(8, signed=True)
    if numel != storage.numel:
        raise stream.source.refuse(f"a storage has {numel} elements", f"{storage.numel}, as its tensor says")
    storage.place(stream.source, stream.position)
    stream.span(storage.nbytes)
