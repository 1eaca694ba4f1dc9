"""Probes of torch's build, of the device that a generator takes, and of the GPUs."""

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from functools import partial

from draggan_widget.diagnosis.asking import RESTART, ask_program
from draggan_widget.diagnosis.notebook import in_colab
from draggan_widget.diagnosis.report import NEEDED_BYTES, Fact, brief, guarded, in_bytes


def probe_torch_build() -> Iterator[Fact]:
    """The kinds of GPU that this build of torch is made for."""
    import torch

    kinds = {"CUDA": torch.version.cuda, "ROCm": torch.version.hip}
    found = [f"{kind} {version}" for kind, version in kinds.items() if version]
    if torch.backends.mps.is_built():
        found.append("MPS")
    yield Fact("torch build", " and ".join(found) or "CPU only")


def probe_device() -> Iterator[Fact]:
    """The device that a generator takes, and why."""
    import torch

    from draggan_widget.generators.load import pick_device

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        device = pick_device()
    if device.type != "cpu":
        yield Fact("device", f"{device}, the first of CUDA, MPS and CPU that torch can use here")
        return
    can_cuda = bool(torch.version.cuda or torch.version.hip)
    advice = ""
    if _has_nvidia():
        advice = (
            "this machine has NVIDIA's driver, but torch finds no GPU: update the driver, check CUDA_VISIBLE_DEVICES, "
            "or start the container with its GPUs"
            if can_cuda
            else "this machine has NVIDIA's driver, but this torch computes on the CPU only: install the build for "
            f"CUDA (https://pytorch.org/get-started/locally/), {RESTART}"
        )
    elif in_colab():
        advice = "for a GPU: Runtime, Change runtime type"
    reason = f": {brief(str(told[0].message))}" if told else ""
    yield Fact("device", f"cpu, because torch finds neither a CUDA nor an MPS device{reason}", advice)


def _has_nvidia() -> bool:
    return os.path.exists("/proc/driver/nvidia/version") or shutil.which("nvidia-smi") is not None


def probe_gpus() -> Iterator[Fact]:
    """A line for each GPU that torch can use."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    free = _ask_nvidia() if count else {}
    for index in range(count):
        yield from guarded(f"cuda:{index}", partial(_cuda, index, free))
    if torch.backends.mps.is_available():
        yield from guarded("mps", _mps)
    elif not count:
        yield Fact("gpu", "none that torch can use")


def _ask_nvidia() -> dict[str, float]:
    """Free bytes of each GPU by its UUID. Asking torch would make a context of some hundred MB on each GPU."""
    try:
        answer = ask_program("nvidia-smi", "--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits")
        rows = [line.split(",") for line in answer.splitlines() if line.strip()]
        return {uuid.strip().removeprefix("GPU-"): float(mib) * 2**20 for uuid, mib in rows}
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def _cuda(index: int, free: dict[str, float]) -> Iterator[Fact]:
    import torch

    about = torch.cuda.get_device_properties(index)
    left = free.get(str(getattr(about, "uuid", "")).removeprefix("GPU-"))
    if left is None and index == torch.cuda.current_device():
        left = torch.cuda.mem_get_info(index)[0]  # the context is made on the one GPU that a widget takes anyway
    bfloat16 = "yes" if torch.version.hip or about.major >= 8 else "no"
    room = "free memory not known" if left is None else f"{in_bytes(left)} free"
    value = f"{about.name}, {room} of {in_bytes(about.total_memory)}, bfloat16: {bfloat16}"
    yield Fact(f"cuda:{index}", value, _device_advice(left))


def _mps() -> Iterator[Fact]:
    import torch

    most = torch.mps.recommended_max_memory()
    left = most - torch.mps.driver_allocated_memory()
    yield Fact("mps", f"Apple GPU, {in_bytes(left)} free for this process of {in_bytes(most)}", _device_advice(left))


def _device_advice(left: float | None) -> str:
    if left is None or left >= NEEDED_BYTES:
        return ""
    return (
        f"a 1024-px generator needs about {in_bytes(NEEDED_BYTES)}: call draggan_widget.close_all(), shut down other "
        'kernels and programs that use this GPU, or pass device="cpu" to load_generator'
    )
