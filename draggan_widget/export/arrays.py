"""Arrays in .npz files: written a piece at a time, read within the bounds of what the file can hold."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from draggan_widget import arrays
from draggan_widget.errors import ExportError
from draggan_widget.export.writing import damaged, missing


def write_npz(file: BinaryIO, named: Mapping[str, Any]) -> None:
    """Plain arrays as `numpy.savez` has them, nothing pickled."""
    np.savez(file, allow_pickle=False, **{name: np.asarray(values) for name, values in named.items()})


def write_npz_by_pieces(
    file: BinaryIO, named: Mapping[str, Any], name: str, shape: tuple[int, ...], pieces: Iterable[np.ndarray]
) -> None:
    """The same with one more array, of float32, that comes an entry of its first axis at a time."""
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
    """The arrays of an .npz file.

    Raises:
        ExportError: it is none, is damaged, or unpacks to far more than it holds.
    """
    try:
        check_bound(path, arrays.unpacked_size(path))
        return arrays.read_npz(path)
    except FileNotFoundError as error:
        raise missing(path) from error
    except arrays.DAMAGE as error:
        raise damaged(path, what, error) from error


def read_npy(path: Path, what: str) -> np.ndarray:
    """The array of an .npy file.

    Raises:
        ExportError: it is none or damaged.
    """
    try:
        with path.open("rb") as file:
            arrays.check_header(file, path.stat().st_size)
        return np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise missing(path) from error
    except arrays.DAMAGE as error:
        raise damaged(path, what, error) from error


def check_bound(path: Path, unpacked: int, held: int | None = None) -> None:
    """Refuse a file that unpacks to far more than it holds: `held` bytes; None: its size."""
    if arrays.is_too_large(unpacked, path.stat().st_size if held is None else held):
        raise ExportError(f"{path} would unpack to {unpacked} bytes; expected at most {arrays.RATIO} times its size")


def own_header(path: Path, text: object, schema: str) -> dict[str, Any]:
    """What a file of ours says of itself.

    Raises:
        ExportError: it says nothing that could be read.
    """
    try:
        told = json.loads(str(text))
        if not isinstance(told, dict) or told.get("schema") != schema or not isinstance(told.get("about"), dict):
            raise ValueError("another schema")
        return told
    except (ValueError, RecursionError) as error:
        raise damaged(path, schema.removeprefix("draggan-widget "), error) from error
