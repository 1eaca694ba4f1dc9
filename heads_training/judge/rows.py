"""Rows of a CSV file, appended one by one, so that an interrupted run can resume."""

import csv
import dataclasses
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")


def read(path: Path, kind: type[Row]) -> list[Row]:
    """Read the rows of a file; none if it is missing. An incomplete last line is left out."""
    if not path.exists():
        return []
    fields: Any = dataclasses.fields(kind)  # pyright: ignore[reportArgumentType]
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(whole.splitlines())
    return [kind(**{field.name: field.type(row[field.name]) for field in fields}) for row in rows]


def append(path: Path, row: Any) -> None:
    """Add a row at the end of the file, in place of an incomplete last line."""
    names = [field.name for field in dataclasses.fields(row)]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else ""
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        path.write_text(text)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        if not text:
            writer.writeheader()
        writer.writerow(dataclasses.asdict(row))
