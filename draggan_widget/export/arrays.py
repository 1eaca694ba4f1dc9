"""Arrays in .npz and .npy files: written a piece at a time, and read only if their size is plausible for the file."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from draggan_widget import arrays
from draggan_widget.errors import ExportError
from draggan_widget.export.writing import damaged


def write_npz(file: BinaryIO, named: Mapping[str, Any]) -> None:
    """Write arrays as `numpy.savez` does, without pickle."""
    np.savez(file, allow_pickle=False, **{name: np.asarray(values) for name, values in named.items()})


def write_npz_in_pieces(
    file: BinaryIO, named: Mapping[str, Any], name: str, shape: tuple[int, ...], pieces: Iterable[np.ndarray]
) -> None:
    """Write arrays and one more float32 array of which each piece is one entry along the first axis."""
    with zipfile.ZipFile(file, "w") as archive:
        for other, values in named.items():
            with archive.open(f"{other}.npy", "w") as entry:
                np.lib.format.write_array(entry, np.asarray(values), allow_pickle=False)
        with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(entry, header)  # pyright: ignore[reportArgumentType]
            for piece in pieces:
                entry.write(np.ascontiguousarray(piece, "<f4").data)


def read_npz(path: Path, what: str) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file.

    Raises:
        ExportError: the file is not an .npz, is damaged, or would unpack to far more than its size.
    """
    try:
        check_unpacked_size(path, arrays.unpacked_size(path))
        return arrays.read_npz(path)
    except arrays.DAMAGE as error:
        raise damaged(path, what, error) from error


def read_npy(path: Path, what: str) -> np.ndarray:
    """Read the array of an .npy file.

    Raises:
        ExportError: the file is not an .npy, or is damaged.
    """
    try:
        with path.open("rb") as file:
            arrays.check_header(file, path.stat().st_size)
        return np.load(path, allow_pickle=False)
    except arrays.DAMAGE as error:
        raise damaged(path, what, error) from error


def check_unpacked_size(path: Path, unpacked: int, held: int | None = None) -> None:
    """Refuse a file that would unpack to far more than it holds.

    Args:
        path: the file.
        unpacked: size after unpacking, bytes.
        held: size before unpacking, bytes; None: the file's size.

    Raises:
        ExportError: `unpacked` is too large.
    """
    if arrays.is_too_large(unpacked, path.stat().st_size if held is None else held):
        raise ExportError(f"{path} would unpack to {unpacked} bytes; expected at most {arrays.RATIO} times its size")


def parse_header(path: Path, text: object, schema: str) -> dict[str, Any]:
    """Read the header that `make_header` made.

    Raises:
        ExportError: the text is not such a header.
    """
    try:
        header = json.loads(str(text))
        if not isinstance(header, dict) or header.get("schema") != schema or not isinstance(header.get("about"), dict):
            raise ValueError("another schema")
        return header
    except (ValueError, RecursionError) as error:
        raise damaged(path, schema.removeprefix("draggan-widget "), error) from error
