"""Probes of the cache of checkpoints and of the worker threads of this process."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from draggan_widget.counts import counted
from draggan_widget.diagnosis.report import Fact, guarded, in_bytes

DISK_BYTES = 2e9  # the largest named checkpoints have some hundred MB, and need three times their size
MOST_FILES, MOST_SECONDS = 10_000, 0.3  # counting the files of the cache ends there
MANY_WORKERS = 8  # a session and a widget each have one; more of them are often forgotten ones


def probe_cache() -> Iterator[Fact]:
    """Where the cache lies, how much is in it, and how much space its disk has left."""
    from draggan_widget.checkpoints.hub.cache import cache_dir

    folder = cache_dir()
    chosen = "DRAGGAN_CACHE" if os.environ.get("DRAGGAN_CACHE") else "the system's cache folder"
    near = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    state, advice = "writable", ""
    if not near.is_dir():
        state, advice = f"{near} is a file, not a folder", "set DRAGGAN_CACHE to another folder"
    elif not os.access(near, os.W_OK | os.X_OK):
        state, advice = "not writable", "set DRAGGAN_CACHE to a folder in which you may write"
    elif near != folder:
        state = "made by the first download"
    yield Fact("cache", f"{folder} ({chosen}), {state}", advice)
    yield from guarded("cache contents", partial(_cache_contents, folder))
    yield from guarded("cache disk", partial(_cache_disk, near))


def _cache_contents(folder: Path) -> Iterator[Fact]:
    files, size, end, more = 0, 0, time.monotonic() + MOST_SECONDS, ""
    for root, _, names in os.walk(folder):
        for name in names:
            files += 1
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(root, name)).st_size
        if files >= MOST_FILES or time.monotonic() > end:
            more = "at least "
            break
    yield Fact("cache contents", f"{more}{counted(files, 'file')}, {more}{in_bytes(size)}")


def _cache_disk(near: Path) -> Iterator[Fact]:
    free = shutil.disk_usage(near).free
    advice = ""
    if free < DISK_BYTES:
        advice = (
            "free some space (checkpoints in the cache can be deleted; they are downloaded again), or set "
            "DRAGGAN_CACHE to a folder on another disk"
        )
    yield Fact("cache disk", f"{in_bytes(free)} free", advice)


def probe_workers() -> Iterator[Fact]:
    """How many threads of sessions, replays and inspectors this process has."""
    running = sum(thread.name.startswith("draggan") for thread in threading.enumerate())
    advice = "draggan_widget.close_all() ends those of widgets, replays and inspectors"
    value = f"{counted(running, 'thread')} of sessions and widgets in this process"
    yield Fact("workers", value, advice if running > MANY_WORKERS else "")
