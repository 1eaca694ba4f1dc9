"""Unpacks a checkpoint that was compressed with gzip, as in `network.pkl.gz`, into a temporary file.

Source: RFC 1952; `zlib` reads the members.

Differs from `gzip`: 1. the unpacked size is bounded, absolutely and relative to the packed one; 2. bytes after the
last member are refused, except for zeros, which some tools add.
"""

import zlib
from typing import BinaryIO

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource

MAGIC = b"\x1f\x8b"
CHUNK = 1 << 14  # bytes that are read at once; few, since what a member leaves of them is copied
PIECE = 1 << 18  # bytes that are unpacked at once
SMALL = 64 << 20  # bytes that any file may unpack to; beyond that, at most RATIO times its size
RATIO = 10  # weights shrink to some nine tenths
MOST_MEMBERS = 1 << 16  # bgzip makes one of each 64 KB
AGAIN = "download it again, or unpack it with gunzip"


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins with these bytes is one of gzip."""
    return head.startswith(MAGIC)


def unpack(source: ByteSource, into: BinaryIO, largest: int) -> None:
    """Write what the file unpacks to.

    Args:
        source: the file of gzip, of one member or of several.
        into: the file to write to.
        largest: largest unpacked size, bytes.

    Raises:
        CheckpointError: the file is damaged, cut off, or unpacks to more than is allowed.
        OSError: `into` cannot be written.
    """
    largest, written, reader = min(largest, max(SMALL, RATIO * source.size)), 0, _Reader(source)
    for _ in range(MOST_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(reader.take(), PIECE)
            except zlib.error as error:
                raise source.refuse(f"is a damaged gzip file ({error})", "an unaltered one", AGAIN) from error
            reader.left = member.unused_data if member.eof else member.unconsumed_tail
            written += len(piece)
            if written > largest:
                limit = f"at most {largest}: {SMALL}, or {RATIO} times its {source.size} bytes"
                raise source.refuse(f"unpacks to more than {largest} bytes", limit, AGAIN)
            into.write(piece)
        if reader.is_at_end():
            return
    raise source.refuse(f"has over {MOST_MEMBERS} members of gzip", f"at most {MOST_MEMBERS}", AGAIN)


class _Reader:
    """Reads the packed bytes forward.

    Attributes:
        left: bytes that were read and not used yet.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source, self._at, self.left = source, 0, b""

    def take(self) -> bytes:
        """The bytes left, or the next ones.

        Raises:
            CheckpointError: the file has no more.
        """
        if not self.left:
            self.left = self._next()
        if not self.left:
            raise self._source.refuse("is a gzip file that is cut off", "a whole one", AGAIN)
        return self.left

    def is_at_end(self) -> bool:
        """Whether nothing but zeros follows the end of a member; False where another member begins.

        Raises:
            CheckpointError: other bytes follow.
        """
        if len(self.left) < len(MAGIC):
            self.left += self._next()
        if self.left.startswith(MAGIC):
            return False
        end = self._at - len(self.left)
        while self.left:
            if self.left.strip(b"\0"):
                found = f"goes on for {self._source.size - end} bytes after the end of its gzip data"
                raise self._source.refuse(found, "its end, or another member of gzip", AGAIN)
            self.left = self._next()
        return True

    def _next(self) -> bytes:
        piece = self._source.read(self._at, min(CHUNK, self._source.size - self._at))
        self._at += len(piece)
        return piece
