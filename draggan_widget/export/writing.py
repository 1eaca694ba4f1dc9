"""What every export does alike: its ending, its write, its words when that fails."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from draggan_widget.errors import ExportError
from draggan_widget.files import write_atomically


def ending_of(path: Path, what: str, known: Iterable[str]) -> str:
    """The path's ending in lower case, once it is one of `known`."""
    ending = path.suffix.lower()
    if ending not in known:
        raise ExportError(f"{what} go to a file that ends in {' or '.join(known)}; {str(path)!r} does not; rename it")
    return ending


def put(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file whole or not at all.

    Raises:
        ExportError: it cannot be written; an older file stays as it was.
    """
    try:
        write_atomically(path, write)
    except OSError as error:
        raise not_written(path, error) from error
    return path


def not_written(path: Path, error: OSError) -> ExportError:
    """Words for a write that failed."""
    return ExportError(f"{path} cannot be written ({error}); choose another folder or free some space")


def damaged(path: Path, what: str, error: Exception | str) -> ExportError:
    """Words for a file that is not what it should be."""
    reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return ExportError(f"{path} is damaged or holds no {what} ({reason}); take another copy")


def missing(path: Path) -> ExportError:
    """Words for a file that is not there."""
    return ExportError(f"{path} does not exist; expected a file to read; check the path")


def not_installed(what: str, package: str) -> ExportError:
    """Words for a library that comes with the extra "export" only."""
    return ExportError(f"{what} takes {package}, which is not installed; pip install 'draggan-widget[export]'")


def header(schema: str, version: int, about: Mapping[str, object]) -> dict[str, Any]:
    """What our files say of themselves."""
    return {"schema": schema, "version": version, "about": dict(about)}


def check_version(path: Path, version: object, newest: int) -> None:
    """Refuse a file of a version that this package does not know."""
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ExportError(f"{path} has schema version {version!r}; expected a whole number from 1 to {newest}")
    if version > newest:
        raise ExportError(
            f"{path} has schema version {version}; this version of draggan-widget reads up to {newest}; update it"
        )


def as_json(value: object) -> str:
    """JSON in ASCII without NaN, as other readers want it."""
    return json.dumps(value, allow_nan=False)
