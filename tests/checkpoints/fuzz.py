"""Feeds the readers damaged, spliced and made-up files: each must give a Checkpoint or a CheckpointError, and soon.

`python -m tests.checkpoints.fuzz --seconds 60` or `--inputs 200000`; `--seed` repeats a run. What fails is kept in a
folder and makes the exit status 1.
"""

import argparse
import collections
import contextlib
import io
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.errors import CheckpointError
from tests.checkpoints import hostile, nvidia_writer
from tests.checkpoints.mutations import Source, make_up, mutate, remake_archive, shuffle_opcodes
from tests.generators.tiny_stylegan2 import random_tensors

PATIENCE = 10  # seconds
GROWTH = 64 << 20  # bytes, and 1.3 times the file
LEAST = StyleGAN2Config(channels=(2, 2), z_dim=2, w_dim=2, mapping_layers=1)


def pickles() -> list[bytes]:
    """NVIDIA's pickles, with inner storages of both layouts."""
    config, tensors = LEAST.to_dict(), random_tensors(LEAST)
    small = {"G_ema": nvidia_writer.generator(config, tensors)}
    made = [nvidia_writer.dumps(small, protocol) for protocol in (3, 4, 5)]
    made.append(nvidia_writer.dumps({"G_ema": nvidia_writer.module({"x": torch.ones(2)}, config, {})}, 4, zipped=True))
    return made


def torch_files(new: bool) -> list[bytes]:
    """State dicts of torch.save, in either layout."""
    config, tensors = LEAST.to_dict(), random_tensors(LEAST)
    files = []
    for value in (tensors, {"config": config, "G_ema": tensors}, {"x": torch.ones(2), "y": torch.zeros(3)}):
        file = io.BytesIO()
        torch.save(value, file, _use_new_zipfile_serialization=new)
        files.append(file.getvalue())
    return files


def safetensors_files() -> list[bytes]:
    """Ours, and one of somebody else's."""
    config, tensors = LEAST.to_dict(), random_tensors(LEAST)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.safetensors")
        own_file.save(Checkpoint("stylegan2", config, tensors, {"licence": "none"}), path)
        ours = path.read_bytes()
    return [ours, save(tensors)]


@dataclass
class Tally:
    """What came of the inputs."""

    outcomes: dict[str, collections.Counter] = field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    growth: int = 0

    @property
    def inputs(self) -> int:
        """How many there were."""
        return sum(sum(counts.values()) for counts in self.outcomes.values())


def inputs(source: Source) -> Callable[[], tuple[str, bytes]]:
    """A maker of (kind, file)."""
    nvidia, new, old, tensors = pickles(), torch_files(True), torch_files(False), safetensors_files()
    planted = [data for data, _ in hostile.planted().values() if 0 < len(data) < 20_000]
    pool = [*nvidia, *new, *old, *tensors, *planted]
    makers: list[tuple[str, Callable[[], bytes]]] = [
        ("NVIDIA pickle, mutated", lambda: mutate(source.choice(nvidia), source, pool)),
        ("NVIDIA pickle, operations shuffled", lambda: shuffle_opcodes(source.choice(nvidia), source, pool)),
        ("pickle, made up", lambda: make_up(source)),
        ("torch archive, mutated", lambda: mutate(source.choice(new), source, pool)),
        ("torch archive, remade", lambda: remake_archive(source.choice(new), source, pool)),
        ("torch file of the older layout, mutated", lambda: mutate(source.choice(old), source, pool)),
        ("safetensors, mutated", lambda: mutate(source.choice(tensors), source, pool)),
        ("planted file, mutated", lambda: mutate(source.choice(planted), source, pool)),
    ]

    def make() -> tuple[str, bytes]:
        kind, maker = source.choice(makers)
        return kind, maker()

    return make


def _stop(*_: object) -> None:
    raise TimeoutError(f"over {PATIENCE} s")


def attempt(data: bytes, path: Path, network: str) -> str:
    """How the reading ends: "Checkpoint", "CheckpointError", or what it must never be."""
    path.write_bytes(data)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        return "Checkpoint" if isinstance(read_checkpoint(path, network), Checkpoint) else "no Checkpoint"
    except CheckpointError:
        return "CheckpointError"
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def fresh_peak() -> int:
    """The memory taken now; from here on the peak counts anew, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def run(seed: int, count: int, seconds: float, folder: Path) -> Tally:
    """Try so many inputs, or for so long; failing ones are kept in the folder."""
    signal.signal(signal.SIGALRM, _stop)
    source, tally, path = random.Random(seed), Tally(), folder / "input"
    make, end = inputs(source), time.monotonic() + seconds
    attempt(pickles()[0], path, "G_ema")  # whatever is imported late is imported now
    base = fresh_peak()
    for index in range(count):
        if time.monotonic() > end:
            break
        kind, data = make()
        start = time.perf_counter()
        outcome = attempt(data, path, source.choice(("G_ema", "G_ema", "G_ema", "G", "D")))
        tally.slowest = max(tally.slowest, time.perf_counter() - start)
        tally.growth = max(tally.growth, _peak() - base)
        tally.outcomes[kind][outcome.partition(":")[0]] += 1
        if outcome not in ("Checkpoint", "CheckpointError") or _peak() - base > GROWTH + 1.3 * len(data):
            kept = folder / f"failure-{seed}-{index}"
            kept.write_bytes(data)
            tally.failures.append(f"{kept}: {outcome[:500]}, {(_peak() - base) >> 20} MB")
            base = fresh_peak()
    return tally


def table(tally: Tally) -> str:
    """The counts as Markdown."""
    lines = ["| input | Checkpoint | CheckpointError | anything else |", "|---|---|---|---|"]
    for kind, counts in sorted(tally.outcomes.items()):
        good, refused = counts["Checkpoint"], counts["CheckpointError"]
        lines.append(f"| {kind} | {good:,} | {refused:,} | {sum(counts.values()) - good - refused:,} |")
    lines.append(
        f"\n{tally.inputs:,} inputs, {len(tally.failures)} failures; the slowest took {tally.slowest:.2f} s; "
        f"memory grew by {tally.growth >> 20} MB in all."
    )
    return "\n".join([*lines, *tally.failures])


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None, help="folder for the inputs that fail")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    tally = run(options.seed, options.inputs, options.seconds, folder)
    print(table(tally))
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
