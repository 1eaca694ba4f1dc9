"""Ways to damage a file: byte by byte, operation by operation, or anew from random operations."""

import io
import pickletools
import random
import zipfile

from tests.checkpoints import opcodes

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
GLOBALS = (
    "os.system",
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.storage._load_from_bytes",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.Size",
    "torch.device",
    "torch_utils.persistence._reconstruct_persistent_obj",
    "dnnlib.util.EasyDict",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
    "_codecs.encode",
    "builtins.set",
)
Source = random.Random


def mutate(data: bytes, source: Source, others: list[bytes]) -> bytes:
    """The file with one to four of its places changed."""
    changed = bytearray(data)
    for _ in range(source.randint(1, 4)):
        source.choice((_flip, _flip, _set, _number, _cut, _repeat, _remove, _splice))(changed, source, others)
    return bytes(changed)


def _at(data: bytearray, source: Source) -> int:
    return source.randrange(len(data)) if data else 0


def _flip(data: bytearray, source: Source, others: list[bytes]) -> None:
    if data:
        data[_at(data, source)] ^= 1 << source.randrange(8)


def _set(data: bytearray, source: Source, others: list[bytes]) -> None:
    if data:
        data[_at(data, source)] = source.randrange(256)


def _number(data: bytearray, source: Source, others: list[bytes]) -> None:
    at, size = _at(data, source), source.choice((1, 2, 4, 8))
    data[at : at + size] = (source.choice(NUMBERS) % 256**size).to_bytes(size, "little")


def _cut(data: bytearray, source: Source, others: list[bytes]) -> None:
    if not source.randrange(4):
        del data[_at(data, source) :]


def _repeat(data: bytearray, source: Source, others: list[bytes]) -> None:
    at = _at(data, source)
    data[at:at] = data[at : at + source.randint(1, 200)] * source.choice((1, 1, 2, 50))


def _remove(data: bytearray, source: Source, others: list[bytes]) -> None:
    at = _at(data, source)
    del data[at : at + source.randint(1, 40)]


def _splice(data: bytearray, source: Source, others: list[bytes]) -> None:
    other = source.choice(others)
    at, start = _at(data, source), source.randrange(len(other) or 1)
    data[at : at + source.randint(0, 100)] = other[start : start + source.randint(1, 400)]


def shuffle_opcodes(data: bytes, source: Source, others: list[bytes]) -> bytes:
    """A pickle with some operations swapped, dropped, repeated or made up, the rest left whole."""
    starts = [place for _, _, place in pickletools.genops(data) if place is not None]
    parts = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    for _ in range(source.randint(1, 5)):
        at = source.randrange(len(parts))
        choice = source.randrange(5)
        if choice == 0:
            parts[at], other = parts[(other := source.randrange(len(parts)))], other
        elif choice == 1:
            del parts[at : at + source.randint(1, 3)]
        elif choice == 2:
            parts[at:at] = parts[at : at + source.randint(1, 30)] * source.choice((1, 1, 20))
        else:
            parts.insert(at, operation(source))
        parts = parts or [b"."]
    return b"".join(parts)


def operation(source: Source) -> bytes:
    """One operation with an argument that may fit."""
    choice = source.randrange(8)
    if choice == 0:
        return opcodes.name(source.choice(GLOBALS))
    if choice == 1:
        return opcodes.text(source.choice(("G_ema", "_modules", "state", "class", "storage", "0", "cpu", "x")))
    if choice == 2:
        return opcodes.number(source.choice(NUMBERS) * source.choice((1, -1)))
    if choice == 3:
        return opcodes.blob(source.choice((b"", b"abcd", opcodes.legacy(), bytes(40))))
    if choice == 4:
        return source.choice((opcodes.tensor(), opcodes.module(), opcodes.persistent()))
    if choice == 5:
        return source.choice((b"h", b"q", b"K", b"j\0\0\0", b"r\0\0\0")) + bytes([source.randrange(6)])
    if choice == 6:
        return bytes([source.choice(pickletools.opcodes).code.encode("latin-1")[0]])
    return source.choice((b"(", b"t", b"}", b"]", b")", b"u", b"e", b"a", b"s", b"\x85", b"R", b"b", b"N", b"2", b"0"))


def make_up(source: Source) -> bytes:
    """A pickle of random operations."""
    body = b"".join(operation(source) for _ in range(source.choice((3, 10, 40, 200))))
    return opcodes.whole(body) if source.randrange(4) else opcodes.snapshot(body)


def remake_archive(data: bytes, source: Source, others: list[bytes]) -> bytes:
    """An archive whose checksums fit its mutated contents."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    changed = source.choice([*entries, "archive/data.pkl", next(n for n in entries if n.endswith("data.pkl"))])
    body = entries.get(changed, b"")
    entries[changed] = mutate(body, source, others) if source.randrange(2) or not body else _shuffled(body, source)
    return opcodes.archive(entries)


def _shuffled(body: bytes, source: Source) -> bytes:
    try:
        return shuffle_opcodes(body, source, [])
    except ValueError:
        return body[::-1]
