"""Time and memory that reading a 1024-px StyleGAN2 takes; each reading in a fresh process, the readers in turns.

`python -m benchmarks.checkpoints [ROUNDS]` writes random weights into a temporary folder and prints a table. The plain
`pickle.load` finds stand-ins for NVIDIA's modules, which keep the state and run nothing: it is the lower bound, not a
reader to use.
"""

import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from tests.checkpoints import nvidia_writer
from tests.checkpoints.cage import memory
from tests.generators.tiny_stylegan2 import random_tensors

READINGS = (  # label of the file, reader, name of the file
    ("pkl of G_ema", "plain", "ema.pkl"),
    ("pkl of G_ema", "ours", "ema.pkl"),
    ("pkl of G and G_ema", "plain", "both.pkl"),
    ("pkl of G and G_ema", "ours", "both.pkl"),
    ("torch.save, zip", "torch.load", "state.pt"),
    ("torch.save, zip", "ours", "state.pt"),
    ("our .safetensors", "ours", "own.safetensors"),
)


def write(folder: Path) -> int:
    """Write the files; return the size in bytes of one network's weights."""
    config = StyleGAN2Config.of_size(1024)
    tensors = random_tensors(config)
    plain = config.to_dict()
    made = nvidia_writer.generator(plain, tensors)
    (folder / "ema.pkl").write_bytes(nvidia_writer.dumps({"G_ema": made}))
    other = nvidia_writer.generator(plain, {name: tensor + 1 for name, tensor in tensors.items()})
    (folder / "both.pkl").write_bytes(nvidia_writer.dumps({"G": other, "G_ema": made}))
    torch.save(tensors, folder / "state.pt")
    own_file.save(Checkpoint("stylegan2", plain, tensors, {"licence": "none"}), folder / "own.safetensors")
    return sum(tensor.nbytes for tensor in tensors.values())


def read(reader: str, path: Path) -> object:
    if reader == "ours":
        return read_checkpoint(path)
    if reader == "torch.load":
        return torch.load(path, weights_only=True)
    with nvidia_writer.foreign_modules(), path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 (our own file)


def measure(reader: str, path: Path) -> None:
    """Read once in this process; print seconds and growth of memory as JSON."""
    torch.set_num_threads(1)
    Path("/proc/self/clear_refs").write_text("5")
    before, start, begun = memory("VmRSS"), time.perf_counter(), time.process_time()
    kept = read(reader, path)
    seconds, busy = time.perf_counter() - start, time.process_time() - begun
    growth = memory("VmHWM") - before
    print(json.dumps({"seconds": seconds, "busy": busy, "growth": growth, "kept": type(kept).__name__}))


def measure_in_process(reader: str, path: Path) -> dict:
    command = [sys.executable, "-m", "benchmarks.checkpoints", "--read", reader, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    if sys.argv[1:2] == ["--read"]:
        measure(sys.argv[2], Path(sys.argv[3]))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = write(folder)
        found: dict[tuple[str, str], list[dict]] = {}
        for _ in range(rounds):
            for label, reader, file in READINGS:
                found.setdefault((label, reader), []).append(measure_in_process(reader, folder / file))
        print(f"weights of one network: {weights / 1e6:.0f} MB; medians of {rounds} (fastest)\n")
        print(
            "| file | MB | read by | seconds | processor seconds | peak memory / weights |\n|---|---|---|---|---|---|"
        )
        for label, reader, file in READINGS:
            size = (folder / file).stat().st_size / 1e6
            print(f"| {label} | {size:.0f} | {reader} | {row(found[label, reader], weights)} |")


def row(runs: list[dict], weights: int) -> str:
    times, busy = [run["seconds"] for run in runs], [run["busy"] for run in runs]
    growth = max(run["growth"] for run in runs) / weights
    both = [f"{statistics.median(values):.2f} ({min(values):.2f})" for values in (times, busy)]
    return " | ".join([*both, f"{growth:.2f}"])


if __name__ == "__main__":
    main()
