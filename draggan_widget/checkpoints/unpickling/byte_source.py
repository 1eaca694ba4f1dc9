"""A file read by place and length: never past its end, never all at once.

Reading rather than mapping, so that a file cut short under our hands is an error and not a bus error, and so that only
the tensors asked for take memory.
"""

import io

from draggan_widget.errors import CheckpointError

REMEDY = "the file is damaged or was not written by PyTorch; download it or save it again"


class Source:
    """A stretch of an open file.

    Args:
        file: open for reading; used by one thread at a time.
        name: what to call the file in errors.
        start: where the stretch begins, in bytes from the start of the file.
        size: its length in bytes.
    """

    def __init__(self, file: io.RawIOBase | io.BufferedIOBase, name: str, start: int, size: int) -> None:
        self.file, self.name, self.start, self.size = file, name, start, size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset`` on; for short pieces only."""
        self.check(offset, length)
        piece = bytearray(length)
        self.read_into(offset, memoryview(piece))
        return bytes(piece)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill the buffer with the bytes from ``offset`` on."""
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

    def window(self, offset: int, length: int) -> "Source":
        """A stretch of this stretch."""
        self.check(offset, length)
        return Source(self.file, self.name, self.start + offset, length)

    def check(self, offset: int, length: int) -> None:
        """Refuse a place that is not within the stretch."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise self.refuse(
                f"wants {brief(length)} bytes at byte {brief(offset)}", f"a place within its {self.size} bytes"
            )

    def refuse(self, found: str, expected: str, remedy: str = REMEDY) -> CheckpointError:
        """The error for contents that are not what was expected."""
        return CheckpointError(f"{self.name}: {found}; expected {expected}; {remedy}")


def brief(value: object) -> str:
    """A value from a file, short enough for an error, without walking into it."""
    if type(value) is str:
        return ascii(value[:80]) if len(value) <= 80 else f"{value[:80]!a}... ({len(value)} characters)"
    if type(value) is int:
        return str(value) if abs(value) < 2**80 else f"a number of {value.bit_length()} bits"
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) in (list, tuple, dict):
        return f"a {type(value).__name__} of {len(value)}"  # type: ignore[arg-type]
    return f"a {type(value).__name__}"
