"""The feature maps of a block as an .npz file, or as a .zarr folder that is read one step at a time.

Both are written one step at a time, so that memory holds one map, not all maps of the drag.
"""

import math
import os
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
from draggan_widget.export.arrays import check_unpacked_size, parse_header, read_npz, write_npz_in_pieces
from draggan_widget.export.writing import (
    as_json,
    check_ending,
    check_file,
    check_version,
    damaged,
    file_place,
    make_header,
    not_installed,
    not_read,
    not_written,
    write_file,
)
from draggan_widget.files import write_folder_atomically
from draggan_widget.inspection.records import require_steps

if TYPE_CHECKING:
    import zarr

SCHEMA = "draggan-widget features"
VERSION = 1
NAME, HEADER = "features", "draggan_widget"
STORE_FILES = ("zarr.json", ".zarray", ".zgroup")  # a zarr store holds at least one of these

Map = Float[np.ndarray, "channels height width"]


@dataclass(frozen=True, eq=False)
class SavedFeatures:
    """The feature maps of a file.

    Attributes:
        block: block of the maps, counted from 0, the smallest.
        steps: position in the record of each map's step.
        image_size: (height, width) of the pictures, px; None if the record was read without its generator.
        about: how the record was made: generator, sha256 of its weights, seed, settings, versions.
        values: (steps, channels, height, width) float32: NumPy array, or zarr array that reads only what is indexed.
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
    """Write the feature maps of a block; maps that the record did not keep are computed from its latents.

    Args:
        record: record of a drag; one read from a file needs its generator.
        block: block of the maps, counted from 0, the smallest.
        path: .npz file or .zarr folder.
        steps: positions in the record, for example `range(0, 300, 10)`; None: every step.

    Raises:
        ExportError: the ending is unknown, there is no such step, the folder exists and is not a zarr store, zarr is
            not installed, or the files cannot be written; older ones stay unchanged.
        ConfigError: the generator has no such block.
        RecordError: the record is empty, or has neither maps nor a generator.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> path = save_features(session.record, 3, "features.npz", steps=[0, 2])
        >>> load_features(path)[1].shape
        (64, 64, 64)
    """
    path = file_place(path)
    ending, positions = check_ending(path, "features", (".npz", ".zarr")), _check_positions(record, steps)
    maps = record.features(block)
    generator, first = record.steps[positions[0]].generator, maps[positions[0]]
    size = None if generator is None else list(generator.image_size)
    about = make_header(SCHEMA, VERSION, record.about) | {"block": block, "steps": positions, "image_size": size}
    pieces = _iterate_maps(maps.__getitem__, positions, first)
    if ending == ".npz":
        shape = (len(positions), *first.shape)
        return write_file(path, lambda file: write_npz_in_pieces(file, {HEADER: as_json(about)}, NAME, shape, pieces))
    return _write_zarr(path, about, first, pieces)


def _check_positions(record: DragRecord, steps: Iterable[int] | None) -> list[int]:
    record = require_steps(record)
    positions = list(range(len(record))) if steps is None else [python_scalar(step) for step in steps]
    for position in positions:
        if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < len(record):
            raise ExportError(f"steps has {position!r}; expected positions from 0 to {len(record) - 1}")
    if not positions:
        raise ExportError("steps is empty; expected at least one position in the record")
    return positions


def _iterate_maps(get: Callable[[int], Map], positions: list[int], first: Map) -> Iterator[Map]:
    yield first
    for position in positions[1:]:
        yield get(position)


def _write_zarr(path: Path, about: dict[str, Any], first: Map, pieces: Iterator[Map]) -> Path:
    zarr = _import_zarr()
    if os.path.exists(path) and not (path.is_dir() and any((path / name).exists() for name in STORE_FILES)):
        raise ExportError(
            f"{path} exists and is not a zarr store; expected one to replace, or a new name; choose another"
        )
    shape = (len(about["steps"]), *first.shape)
    # zarr 3 leaves out chunks of zeros, which look the same as lost chunks; zarr 2 writes all chunks by default.
    options = {} if zarr.__version__.startswith("2.") else {"config": {"write_empty_chunks": True}}

    def fill(folder: Path) -> None:
        array = zarr.open_array(
            str(folder), mode="w", shape=shape, chunks=(1, *first.shape), dtype="float32", **options
        )
        array.attrs.update({HEADER: about})
        for position, values in enumerate(pieces):
            array[position] = values

    try:
        write_folder_atomically(path, fill)
    except OSError as error:
        raise not_written(path, error) from error
    return path


def _import_zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise not_installed("a .zarr folder", "zarr") from error
    return zarr


def load_features(path: str | Path) -> SavedFeatures:
    """Read feature maps that `save_features` wrote; maps of a .zarr folder are read when they are indexed.

    Raises:
        ExportError: the file is missing, damaged, another file, of a newer version, or zarr is not installed.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> from draggan_widget.export import save_features
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> features = load_features(save_features(session.record, 3, "features.npz"))
        >>> len(features)
        3
    """
    path = file_place(path)
    if check_ending(path, "features", (".npz", ".zarr")) == ".npz":
        check_file(path)
        arrays = read_npz(path, "features")
        if HEADER not in arrays or NAME not in arrays:
            raise damaged(path, "features", f"it lacks {HEADER} or {NAME}")
        about, values = parse_header(path, arrays[HEADER], SCHEMA), arrays[NAME]
    else:
        values = _open_zarr(path)
        about = parse_header(path, as_json(values.attrs.get(HEADER)), SCHEMA)
    check_version(path, about.get("version"), VERSION)
    saved = _make_saved_features(path, about, values)
    if not isinstance(values, np.ndarray):
        _check_chunks(path, values)
    return saved


def _check_chunks(path: Path, values: "zarr.Array") -> None:
    """Refuse a store that lacks maps, which zarr would read as zeros, or whose maps are far larger than its files."""
    if values.chunks != (1, *values.shape[1:]):
        raise damaged(path, "features", f"chunks of shape {values.chunks}; expected one chunk for each map")
    check_unpacked_size(path, math.prod(values.chunks) * values.dtype.itemsize, _folder_size(path))
    count = values.nchunks_initialized
    if count != values.shape[0]:
        raise damaged(path, "features", f"{count} of {values.shape[0]} maps are there")


def _folder_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _open_zarr(path: Path) -> "zarr.Array":
    zarr = _import_zarr()
    try:
        os.scandir(path).close()
    except OSError as error:
        raise not_read(path, error) from error
    try:
        return zarr.open_array(str(path), mode="r")
    except Exception as error:
        raise damaged(path, "features", error) from error


def _make_saved_features(path: Path, about: dict[str, Any], values: Any) -> SavedFeatures:
    try:
        block, size = json_values.as_count(about.get("block"), "block"), about.get("image_size")
        steps = tuple(json_values.as_count(step, "steps") for step in json_values.as_list(about.get("steps"), "steps"))
        if size is not None:
            height, width = json_values.as_list(size, "image_size", 2)
            size = (
                json_values.as_count(height, "image_size"),
                json_values.as_count(width, "image_size"),
            )
        if values.ndim != 4 or values.shape[0] != len(steps) or values.dtype != np.float32 or 0 in values.shape:
            raise ValueError(f"{values.dtype} of shape {values.shape} for {len(steps)} steps")
    except ValueError as error:
        raise damaged(path, "features", str(error)) from error
    return SavedFeatures(block, steps, size, about["about"], values)
