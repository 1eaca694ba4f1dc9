"""Bytes that a pickle of protocol 2 or older keeps as text: each byte is one character of Latin-1, written in UTF-8.

The text stays in its file: a block of it is decoded when its bytes are read.
"""

import io

import numpy as np

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource

BLOCK = 1 << 14  # bytes of text that are decoded at once
SCAN = 1 << 20  # bytes of text in which characters are counted at once; a multiple of `BLOCK`
MARK = 0b1100_0000  # the two highest bits of a byte of UTF-8
LATER = 0b1000_0000  # their value in every byte of a character but its first


def latin1_source(source: ByteSource, offset: int, length: int) -> ByteSource:
    """The bytes that a text stands for.

    Args:
        source: the file that holds the text.
        offset: where the text begins, in bytes from the start of `source`.
        length: length of the text in bytes.

    Raises:
        CheckpointError: the text cannot be read. A text with characters beyond Latin-1 is refused when it is decoded.
    """
    text = source.window(offset, length)
    starts, total = _find_block_starts(text)
    return ByteSource(_Latin1File(text, starts), source.name, 0, total)


def _find_block_starts(text: ByteSource) -> tuple[np.ndarray, int]:
    """The index of the first character that begins in each block, and the number of all characters."""
    counts = []
    for at in range(0, text.size, SCAN):
        piece = np.frombuffer(text.read(at, min(SCAN, text.size - at)), np.uint8)
        begins = (piece & MARK) != LATER
        counts.append(np.add.reduceat(begins, np.arange(0, len(piece), BLOCK), dtype=np.int64))
    ends = np.cumsum(np.concatenate(counts)) if counts else np.zeros(1, np.int64)
    return np.concatenate([[0], ends[:-1]]), int(ends[-1])


class _Latin1File(io.RawIOBase):
    """The decoded bytes as a file that is read by offset.

    Args:
        text: the text, in UTF-8.
        starts: the index of the first character that begins in each block of `text`.
    """

    def __init__(self, text: ByteSource, starts: np.ndarray) -> None:
        self._text, self._starts, self._position = text, starts, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("a place counted from the start alone")
        self._position = offset
        return offset

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        block = int(np.searchsorted(self._starts, self._position, side="right")) - 1
        piece = self._decode(block)[self._position - int(self._starts[block]) :][: len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _decode(self, block: int) -> bytes:
        """The bytes of the characters that begin in a block; the last one may end in the next block."""
        start = block * BLOCK
        end = min(start + BLOCK, self._text.size)
        raw = self._text.read(start, end - start)
        if block and raw[0] & MARK == LATER:
            raw = raw[1:]
        if raw[-1:] >= b"\xc0" and end < self._text.size:
            raw += self._text.read(end, 1)
        try:
            return raw.decode("utf-8").encode("latin-1")
        except UnicodeError as error:
            found = f"holds bytes as text that is not Latin-1, after byte {self._text.start + start}"
            raise self._text.refuse(found, "each byte as one character of Latin-1") from error
