"""Measurements of the machine: CPU and wall time of some work, peak memory, speed of a plain convolution."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F

T = TypeVar("T")
MAP, WEIGHT = (1, 256, 64, 64), (256, 256, 3, 3)  # shapes of the plain convolution, like those of a step
FLOPS = 2 * 64 * 64 * 256 * 256 * 9


@dataclass(frozen=True)
class Timed(Generic[T]):
    """The result of some work, and its time.

    Attributes:
        ms: processor time, or the GPU's time by events.
        wall_ms: wall-clock time.
        result: return value of the work.
    """

    ms: float
    wall_ms: float
    result: T


def timed(work: Callable[[], T], device: torch.device) -> Timed[T]:
    """Call `work` once and time it."""
    if device.type == "cuda":
        return _timed_by_events(work)
    wall, own = time.perf_counter(), time.process_time()
    result = work()
    return Timed(1000 * (time.process_time() - own), 1000 * (time.perf_counter() - wall), result)


def _timed_by_events(work: Callable[[], T]) -> Timed[T]:
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    wall = time.perf_counter()
    first.record()
    result = work()
    last.record()
    torch.cuda.synchronize()
    return Timed(first.elapsed_time(last), 1000 * (time.perf_counter() - wall), result)


class PlainConvolution:
    """A plain 3 x 3 convolution of 256 channels of 64 x 64 px."""

    def __init__(self, device: torch.device):
        self._device = device
        self._map, self._weight = torch.randn(MAP, device=device), torch.randn(WEIGHT, device=device)

    def gflops(self) -> float:
        """Its speed now, 1e9 multiplications and additions per second."""
        took = timed(lambda: F.conv2d(self._map, self._weight, padding=1), self._device)
        return FLOPS / took.ms / 1e6


def peak_mb(device: torch.device) -> int:
    """Peak MB of this process, on Linux (`ru_maxrss` would include the memory of its parent), or of the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() // 2**20
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def markdown(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of rows; `columns` maps each heading to a format string."""
    lines = [list(columns), ["---"] * len(columns)]
    lines += [[shown.format(**row) for shown in columns.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def save_rows(path: Path | None, rows: Sequence[dict[str, Any]], table: str) -> None:
    """Save the rows as JSON and, beside them, the table; nothing if `path` is None."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows, indent=1))
        path.with_suffix(".md").write_text(table)


def in_fresh_process(work: Callable[..., T], *given: Any) -> T:
    """Call a function of a module in a process of its own, and return its result."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *given).result()
