"""What all exports share: the path, the check of its ending, the write, the header, and the errors."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from draggan_widget.errors import ExportError
from draggan_widget.files import as_path, check_readable, read_remedy, write_atomically, write_remedy


def file_place(path: object) -> Path:
    """The place that a person's path names.

    Raises:
        ExportError: the value is no path.
    """
    return as_path(path, "path", ExportError)


def check_file(path: Path) -> None:
    """Open a file once, so that a later error of its reader means that its contents are wrong.

    Raises:
        ExportError: there is no file, or it cannot be read.
    """
    try:
        check_readable(path)
    except OSError as error:
        raise not_read(path, error) from error


def check_ending(path: Path, what: str, known: Iterable[str]) -> str:
    """Return the path's ending in lower case.

    Raises:
        ExportError: the ending is not one of `known`.
    """
    ending = path.suffix.lower()
    if ending not in known:
        raise ExportError(f"{what} go to a file that ends in {' or '.join(known)}; {str(path)!r} does not; rename it")
    return ending


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file whole or not at all.

    Raises:
        ExportError: the file cannot be written; an older file stays unchanged.
    """
    try:
        write_atomically(path, write)
    except OSError as error:
        raise not_written(path, error) from error
    return path


def not_written(path: Path, error: OSError) -> ExportError:
    """The error for a file that cannot be written."""
    return ExportError(f"{path} cannot be written ({error}); {write_remedy(error, path)}")


def not_read(path: Path, error: OSError) -> ExportError:
    """The error for a file or a folder that cannot be read."""
    found = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
    return ExportError(f"{path} {found}; expected a file to read; {read_remedy(error, path)}")


def damaged(path: Path, what: str, error: Exception | str) -> ExportError:
    """The error for a file whose content is not what it should be."""
    reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return ExportError(f"{path} is damaged or holds no {what} ({reason}); take another copy")


def not_installed(what: str, package: str) -> ExportError:
    """The error for a missing library that only the extra "export" installs."""
    return ExportError(f"{what} needs {package}, which is not installed; pip install 'draggan-widget[export]'")


def make_header(schema: str, version: int, about: Mapping[str, object]) -> dict[str, Any]:
    """The header of a file: its schema, its version, and how the record was made."""
    return {"schema": schema, "version": version, "about": dict(about)}


def check_version(path: Path, version: object, newest: int) -> None:
    """Check that this package can read a file's version.

    Raises:
        ExportError: the version is newer, or not a version.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ExportError(f"{path} has schema version {version!r}; expected a whole number from 1 to {newest}")
    if version > newest:
        raise ExportError(
            f"{path} has schema version {version}; this version of draggan-widget reads up to {newest}; update it"
        )


def as_json(value: object) -> str:
    """JSON in ASCII and without NaN, which other readers may refuse."""
    return json.dumps(value, allow_nan=False)
