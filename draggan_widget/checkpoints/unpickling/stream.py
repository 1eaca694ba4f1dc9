"""The bytes of a pickle, read from front to back; long payloads are skipped, not read.

One budget of operations and of text applies to the whole file, however its pickles are nested.
"""

from dataclasses import dataclass

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import Span

CHUNK = 1 << 16  # bytes read from the file at once
LONGEST_TEXT = 4096  # bytes; longer text stays in the file as a Span
LONGEST_LINE = 4096  # bytes
MOST_OPERATIONS = 250_000  # about 110 bytes each at worst; a 1024 px file of G, D and G_ema has about 80,000
MOST_TEXT = 4 << 20  # bytes, up to four times as many in memory


@dataclass
class Budget:
    """The operations and the text that reading one file may still take.

    Attributes:
        operations: number of operations left.
        text: number of bytes of text left.
    """

    operations: int = MOST_OPERATIONS
    text: int = MOST_TEXT

    def spend(self, source: ByteSource, operations: int) -> None:
        """Count work that takes as long as `operations` operations of a pickle."""
        self.operations -= operations
        if self.operations < 0:
            raise source.refuse(f"takes more than {MOST_OPERATIONS} operations", "a network's, which are fewer")


class PickleStream:
    """Reads forward through `source`, from `position` on.

    Attributes:
        source: the bytes that hold the pickle.
        budget: the file's budget.
    """

    def __init__(self, source: ByteSource, budget: Budget, position: int = 0) -> None:
        self.source, self.budget = source, budget
        self._chunk, self._at, self._base = b"", 0, position

    @property
    def position(self) -> int:
        """Offset of the next byte."""
        return self._base + self._at

    def byte(self) -> int:
        """The next byte."""
        if self._at == len(self._chunk):
            self._fill(1)
        value = self._chunk[self._at]
        self._at += 1
        return value

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        if self._at + length > len(self._chunk):
            self._fill(length)
        piece = self._chunk[self._at : self._at + length]
        self._at += length
        return piece

    def number(self, length: int, signed: bool = False) -> int:
        """The next `length` bytes as a little-endian integer."""
        return int.from_bytes(self.take(length), "little", signed=signed)

    def span(self, length: int) -> Span:
        """The next `length` bytes, however many, as a place in the file."""
        start = self.position
        self.source.check(start, length)
        if self._at + length <= len(self._chunk):
            self._at += length
        else:
            self._chunk, self._at, self._base = b"", 0, start + length
        return Span(self.source, start, length)

    def text(self, length: int, encoding: str) -> str | Span:
        """The next `length` bytes as text, or as a span where they are too many for a name."""
        if length > LONGEST_TEXT:
            return self.span(length)
        self.spend_text(length)
        return self.take(length).decode(encoding)

    def line(self) -> bytes:
        """The bytes up to the next newline, without it."""
        length = min(LONGEST_LINE, self.source.size - self.position)
        if self._at + length > len(self._chunk):
            self._fill(length)
        end = self._chunk.find(b"\n", self._at, self._at + length)
        if end < 0:
            raise self.source.refuse(f"has no end of line after byte {self.position}", f"one within {length} bytes")
        self.spend_text(end - self._at)
        piece = self._chunk[self._at : end]
        self._at = end + 1
        return piece

    def spend_text(self, length: int) -> None:
        """Count text against the budget."""
        self.budget.text -= length
        if self.budget.text < 0:
            raise self.source.refuse(f"holds more than {MOST_TEXT} bytes of names", "a network's names")

    def _fill(self, length: int) -> None:
        start = self.position
        left = self.source.size - start
        if length > left:
            raise self.source.refuse(f"ends at byte {self.source.size}", f"{brief(length)} bytes at byte {start}")
        self._chunk, self._at, self._base = self.source.read(start, min(max(length, CHUNK), left)), 0, start
