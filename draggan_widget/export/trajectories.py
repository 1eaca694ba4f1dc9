"""The paths of the points as a table: CSV, or Parquet, which also holds how the record was made.

Numbers are read back exactly: CSV holds the shortest text of each float64.
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from draggan_widget.engine.record import DragRecord
from draggan_widget.export.arrays import parse_header
from draggan_widget.export.writing import (
    as_json,
    check_ending,
    check_version,
    damaged,
    make_header,
    missing,
    not_installed,
    write_file,
)

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "draggan-widget trajectories"
VERSION = 1
HEADER = b"draggan_widget"  # key of the header, JSON, in the metadata of a Parquet file
TYPES = {
    "step": "int64",
    "point": "int64",
    **dict.fromkeys(("x", "y", "target_x", "target_y", "distance", "tracking_error"), "float64"),
}


def save_trajectories(record: DragRecord, path: str | Path) -> Path:
    """Write `record.trajectories` to a .csv or .parquet file; an empty record gives a table without rows.

    Raises:
        ExportError: the ending is unknown, pyarrow is missing, or the file cannot be written; an older file stays
            unchanged.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> save_trajectories(session.record, "drag.csv").name
        'drag.csv'
    """
    path = Path(path)
    ending, table = check_ending(path, "trajectories", (".csv", ".parquet")), record.trajectories.astype(TYPES)
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
    path = Path(path)
    ending = check_ending(path, "trajectories", (".csv", ".parquet"))
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

    # pandas' own reader may be wrong in the last bit, and fills rows that are cut off.
    with path.open(encoding="utf-8-sig", newline="") as file:  # -sig: spreadsheets write a byte order mark
        text = file.read()
    if not text.endswith("\n"):
        raise ValueError("its last line has no line end")
    head, *rows = csv.reader(io.StringIO(text, newline=""))
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

    content = pyarrow.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), HEADER: text.encode("ascii")})
    pyarrow.parquet.write_table(content, file, write_page_checksum=True)


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pyarrow.parquet

    with path.open("rb") as file:
        content = pyarrow.parquet.read_table(file, page_checksum_verification=True)
    text = (content.schema.metadata or {}).get(HEADER)
    if text is not None:
        check_version(path, parse_header(path, text.decode("ascii", "replace"), SCHEMA).get("version"), VERSION)
    return content.to_pandas()
