"""The feature maps of a block as files: an .npz, or a .zarr folder read one step at a time.

Both are written one step at a time, so that memory holds one map, not the drag.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.config import python_scalar
from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ExportError
from draggan_widget.export import json_values
from draggan_widget.export.arrays import check_bound, own_header, read_npz, write_npz_by_pieces
from draggan_widget.export.writing import (
    as_json,
    check_version,
    damaged,
    ending_of,
    header,
    missing,
    not_installed,
    not_written,
    put,
)
from draggan_widget.files import write_folder_atomically

if TYPE_CHECKING:
    import zarr

SCHEMA = "draggan-widget features"
VERSION = 1
NAME, HEADER = "features", "draggan_widget"
MARKS = ("zarr.json", ".zarray", ".zgroup")  # what the folder of a zarr store holds

Map = Float[np.ndarray, "channels height width"]


@dataclass(frozen=True, eq=False)
class SavedFeatures:
    """The feature maps of a file.

    Attributes:
        block: whose, counted from 0 at 4 x 4.
        steps: positions in the record, one a map.
        image_size: (height, width) of the picture, px; None where the record had no generator at hand.
        about: of the record: generator, its weights' sha256, seed, settings, versions.
        values: (steps, channels, height, width) float32: an array, or a zarr array, which reads what is indexed.
    """

    block: int
    steps: tuple[int, ...]
    image_size: tuple[int, int] | None
    about: dict[str, Any]
    values: "np.ndarray | zarr.Array"

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> Map:
        return np.asarray(self.values[range(len(self.steps))[place]])

    def __iter__(self) -> Iterator[Map]:
        return (self[place] for place in range(len(self)))


def save_features(record: DragRecord, block: int, path: str | Path, steps: Iterable[int] | None = None) -> Path:
    """Write a block's feature maps; those that the record did not keep are computed from its latents.

    Args:
        record: of a drag; read from a file, it needs its generator.
        block: counted from 0 at 4 x 4.
        path: .npz, or .zarr, a folder.
        steps: positions in the record, as `range(0, 300, 10)`; None: every one.

    Raises:
        ExportError: another ending, no such step, a folder that is no zarr store, zarr not installed, or the files
            cannot be written; older ones stay as they were.
        ConfigError: the generator has no such block.
        RecordError: the record is empty, or has neither maps nor a generator.
    """
    path = Path(path)
    ending, positions = ending_of(path, "features", (".npz", ".zarr")), _positions(record, steps)
    maps = record.features(block)
    generator, first = record.steps[positions[0]].generator, maps[positions[0]]
    size = None if generator is None else list(generator.image_size)
    told = header(SCHEMA, VERSION, record.about) | {"block": block, "steps": positions, "image_size": size}
    pieces = _pieces(maps.__getitem__, positions, first)
    if ending == ".npz":
        shape = (len(positions), *first.shape)
        return put(path, lambda file: write_npz_by_pieces(file, {HEADER: as_json(told)}, NAME, shape, pieces))
    return _write_zarr(path, told, first, pieces)


def _positions(record: DragRecord, steps: Iterable[int] | None) -> list[int]:
    if not len(record):
        raise ExportError("the record has 0 steps; expected at least one; start a drag first")
    positions = list(range(len(record))) if steps is None else [python_scalar(step) for step in steps]
    for position in positions:
        if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < len(record):
            raise ExportError(f"steps has {position!r}; expected positions from 0 to {len(record) - 1}")
    if not positions:
        raise ExportError("steps is empty; expected at least one position in the record")
    return positions


def _pieces(get: Callable[[int], Map], positions: list[int], first: Map) -> Iterator[Map]:
    yield first
    for position in positions[1:]:
        yield get(position)


def _write_zarr(path: Path, told: dict[str, Any], first: Map, pieces: Iterator[Map]) -> Path:
    zarr = _zarr()
    if path.exists() and not (path.is_dir() and any((path / mark).exists() for mark in MARKS)):
        raise ExportError(f"{path} exists and is no zarr store; expected one to replace, or a new name; choose another")
    shape = (len(told["steps"]), *first.shape)
    # A chunk left out, as zarr 3 does with zeros, could not be told from a lost one. zarr 2 writes all by itself.
    written = {} if zarr.__version__.startswith("2.") else {"config": {"write_empty_chunks": True}}

    def fill(folder: Path) -> None:
        array = zarr.open_array(
            str(folder), mode="w", shape=shape, chunks=(1, *first.shape), dtype="float32", **written
        )
        array.attrs.update({HEADER: told})
        for place, values in enumerate(pieces):
            array[place] = values

    try:
        write_folder_atomically(path, fill)
    except OSError as error:
        raise not_written(path, error) from error
    return path


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise not_installed("a .zarr folder", "zarr") from error
    return zarr


def load_features(path: str | Path) -> SavedFeatures:
    """Read feature maps; those of a .zarr folder stay there until they are indexed.

    Raises:
        ExportError: the file is missing, damaged, foreign, of a newer version, or zarr is not installed.
    """
    path = Path(path)
    if ending_of(path, "features", (".npz", ".zarr")) == ".npz":
        arrays = read_npz(path, "features")
        if HEADER not in arrays or NAME not in arrays:
            raise damaged(path, "features", f"it lacks {HEADER} or {NAME}")
        told, values = own_header(path, arrays[HEADER], SCHEMA), arrays[NAME]
    else:
        values = _open_zarr(path)
        told = own_header(path, as_json(values.attrs.get(HEADER)), SCHEMA)
    check_version(path, told.get("version"), VERSION)
    saved = _checked(path, told, values)
    if not isinstance(values, np.ndarray):
        _check_chunks(path, values)
    return saved


def _check_chunks(path: Path, values: "zarr.Array") -> None:
    """Refuse a store that lacks maps, which zarr would read as zeros, or whose map is far larger than its files."""
    if values.chunks != (1, *values.shape[1:]):
        raise damaged(path, "features", f"chunks of shape {values.chunks}; expected one a map")
    check_bound(path, math.prod(values.chunks) * values.dtype.itemsize, _held(path))
    count = values.nchunks_initialized
    if count != values.shape[0]:
        raise damaged(path, "features", f"{count} of {values.shape[0]} maps are there")


def _held(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _open_zarr(path: Path) -> "zarr.Array":
    zarr = _zarr()
    if not path.exists():
        raise missing(path)
    try:
        return zarr.open_array(str(path), mode="r")
    except Exception as error:
        raise damaged(path, "features", error) from error


def _checked(path: Path, told: dict[str, Any], values: Any) -> SavedFeatures:
    try:
        block, size = json_values.whole(told.get("block"), "block"), told.get("image_size")
        steps = tuple(json_values.whole(step, "steps") for step in json_values.listed(told.get("steps"), "steps"))
        if size is not None:
            height, width = json_values.listed(size, "image_size", 2)
            size = json_values.whole(height, "image_size"), json_values.whole(width, "image_size")
        if values.ndim != 4 or values.shape[0] != len(steps) or values.dtype != np.float32 or 0 in values.shape:
            raise ValueError(f"{values.dtype} of shape {values.shape} for {len(steps)} steps")
    except ValueError as error:
        raise damaged(path, "features", str(error)) from error
    return SavedFeatures(block, steps, size, told["about"], values)
