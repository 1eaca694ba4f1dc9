"""Writing files whole or not at all, and the sum that tells one from another."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in its place; on failure the old file stays.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    with replacing(path) as temporary, temporary.open("xb") as file:
        write(file)
        file.flush()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a writer that wants a path one beside `path`; what it left there takes its place, or the old file stays.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    # The same folder: a rename is atomic only there. The same ending: writers go by it.
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
    """Let `fill` make a temporary folder beside `path`, then put it in its place; on failure the old folder stays.

    An old folder is moved aside and removed once the new one stands. Between these two renames the old one has a name
    of its own for an instant: whoever is killed then finds it whole as `.NAME.old.*`.

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
    """Bring everything in a folder to the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
