"""Files of ``torch.save``: the zip archive and the older layout, through the same table of known globals.

Source: ``torch.serialization`` (format 3 in a zip; format 1001: five pickles and the storages' bytes after them).

Differs from ``torch.load``: 1. tensors come as places in the file (``stored.py``), on no device; 2. storages of another
byte order, views of storages and TorchScript are refused.
"""

import re
import zlib

from draggan_widget.checkpoints.torch_zip import MAGIC, Entry, read_archive
from draggan_widget.checkpoints.unpickling.allowed_globals import KNOWN
from draggan_widget.checkpoints.unpickling.byte_source import Source, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import STORAGES, Span, StoredStorage, whole
from draggan_widget.checkpoints.unpickling.machine import Known
from draggan_widget.checkpoints.unpickling.stream import Budget, Stream
from draggan_widget.checkpoints.unpickling.unpickle import unpickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0a" + LEGACY_MAGIC.to_bytes(10, "little") + b"."
LEGACY_PROTOCOL = 1001
INNER_COST = 20  # operations that opening a storage counts as
LARGEST_PICKLE = 16 << 20  # bytes of data.pkl; the tensors lie outside it
AGAIN = "load it with the PyTorch that wrote it and save its state_dict() again"


def is_torch_file(head: bytes) -> bool:
    """Whether a file that begins like this may be one of ``torch.save``."""
    return head.startswith((MAGIC, LEGACY_START))


def read_torch(source: Source, budget: Budget) -> object:
    """What was saved, its tensors and storages as places.

    Raises:
        CheckpointError: the file is damaged, hostile, or holds more than weights.
    """
    head = source.read(0, min(4, source.size))
    return _read_zip(source, budget) if head == MAGIC else _read_legacy(source, budget)


def loader(budget: Budget) -> dict[tuple[str, str], Known]:
    """The known globals with ``torch.storage._load_from_bytes``: a storage saved as a file within the pickle."""

    def load_from_bytes(source: Source, arguments: tuple) -> StoredStorage:
        span = arguments[0] if len(arguments) == 1 else arguments
        if type(span) is not Span:
            raise source.refuse(f"_load_from_bytes gets {brief(span)}", "bytes, of pickle protocol 3 or newer")
        # Without `_load_from_bytes` itself: a file in a file, but no further.
        budget.spend(source, INNER_COST)
        found = read_torch(source.window(span.offset, span.length), budget)
        if type(found) is not StoredStorage:
            raise source.refuse(f"the bytes of a storage hold {brief(found)}", "a storage")
        return found

    name = "torch.storage._load_from_bytes"
    return KNOWN | {("torch.storage", "_load_from_bytes"): Known(name, load_from_bytes)}


class Storages:
    """The storages that a file's persistent ids name."""

    def __init__(self) -> None:
        self.by_key: dict[str, StoredStorage] = {}

    def __call__(self, source: Source, identity: object) -> StoredStorage:
        """The storage of ("storage", type, key, location, number of elements and, in the older layout, a view)."""
        if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
            raise source.refuse(f"has the persistent id {brief(identity)}", "one of a storage")
        kind, key, location, numel = identity[1:5]
        name = kind.name.removeprefix("torch.") if type(kind) is Known else ""
        if name not in STORAGES or type(key) is not str or type(location) is not str:
            raise source.refuse(f"has a storage of type {brief(name)} and key {brief(key)}", ", ".join(STORAGES))
        if len(identity) == 6 and identity[5] is not None:
            raise source.refuse("has a storage that is a view of another", "whole storages", AGAIN)
        storage = StoredStorage(STORAGES[name], whole(numel, source), source)
        known = self.by_key.setdefault(key, storage)
        if (known.dtype, known.numel) != (storage.dtype, storage.numel):
            raise source.refuse(f"has two storages of key {brief(key)}", "one of each", AGAIN)
        return known


def _read_zip(source: Source, budget: Budget) -> object:
    entries = read_archive(source, budget)
    pickles = [name for name in entries if re.fullmatch(r"[^/]+/data\.pkl", name)]
    if len(pickles) != 1:
        raise source.refuse(f"is a zip archive without data.pkl ({len(entries)} entries)", "one of torch.save")
    root = pickles[0].removesuffix("data.pkl")
    if any(name.startswith((f"{root}code/", f"{root}constants.pkl")) for name in entries):
        raise source.refuse("is a TorchScript archive, compiled code", "weights", "save the model's state_dict()")
    _check_order(source, entries.get(f"{root}byteorder"))
    main, storages = _checked(source, entries[pickles[0]], budget), Storages()
    value = unpickle(Stream(main, budget), KNOWN, storages)
    for key, storage in storages.by_key.items():
        entry = entries.get(f"{root}data/{key}")
        if entry is None or entry.size != storage.nbytes:
            found = "is not there" if entry is None else f"has {entry.size} bytes"
            raise source.refuse(f"storage {brief(key)} {found}", f"{storage.nbytes} bytes")
        storage.place(source, entry.offset, entry.crc)
    return value


def _check_order(source: Source, entry: Entry | None) -> None:
    if entry is None:
        return
    order = source.read(entry.offset, min(entry.size, 16))
    if order != b"little":
        raise source.refuse(f"has byte order {order!r}", "little", AGAIN)


def _checked(source: Source, entry: Entry, budget: Budget) -> Source:
    """The archive's pickle, once its checksum is right."""
    if entry.size > LARGEST_PICKLE:
        raise source.refuse(f"{brief(entry.name)} has {entry.size} bytes", f"at most {LARGEST_PICKLE}")
    budget.spend(source, entry.size // 1024)
    if zlib.crc32(source.read(entry.offset, entry.size)) != entry.crc:
        raise source.refuse(f"{brief(entry.name)} has another checksum than the archive says", "it unaltered")
    return source.window(entry.offset, entry.size)


def _read_legacy(source: Source, budget: Budget) -> object:
    stream, storages = Stream(source, budget), Storages()
    if unpickle(stream, {}) != LEGACY_MAGIC or unpickle(stream, {}) != LEGACY_PROTOCOL:
        raise source.refuse("does not begin as torch.save begins", f"its magic number and {LEGACY_PROTOCOL}")
    system = unpickle(stream, {})
    if type(system) is not dict or system.get("little_endian") is not True:
        raise source.refuse("was written with another byte order", "little", AGAIN)
    value = unpickle(stream, KNOWN, storages)
    keys = unpickle(stream, {})
    if type(keys) is not list or len(keys) != len(storages.by_key) or _names(keys) != storages.by_key.keys():
        raise source.refuse(f"lists {brief(keys)} of storages", f"the {len(storages.by_key)} that its tensors name")
    for key in keys:
        _place(stream, storages.by_key[key])
    return value


def _names(keys: list) -> set[str]:
    return {key for key in keys if type(key) is str}


def _place(stream: Stream, storage: StoredStorage) -> None:
    numel = stream.number(8, signed=True)
    if numel != storage.numel:
        raise stream.source.refuse(f"a storage has {numel} elements", f"{storage.numel}, as its tensor says")
    storage.place(stream.source, stream.position)
    stream.span(storage.nbytes)
