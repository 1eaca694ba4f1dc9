"""Probes of the machine: system, processors, bfloat16 and free memory, within the limits of a container."""

import contextlib
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from draggan_widget.counts import counted
from draggan_widget.diagnosis.asking import ask_program
from draggan_widget.diagnosis.report import NEEDED_BYTES, Fact, guarded, in_bytes

CGROUPS = Path("/sys/fs/cgroup")
UNLIMITED = 2**60  # bytes; a cgroup of version 1 without a limit names a number near 2^63
BFLOAT16 = {"amx_bf16": "AMX", "avx512_bf16": "AVX512_BF16", "bf16": "BF16"}  # flag of the CPU -> its common name


def probe_platform() -> Iterator[Fact]:
    """The operating system and the kind of processor."""
    yield Fact("platform", f"{platform.platform()}, {platform.machine()}")


def probe_threads() -> Iterator[Fact]:
    """The threads that torch uses, against the processors that this process may use."""
    import torch

    threads, (most, fewest) = torch.get_num_threads(), _count_cores()
    value = f"{counted(threads, 'thread')} of torch on {counted(most, 'processor')}"
    asked = os.environ.get("OMP_NUM_THREADS")
    if asked is not None:
        value += f", OMP_NUM_THREADS is {asked}" if asked.isdecimal() else ", OMP_NUM_THREADS is set to no whole number"
    good = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    advice = ""
    if threads > most:
        advice = f"more threads than processors slow a drag down: torch.set_num_threads({most}) before it"
    elif threads < fewest:
        advice = f"a drag uses {threads} of {good} possible threads: torch.set_num_threads({fewest}) before it"
    if asked is not None and asked.isdecimal() and not fewest <= int(asked) <= most:
        fix = f"unset OMP_NUM_THREADS or set it to {good} before Python starts"
        advice = f"{advice}, or {fix}" if advice else fix
    yield Fact("threads", value, advice)


def _count_cores() -> tuple[int, int]:
    """How many processors this process may use, and how many cores these are: two processors may share one core."""
    usable = set(os.sched_getaffinity(0)) if sys.platform == "linux" else set(range(os.cpu_count() or 1))
    cores = set()
    for number in usable:
        path = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        try:
            cores.add(path.read_text())
        except OSError:
            cores = set()
            break
    physical = len(cores) or (len(usable) if sys.platform == "linux" else math.ceil(len(usable) / 2))
    most = min(len(usable), _cpu_quota())
    return most, min(physical, most)


def _cpu_quota() -> int:
    """How many processors the cgroup of this process, as a container has it, may keep busy; at least 1."""
    least = math.inf
    for folder in cgroup_folders("cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            least = min(least, int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            quota = int((folder / "cpu.cfs_quota_us").read_text())
            if quota > 0:
                least = min(least, quota / int((folder / "cpu.cfs_period_us").read_text()))
    return sys.maxsize if least == math.inf else max(1, math.ceil(least))


def cgroup_folders(controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of those around it, for version 2 and version 1."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root = CGROUPS if not controllers else CGROUPS / controller
        if not controllers or controller in controllers.split(","):
            # Inside a container, the path may be that outside of it: the root then holds the container's own limits.
            places = [Path(path), *Path(path).parents]
            yield from (root / place.relative_to(place.anchor) for place in places)


def probe_bfloat16() -> Iterator[Fact]:
    """Whether the CPU computes in bfloat16, and what `with_half_pictures` is good for then (docs/benchmarks.md)."""
    flags = _cpu_flags()
    found = [name for flag, name in BFLOAT16.items() if flag in flags]
    if not flags:
        yield Fact("bfloat16", "not known of this CPU; time G.with_half_pictures() before you use it")
    elif not found:
        yield Fact("bfloat16", "this CPU has no instructions for it; G.with_half_pictures() would draw slower")
    else:
        use = "draws large pictures faster" if "AMX" in found else "may draw large pictures faster; time it"
        yield Fact("bfloat16", f"this CPU has {' and '.join(found)}; G.with_half_pictures() {use}")
    yield from guarded("torch on CPU", _cpu_capability)


def _cpu_capability() -> Iterator[Fact]:
    import torch

    yield Fact("torch on CPU", f"computes with {torch.backends.cpu.get_cpu_capability()}")


def _cpu_flags() -> set[str]:
    """The flags of the CPU as Linux lists them; macOS is asked for bfloat16 alone; empty where nothing is known."""
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = ask_program("sysctl", "-n", "hw.optional.arm.FEAT_BF16").strip()
            return {"asked", "bf16"} if answer == "1" else {"asked"}
        return set()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip().lower() in ("flags", "features"):
                return set(value.split())
    return set()


def probe_memory() -> Iterator[Fact]:
    """The free memory of this machine or container, and what a drag needs."""
    free, total, limit = _free_memory()
    need = f"a 1024-px drag takes up to {in_bytes(NEEDED_BYTES)}"
    if free is None:
        yield Fact("memory", f"{in_bytes(total)} in all, free memory not known; {need}")
        return
    advice = ""
    if free < NEEDED_BYTES:
        advice = (
            "close programs and other kernels, call draggan_widget.close_all(), or take a smaller generator: heads and "
            "256 px need less"
        )
    yield Fact("memory", f"{in_bytes(free)} free of {in_bytes(total)}{limit}; {need}", advice)


def _free_memory() -> tuple[float | None, float, str]:
    """Free bytes, all bytes, and whether they are those of the machine or of a container, in words."""
    free, total = _machine_memory()
    limit = ""
    for folder in cgroup_folders("memory"):
        for most, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with contextlib.suppress(OSError, ValueError):
                size = int((folder / most).read_text())
                if size >= min(total, UNLIMITED):
                    continue
                taken = int((folder / used).read_text())
                with contextlib.suppress(OSError, KeyError):  # the system gives up cached files when memory is short
                    rows = (folder / "memory.stat").read_text().splitlines()
                    taken -= int(dict(row.split() for row in rows)[cached])
                total, limit = size, " that this container or job may use"
                free = min(size - taken, size if free is None else free)
    return (None if free is None else max(0, free)), total, limit


def _machine_memory() -> tuple[float | None, float]:
    with contextlib.suppress(OSError, KeyError):
        rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        kib = {name: int(value.split()[0]) for name, value in rows.items()}
        return kib["MemAvailable"] * 1024, kib["MemTotal"] * 1024
    with contextlib.suppress(ImportError):
        import psutil  # comes with ipykernel

        memory = psutil.virtual_memory()
        return memory.available, memory.total
    return None, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
