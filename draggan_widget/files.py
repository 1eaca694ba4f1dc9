"""Turns a person's path into a place, writes files whole or not at all, and says what helps against an OSError."""

import contextlib
import errno
import hashlib
import os
import reprlib
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)
STEM = 32  # characters of a file's name that the name of its temporary file repeats: a longer name would be too long


def as_path(given: object, what: str, error: type[Exception]) -> Path:
    """The place that a person's path names: `~` and `~user` become the home folder.

    A path that this function returned stays the same when it is given again.

    Args:
        given: the path, as text or `Path`.
        what: name of the argument or option, for the error.
        error: class of the error.

    Raises:
        error: the value is no path, is empty, holds a character that no path holds, or names an unknown user.

    Example:
        >>> as_path("~/drag.npz", "path", ValueError) == Path.home() / "drag.npz"
        True
    """
    text = os.fspath(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str):
        raise error(f"{what} is {reprlib.repr(given)}; expected a path, as text or pathlib.Path; give such a path")
    if not text:
        raise error(f"{what} is {text!r}; expected the path of a file or a folder; give its name")
    if "\0" in text or not _is_encodable(text):
        raise error(f"{what} is {text!a}, which holds a character that no path can hold; expected a path without it")
    expanded = os.path.expanduser(text)
    if not expanded.startswith("~"):
        # Of "./~x" a Path keeps only "~x", which would be expanded when it is given again.
        path = Path(expanded)
        return Path.cwd() / path if str(path).startswith("~") else path
    home = Path(text).parts[0]
    raise error(
        f"{what} is {text!r}, but this machine knows no home folder {home!r}; expected ~ or ~USER of a user that it "
        f"knows; give the whole path, or the text {'./' + text!r} for a file of that name"
    )


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def write_remedy(error: OSError, path: Path, elsewhere: str = "choose another folder") -> str:
    """What helps against an error of writing.

    Args:
        error: the error.
        path: the file or folder to be written.
        elsewhere: how the person chooses another folder.
    """
    remedy = _path_remedy(error, path, elsewhere)
    if remedy is not None:
        return remedy
    if error.errno in DISK_FULL:
        return f"{elsewhere} or free some space"
    if error.errno == errno.EFBIG:
        return f"{elsewhere}, one on a disk that takes larger files"
    if error.errno in FORBIDDEN:
        return f"{elsewhere}, one in which you may write"
    if error.errno == errno.ENOENT:
        return elsewhere
    return f"{elsewhere}, one on another disk"


def read_remedy(error: OSError, path: Path) -> str:
    """What helps against an error of reading the file or folder at `path`."""
    remedy = _path_remedy(error, path, "check the path")
    if remedy is not None:
        return remedy
    if error.errno in FORBIDDEN:
        return "take a file that you may read"
    return "check the path" if error.errno == errno.ENOENT else "take another copy"


def _path_remedy(error: OSError, path: Path, other: str) -> str | None:
    """The remedy of an error that lies in the path or in this process, whether the path is read or written."""
    place = os.path.realpath(path)
    if error.errno in TOO_MANY_OPEN:
        return "close files or other programs, or raise the limit of open files (ulimit -n)"
    if error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    if error.errno == errno.EISDIR:
        return "give the name of a file, not of a folder"
    if error.errno == errno.EINVAL:
        return "give the name of an ordinary file"
    if error.errno == errno.ELOOP:
        return "the symbolic links lead in a circle; remove one of them or give another path"
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
        parents = [str(folder) for folder in Path(place).parents]
        for folder in parents if error.errno == errno.ENOENT else (place, *parents):
            if os.path.exists(folder) and not os.path.isdir(folder):
                return f"{folder!r} is a file, not a folder; {other}"
    if error.errno == errno.ENOENT and os.path.islink(path):
        return f"the link leads to {place!r}, which does not exist; check the link"
    return None


def check_readable(path: Path) -> None:
    """Open a file once, so that a later error of its reader means that its contents are wrong.

    Raises:
        OSError: the file is missing, is a folder, a pipe or a device, or cannot be opened.
    """
    _check_ordinary(path, path.stat().st_mode)  # first: opening a pipe could wait for ever
    with path.open("rb"):
        pass


def _check_ordinary(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not an ordinary file", str(path))


def make_folder(path: Path) -> None:
    """Make a folder and its parents where they are missing; a symbolic link to a missing folder makes that folder.

    Raises:
        OSError: the folder cannot be made.
    """
    _follow_links(path).mkdir(parents=True, exist_ok=True)


def _follow_links(path: Path) -> Path:
    """The place to which symbolic links lead; nothing need be there.

    Raises:
        OSError: the links lead in a circle, or no file can have that path.
    """
    with contextlib.suppress(FileNotFoundError):
        path.stat()
    return Path(os.path.realpath(path))


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

    A symbolic link stays, and the file to which it leads is written. The new file keeps the permissions of the old one.

    Raises:
        OSError: the folder cannot be written, the path names a folder or a device, or the disk is full.
    """
    path = _follow_links(path)
    with contextlib.suppress(FileNotFoundError):
        _check_ordinary(path, path.stat().st_mode)
    # In the same folder, because a rename is atomic only there; with the same ending, because writers go by it.
    temporary = path.with_name(f".{path.stem[:STEM]}.{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        _copy_permissions(path, temporary)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _copy_permissions(old: Path, new: Path) -> None:
    # Not every file system has permissions; a file that does not exist yet gets those that the umask leaves.
    with contextlib.suppress(OSError):
        shutil.copymode(old, new)


def write_folder_atomically(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` fill a temporary folder, then move it to `path`; where that fails, the old folder stays.

    The old folder is renamed before the new one takes its place, and removed after that. A process that is killed
    between the two renames leaves it whole as `.NAME.old.*`. A symbolic link stays, and the folder to which it leads is
    written. The new folder keeps the permissions of the old one.

    Args:
        path: the folder to write; its parent is made where it is missing.
        fill: writes the contents into the empty folder that it gets.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    path, mark = _follow_links(path), secrets.token_hex(8)
    name = path.name[:STEM]
    temporary, old = path.with_name(f".{name}.{mark}"), path.with_name(f".{name}.old.{mark}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        fill(temporary)
        _flush(temporary)
        _copy_permissions(path, temporary)
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
