"""Writes files and folders whole or not at all, and hashes files."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file, then move it to `path`; where that fails, the old file stays.

    Args:
        path: the file to write; its folder is made where it is missing.
        write: writes the contents to the file that it gets.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    with replacing(path) as temporary, temporary.open("xb") as file:
        write(file)
        file.flush()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a writer that needs one; its file then moves to `path`, or the old file stays.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    # In the same folder, because a rename is atomic only there; with the same ending, because writers go by it.
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_folder_atomically(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` fill a temporary folder, then move it to `path`; where that fails, the old folder stays.

    The old folder is renamed before the new one takes its place, and removed after that. A process that is killed
    between the two renames leaves it whole as `.NAME.old.*`.

    Args:
        path: the folder to write; its parent is made where it is missing.
        fill: writes the contents into the empty folder that it gets.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    mark = secrets.token_hex(8)
    temporary, old = path.with_name(f".{path.name}.{mark}"), path.with_name(f".{path.name}.old.{mark}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        fill(temporary)
        _flush(temporary)
        if path.exists():
            os.rename(path, old)
        try:
            os.rename(temporary, path)
        except OSError:
            if old.exists():
                os.rename(old, path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Flush every file of a folder to the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
