"""Reads arrays of .npz files; a file that claims more than it can hold is refused, and nothing is unpickled."""

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

SMALL = 64 << 20  # bytes that any file may unpack to; beyond that, at most RATIO times its size
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
)  # errors that reading a damaged file raises


def is_too_large(unpacked: int, size: int) -> bool:
    """Whether a file of `size` bytes unpacks to far more than that."""
    return unpacked > max(SMALL, RATIO * size)


def unpacked_size(path: Path) -> int:
    """Size in bytes that the entries of a .zip file state to unpack to.

    Raises:
        OSError, zipfile.BadZipFile: the file cannot be read, or is not a .zip file.
    """
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file by name.

    Raises:
        DAMAGE: the file is not an .npz file, is damaged, or claims more than it holds.
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
    """Read the header of an .npy file of `size` bytes, and refuse an array of another size.

    Raises:
        ValueError: the header states another size, or there is no header.
    """
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    held = size - file.tell()
    if math.prod(shape) * dtype.itemsize != held and not dtype.hasobject:
        raise ValueError(f"{held} bytes for shape {shape} of {dtype}")
