"""The paths of the points as a table: CSV, or Parquet, which also holds how the record was made.

Numbers are read back exactly: CSV holds the shortest text of each float64. No number is infinite; an empty field
stands for NaN.
"""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

import numpy as np

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ExportError
from draggan_widget.export.arrays import check_unpacked_size, parse_header
from draggan_widget.export.writing import (
    as_json,
    check_ending,
    check_file,
    check_version,
    damaged,
    file_place,
    make_header,
    not_installed,
    write_file,
)

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "draggan-widget trajectories"
VERSION = 1
HEADER = b"draggan_widget"  # key of the header, JSON, in the metadata of a Parquet file
LONGEST_LINE = 1000  # characters; a row takes some 150
LARGEST_WHOLE = 2**63 - 1  # an int64
WHOLE = re.compile(r"[0-9]{1,19}")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
TYPES = {
    "step": "int64",
    "point": "int64",
    **dict.fromkeys(("x", "y", "target_x", "target_y", "distance", "tracking_error"), "float64"),
}


def save_trajectories(record: DragRecord, path: str | Path) -> Path:
    """Write `record.trajectories` to a .csv or .parquet file; an empty record gives a table without rows.

    Raises:
        ExportError: the ending is unknown, pyarrow is missing, a number is infinite, or the file cannot be written; an
            older file stays unchanged.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> save_trajectories(session.record, "drag.csv").name
        'drag.csv'
    """
    path = file_place(path)
    ending, table = check_ending(path, "trajectories", (".csv", ".parquet")), record.trajectories.astype(TYPES)
    try:
        _check_finite(table)
    except ValueError as error:
        raise ExportError(f"the paths of the record cannot be written: {error}; leave those steps out") from error
    if ending == ".csv":
        return write_file(path, lambda file: file.write(table.to_csv(index=False, lineterminator="\n").encode("ascii")))
    _check_pyarrow()
    text = as_json(make_header(SCHEMA, VERSION, record.about))
    return write_file(path, lambda file: _write_parquet(file, table, text))


def load_trajectories(path: str | Path) -> "pd.DataFrame":
    """Read a table that `save_trajectories` wrote.

    Returns:
        Columns step, point, x, y, target_x, target_y, distance, tracking_error; `record.trajectories` describes them.

    Raises:
        ExportError: the file is missing, damaged or another file, or pyarrow is missing.
    """
    path = file_place(path)
    ending = check_ending(path, "trajectories", (".csv", ".parquet"))
    if ending == ".parquet":
        _check_pyarrow()
    check_file(path)
    try:
        table = _read_csv(path) if ending == ".csv" else _read_parquet(path)
        table = table.astype(TYPES)
        _check_finite(table)
        return table
    except (OSError, ValueError, TypeError, OverflowError, MemoryError, csv.Error) as error:
        raise damaged(path, "trajectories", str(error).split("\n")[0]) from error


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    # pandas' own reader may be wrong in the last bit, and fills rows that are cut off.
    columns: dict[str, list[float]] = {name: [] for name in TYPES}
    number = 0
    with path.open(encoding="utf-8-sig", newline="") as file:  # -sig: spreadsheets write a byte order mark
        for number, row in enumerate(csv.reader(_lines(file)), start=1):
            if number == 1:
                _check_columns(row)
                continue
            if len(row) != len(TYPES):
                raise ValueError(f"line {number} has {len(row)} fields; expected {len(TYPES)}")
            for name, text in zip(TYPES, row, strict=True):
                columns[name].append(_as_number(text, name, number))
    if number == 0:
        raise ValueError("it is empty")
    return pd.DataFrame(columns)


def _lines(file: TextIO) -> Iterator[str]:
    """The lines, each checked before it is split: a header of half a million columns would take minutes."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise ValueError(f"line {number} has over {LONGEST_LINE} characters")
        if not line.endswith("\n"):
            raise ValueError("its last line has no line end")
        yield line


def _check_columns(names: list) -> None:
    if names != list(TYPES):
        raise ValueError(f"columns {', '.join(map(str, names[:20]))[:80]}; expected {', '.join(TYPES)}")


def _as_number(text: str, name: str, line: int) -> float:
    """The number in a field as `save_trajectories` or a spreadsheet writes it; `1_0`, `0x10` and `inf` are refused."""
    whole = TYPES[name] == "int64"
    if not text and not whole:
        return math.nan
    number = (int if whole else float)(text) if (WHOLE if whole else DECIMAL).fullmatch(text) else math.inf
    if not math.isfinite(number) or (whole and number > LARGEST_WHOLE):
        raise ValueError(f"line {line} has {name} {text[:40]!a}; expected a {'whole' if whole else 'finite'} number")
    return number


def _check_finite(table: "pd.DataFrame") -> None:
    for name in TYPES:
        if np.isinf(table[name]).any():
            raise ValueError(f"column {name} holds infinity; expected finite numbers")


def _check_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise not_installed("a .parquet file", "pyarrow") from error


def _write_parquet(file: BinaryIO, table: "pd.DataFrame", text: str) -> None:
    import pyarrow
    import pyarrow.parquet

    content = pyarrow.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), HEADER: text.encode("ascii")})
    pyarrow.parquet.write_table(content, file, write_page_checksum=True)


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pyarrow.parquet

    with path.open("rb") as file:
        whole = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
        _check_columns(whole.schema_arrow.names)
        check_unpacked_size(path, whole.metadata.num_rows * 8 * len(TYPES))  # each number takes 8 bytes
        content = whole.read()
    text = (content.schema.metadata or {}).get(HEADER)
    if text is not None:
        check_version(path, parse_header(path, text.decode("ascii", "replace"), SCHEMA).get("version"), VERSION)
    return content.to_pandas()
