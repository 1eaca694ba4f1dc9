"""The paths of the points as a table: CSV, which everything reads, or Parquet, which also holds how they were made.

Numbers come back exactly: CSV holds the shortest text that means the same float64.
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from draggan_widget.engine.record import DragRecord
from draggan_widget.export.arrays import own_header
from draggan_widget.export.writing import (
    as_json,
    check_version,
    damaged,
    ending_of,
    header,
    missing,
    not_installed,
    put,
)

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "draggan-widget trajectories"
VERSION = 1
HEADER = b"draggan_widget"  # among a Parquet file's metadata: JSON
TYPES = {
    "step": "int64",
    "point": "int64",
    **dict.fromkeys(("x", "y", "target_x", "target_y", "distance", "tracking_error"), "float64"),
}


def save_trajectories(record: DragRecord, path: str | Path) -> Path:
    """Write `record.trajectories` to a file; the ending, .csv or .parquet, says how.

    Raises:
        ExportError: another ending, Parquet without pyarrow, or the file cannot be written; an older one stays.
        RecordError: the record is empty.
    """
    path = Path(path)
    ending, table = ending_of(path, "trajectories", (".csv", ".parquet")), record.trajectories.astype(TYPES)
    if ending == ".csv":
        return put(path, lambda file: file.write(table.to_csv(index=False, lineterminator="\n").encode("ascii")))
    _check_pyarrow()
    text = as_json(header(SCHEMA, VERSION, record.about))
    return put(path, lambda file: _write_parquet(file, table, text))


def load_trajectories(path: str | Path) -> "pd.DataFrame":
    """Read the table: step, point, x, y, target_x, target_y, distance, tracking_error.

    Raises:
        ExportError: the file is missing, damaged or foreign, or Parquet without pyarrow.
    """
    path = Path(path)
    ending = ending_of(path, "trajectories", (".csv", ".parquet"))
    if ending == ".parquet":
        _check_pyarrow()
    try:
        table = _read_csv(path) if ending == ".csv" else _read_parquet(path)
        if list(table.columns) != list(TYPES):
            raise ValueError(f"columns {', '.join(map(str, table.columns))[:80]}; expected {', '.join(TYPES)}")
        return table.astype(TYPES)
    except FileNotFoundError as error:
        raise missing(path) from error
    except (OSError, ValueError, TypeError, OverflowError, MemoryError, csv.Error) as error:
        raise damaged(path, "trajectories", str(error).split("\n")[0]) from error


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    # pandas' own reader may be off by the last bit, and fills rows that are cut off.
    with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write the mark that -sig takes off
        whole = file.read()
    if not whole.endswith("\n"):
        raise ValueError("its last line has no end")
    head, *rows = csv.reader(io.StringIO(whole, newline=""))
    if head != list(TYPES):
        return pd.DataFrame(columns=head)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(head):
            raise ValueError(f"line {number} has {len(row)} fields; expected {len(head)}")
    texts = dict(zip(head, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(head, ())
    numbers = {name: [int(text) for text in texts[name]] for name in ("step", "point")}
    numbers |= {name: [float(text or "nan") for text in texts[name]] for name in TYPES if name not in numbers}
    return pd.DataFrame(numbers)


def _check_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise not_installed("a .parquet file", "pyarrow") from error


def _write_parquet(file: BinaryIO, table: "pd.DataFrame", text: str) -> None:
    import pyarrow
    import pyarrow.parquet

    whole = pyarrow.Table.from_pandas(table, preserve_index=False)
    whole = whole.replace_schema_metadata({**(whole.schema.metadata or {}), HEADER: text.encode("ascii")})
    pyarrow.parquet.write_table(whole, file, write_page_checksum=True)


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pyarrow.parquet

    with path.open("rb") as file:
        whole = pyarrow.parquet.read_table(file, page_checksum_verification=True)
    text = (whole.schema.metadata or {}).get(HEADER)
    if text is not None:
        check_version(path, own_header(path, text.decode("ascii", "replace"), SCHEMA).get("version"), VERSION)
    return whole.to_pandas()
