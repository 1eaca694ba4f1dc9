"""The zip archive of `torch.save`: its entries are stored uncompressed, so each is a place in the file.

Source: PKWARE's APPNOTE.TXT 6.3 (records, zip64), as far as `torch.save` uses it.

Differs from `zipfile`:
1. nothing is decompressed, so nothing can grow: a compressed entry is refused;
2. the list of entries is bounded before it is read, and no two entries may share bytes or a name.
"""

import struct
from dataclasses import dataclass

from draggan_widget.checkpoints.sniff import FORMATS
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.stream import Budget
from draggan_widget.errors import CheckpointError

MAGIC = b"PK\x03\x04"
LARGEST_LIST = 4 << 20  # bytes of the central directory; a network of 300 tensors takes 30 kB
MOST_ENTRIES = 8000
ENTRY_COST = 20  # operations that reading an entry counts as
LONGEST_COMMENT = 1 << 16  # bytes
UNSET = 0xFFFFFFFF  # marks a value that only the zip64 field holds


@dataclass(frozen=True)
class ZipEntry:
    """One file of the archive.

    Attributes:
        name: its path in the archive.
        header: where its local header begins, in bytes from the start of the archive.
        size: length of its contents in bytes.
        crc: CRC-32 of its contents.
        offset: where its contents begin, in bytes from the start of the archive; -1 until it is known.
    """

    name: str
    header: int
    size: int
    crc: int
    offset: int = -1


def read_archive(source: ByteSource, budget: Budget) -> dict[str, ZipEntry]:
    """Read the list of entries: name -> entry.

    Args:
        source: the archive, which may lie within a pickle.
        budget: the file's budget; each entry takes from it, since a file may have one archive read many times.

    Raises:
        CheckpointError: the archive is damaged, compressed, encrypted, or built to deceive.
    """
    start, size, count = _find_directory(source)
    if size > LARGEST_LIST or count > MOST_ENTRIES:
        raise source.refuse(f"lists {count} entries in {size} bytes", f"at most {MOST_ENTRIES} in {LARGEST_LIST}")
    budget.spend(source, count * ENTRY_COST + size // 1024)
    listing = source.read(start, size)
    if b"/data.pkl" not in listing:
        raise source.refuse("looks like a zip archive, but none of torch.save", FORMATS, "unpack it")
    entries: dict[str, ZipEntry] = {}
    at = 0
    for _ in range(count):
        entry, at = _read_entry(source, listing, at)
        if entry.name in entries:
            raise source.refuse(f"lists {brief(entry.name)} twice", "each name once")
        entries[entry.name] = entry
    return _place_entries(source, entries, start)


def _find_directory(source: ByteSource) -> tuple[int, int, int]:
    """Start, size and number of entries of the central directory."""
    length = min(source.size, LONGEST_COMMENT + 22)
    tail = source.read(source.size - length, length)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > length:
        raise source.refuse("is a zip archive without an end", "a whole archive")
    disk, first, here, count, size, start, comment = struct.unpack_from("<4H2IH", tail, at + 4)
    if at + 22 + comment != length:
        raise source.refuse(f"goes on for {length - at - 22} bytes after its end", f"a comment of {comment} bytes")
    end = source.size - length + at
    if UNSET in (size, start) or 0xFFFF in (here, count):
        return _find_directory64(source, end)
    if (disk, first) != (0, 0) or here != count or start + size > end:
        raise source.refuse("is a zip archive whose end does not fit its list", "a whole archive in one part")
    return start, size, count


def _find_directory64(source: ByteSource, end: int) -> tuple[int, int, int]:
    locator = source.read(end - 20, 20)
    magic, disk, place, disks = struct.unpack("<4sIQI", locator)
    if magic != b"PK\x06\x07" or disk or disks > 1:
        raise source.refuse("is a large zip archive without its locator", "a whole archive in one part")
    fields = struct.unpack("<4sQ2H2I4Q", source.read(place, 56))
    magic, _, _, _, disk, first, here, count, size, start = fields
    if magic != b"PK\x06\x06" or disk or first or here != count or start + size > place or place + 56 > end:
        raise source.refuse("is a zip archive whose end does not fit its list", "a whole archive in one part")
    return start, size, count


def _read_entry(source: ByteSource, listing: bytes, at: int) -> tuple[ZipEntry, int]:
    """Read the entry at byte `at` of the central directory; also returns where the next one begins."""
    if at + 46 > len(listing) or listing[at : at + 4] != b"PK\x01\x02":
        raise source.refuse(f"has no entry at byte {at} of its list", "as many entries as it states")
    fields = struct.unpack_from("<4s6H3I5H2I", listing, at)
    flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
    name_length, extra_length, comment_length, header = *fields[10:13], fields[16]
    end = at + 46 + name_length + extra_length + comment_length
    raw = listing[at + 46 : at + 46 + name_length]
    extra = listing[at + 46 + name_length : at + 46 + name_length + extra_length]
    if end > len(listing):
        raise source.refuse(f"has an entry at byte {at} of its list that goes past its end", "a whole list")
    name = _read_name(source, raw)
    size, packed, header = _zip64_values(source, extra, (size, packed, header))
    if method != 0 or size != packed or flags & 0x41:
        raise source.refuse(
            f"entry {brief(name)} is compressed or encrypted (method {method}, {packed} bytes for {size})",
            "entries that are stored as they are, the way torch.save writes them",
        )
    return ZipEntry(name, header, size, crc), end


def _read_name(source: ByteSource, raw: bytes) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise source.refuse("has an entry whose name is not UTF-8", "the names torch.save gives") from error
    parts = name.split("/")
    if len(name) > 512 or "\\" in name or "\0" in name or ":" in name or {"", ".", ".."} & set(parts):
        raise source.refuse(f"has an entry named {brief(name)}", "the names torch.save gives")
    return name


def _zip64_values(source: ByteSource, extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """The three values; the zip64 field replaces those that do not fit 32 bits."""
    wide: list[int] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            wide = [*struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8])]
        at += 4 + length
    if len(wide) < values.count(UNSET):
        raise source.refuse("has an entry without its large sizes", "a zip64 field")
    first, second, third = (wide.pop(0) if value == UNSET else value for value in values)
    return first, second, third


def _place_entries(source: ByteSource, entries: dict[str, ZipEntry], end: int) -> dict[str, ZipEntry]:
    """The entries with the offsets of their contents, after a check that no two overlap."""
    placed: dict[str, ZipEntry] = {}
    free = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.header):
        start = _find_data(source, entry)
        if entry.header < free or start + entry.size > end:
            raise source.refuse(f"entry {brief(entry.name)} overlaps another", "a place of its own for each")
        free = start + entry.size
        placed[entry.name] = ZipEntry(entry.name, entry.header, entry.size, entry.crc, start)
    return placed


def _find_data(source: ByteSource, entry: ZipEntry) -> int:
    fields = struct.unpack("<4s5H3I2H", source.read(entry.header, 30))
    magic, flags, method, name_length, extra_length = fields[0], fields[2], fields[3], fields[9], fields[10]
    if magic != MAGIC or method != 0 or flags & 0x41 or name_length > 2048:
        raise _mismatch(source, entry)
    if source.read(entry.header + 30, name_length) != entry.name.encode("utf-8"):
        raise _mismatch(source, entry)
    return entry.header + 30 + name_length + extra_length


def _mismatch(source: ByteSource, entry: ZipEntry) -> CheckpointError:
    return source.refuse(f"entry {brief(entry.name)} differs from the list", "the same name and layout in both places")
