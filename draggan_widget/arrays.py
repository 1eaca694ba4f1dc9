"""Arrays of .npz files, read within the bounds of what the file can hold; nothing pickled."""

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

SMALL = 64 << 20  # bytes that any file may unpack to; a larger one at most RATIO times its size
RATIO = 100
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    MemoryError,
    RecursionError,
    zipfile.BadZipFile,
    zlib.error,
)  # what reading a damaged file raises


def is_too_large(unpacked: int, held: int) -> bool:
    """Whether a file of `held` bytes unpacks to far more than that."""
    return unpacked > max(SMALL, RATIO * held)


def unpacked_size(path: Path) -> int:
    """What the entries of a .zip file say they unpack to, bytes.

    Raises:
        OSError, zipfile.BadZipFile: it cannot be read or is none.
    """
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file.

    Raises:
        DAMAGE: it is none, is damaged, or claims more than it holds.
    """
    unpacked = unpacked_size(path)
    if is_too_large(unpacked, path.stat().st_size):
        raise ValueError(f"it would unpack to {unpacked} bytes; expected at most {RATIO} times its size")
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                check_header(file, entry.file_size)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def check_header(file: io.BufferedIOBase | IO[bytes], size: int) -> None:
    """Refuse an .npy of `size` bytes whose header claims an array of another size.

    Raises:
        ValueError: it does, or has no header.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    held = size - file.tell()
    if math.prod(shape) * dtype.itemsize != held and not dtype.hasobject:
        raise ValueError(f"{held} bytes for shape {shape} of {dtype}")
