"""A file that is read by offset and length: never past its end, never all at once.

The file is read and not memory-mapped: a file that shrinks meanwhile then gives an error and no bus error, and only the
tensors that are asked for take memory.
"""

import io

from draggan_widget.errors import CheckpointError

REMEDY = "the file is damaged or was not written by PyTorch; download it or save it again"


class ByteSource:
    """A range of bytes of an open file.

    Attributes:
        file: a file open for reading; one thread uses it at a time.
        name: the file's name in errors.
        start: where the range begins, in bytes from the start of the file.
        size: length of the range in bytes.
    """

    def __init__(self, file: io.RawIOBase | io.BufferedIOBase, name: str, start: int, size: int) -> None:
        self.file, self.name, self.start, self.size = file, name, start, size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on; for short pieces only."""
        self.check(offset, length)
        piece = bytearray(length)
        self.read_into(offset, memoryview(piece))
        return bytes(piece)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill the buffer with the bytes from `offset` on."""
        self.check(offset, len(buffer))
        done = 0
        try:
            self.file.seek(self.start + offset)
            while done < len(buffer):
                count = self.file.readinto(buffer[done:])
                if not count:
                    raise self.refuse(f"ends at byte {offset + done}", f"{len(buffer) - done} bytes more")
                done += count
        except OSError as error:
            raise self.refuse(f"cannot be read at byte {offset} ({error})", "a readable file") from error

    def window(self, offset: int, length: int) -> "ByteSource":
        """A part of this range, as a range of its own."""
        self.check(offset, length)
        return ByteSource(self.file, self.name, self.start + offset, length)

    def check(self, offset: int, length: int) -> None:
        """Raise an error unless these bytes lie within the range."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise self.refuse(
                f"refers to {brief(length)} bytes at byte {brief(offset)}", f"a place within its {self.size} bytes"
            )

    def refuse(self, found: str, expected: str, remedy: str = REMEDY) -> CheckpointError:
        """The error for contents other than the expected ones."""
        return CheckpointError(f"{self.name}: {found}; expected {expected}; {remedy}")


def brief(value: object) -> str:
    """A value from a file, described shortly enough for an error; what a container holds is not looked at."""
    if type(value) is str:
        return ascii(value[:80]) if len(value) <= 80 else f"{value[:80]!a}... ({len(value)} characters)"
    if type(value) is int:
        return str(value) if abs(value) < 2**80 else f"a number of {value.bit_length()} bits"
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) in (list, tuple, dict):
        return f"a {type(value).__name__} of {len(value)}"  # type: ignore[arg-type]
    kind = type(value).__name__
    return f"an {kind}" if kind[0] in "AEIOUaeiou" else f"a {kind}"
