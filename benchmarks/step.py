"""The drag's step against a reference: `python -m benchmarks.step --resolution 256 512 1024 --json FILE`.

The reference is written from the method's description alone: convolutions with modulated weights of their own, a graph
through the whole picture and the weights, the feature map enlarged to the picture's size, a picture each step. Both
take the same steps in turns in one process with one thread: random weights of the official widths (half as many
channels at 256 px), preset "official", W+. The table shows medians of CPU time with the whole spread, and the median
ratio of neighbours. A step of ours with a picture is its step and the picture's own time, a quarter of that for a
picture every fourth step. The start, which takes references, is not counted. Peak memory is of ours alone in a fresh
process.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.synthesis import grouped_maps, random_generator
from draggan_widget import DragConfig, Edit, drag
from draggan_widget.generators.stylegan2.generator import StyleGAN2

PICTURES = {"never": 0.0, "every 4th": 0.25, "each": 1.0}  # of ours; the reference draws each step


class Reference:
    """The published loop, step by step, with the official constants."""

    def __init__(self, generator: StyleGAN2, ws: Tensor, edit: Edit, config: DragConfig):
        self.generator, self.edit, self.config = generator, edit, config
        self.leaf, self.rest = ws[:, :6].clone().requires_grad_(), ws[:, 6:]
        self.adam = torch.optim.Adam([self.leaf], lr=config.learning_rate)
        self.handles = [(int(x), int(y)) for x, y in edit.handles]
        self.start: Tensor | None = None

    def step(self) -> None:
        """Draw, track, supervise, step."""
        side, config = self.generator.resolution, self.config
        features, picture = grouped_maps(self.generator, torch.cat([self.leaf, self.rest], 1), config.block)
        large = F.interpolate(features, size=(side, side), mode="bilinear")
        still = large.detach()
        if self.start is None:
            self.start = still
            self.known = [still[0, :, y, x] for x, y in self.handles]
        self.handles = [self.tracked(still, *pair) for pair in zip(self.handles, self.known, strict=True)]
        (picture.detach()[0] * 127.5 + 128).clamp(0, 255).to(torch.uint8)
        loss = torch.stack(
            [self.motion(large, *pair) for pair in zip(self.handles, self.edit.targets, strict=True)]
        ).sum()
        if self.edit.mask is not None:
            fixed = torch.from_numpy(~self.edit.mask).float()
            loss = loss + config.mask_weight * ((large - self.start) * fixed).abs().mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()

    def tracked(self, still: Tensor, handle: tuple[int, int], known: Tensor) -> tuple[int, int]:
        """The px of the square most like the known feature."""
        (x, y), reach = handle, int(self.config.tracking_radius)
        left, top = max(x - reach, 0), max(y - reach, 0)
        square = still[0, :, top : y + reach + 1, left : x + reach + 1]
        best = int(torch.linalg.vector_norm(square - known[:, None, None], dim=0).argmin())
        row, column = divmod(best, square.shape[2])
        return left + column, top + row

    def motion(self, large: Tensor, handle: tuple[int, int], target: tuple[float, float]) -> Tensor:
        """One point's motion supervision over the official disc."""
        side = self.generator.resolution
        line = torch.linspace(0, side, side)
        inside = (line - handle[0]).square()[None] + (line - handle[1]).square()[
            :, None
        ] < self.config.supervision_radius**2
        rows, columns = inside.nonzero(as_tuple=True)
        way = torch.tensor(target) - torch.tensor(handle)
        x, y = (way / way.norm()).tolist()
        places = torch.stack([columns + x, rows + y], 1) / (side - 1) * 2 - 1
        moved = F.grid_sample(large, places[None, None], align_corners=True)[0, :, 0]
        return (large.detach()[0][:, rows, columns] - moved).abs().mean()


def edit_of(points: int, side: int, mask: bool) -> Edit:
    """Handles in the middle half, targets a fifth of the picture away; the mask frees the middle."""
    source = np.random.RandomState(points)
    handles = [tuple(float(v) for v in source.randint(side // 4, 3 * side // 4, size=2)) for _ in range(points)]
    free = None
    if mask:
        free = np.zeros((side, side), bool)
        free[side // 4 : 3 * side // 4, side // 4 :] = True
    return Edit(handles, [(x + side // 5, y) for x, y in handles], free)


def timed(work: Any) -> tuple[float, Any]:
    began = time.process_time()
    found = work()
    return 1000 * (time.process_time() - began), found


def case(resolution: int, points: int, mask: bool) -> tuple[StyleGAN2, Tensor, Edit, DragConfig]:
    generator = random_generator(resolution, 16384 if resolution <= 256 else 32768)
    config = DragConfig.for_generator(generator, "official").replace(latent_space="W+")
    return generator, generator.ws_from_seed(0, 0.7), edit_of(points, resolution, mask), config


def measured(resolution: int, points: int, mask: bool, steps: int) -> list[dict[str, Any]]:
    peaks = memory(resolution, points, mask)
    generator, ws, edit, config = case(resolution, points, mask)
    for module in generator.network.synthesis.convs():
        module.weight.requires_grad_()
    reference = Reference(generator, ws, edit, config)
    ours = drag(random_generator(resolution, 16384 if resolution <= 256 else 32768), ws, edit, config)
    reference.step()
    next(ours)
    theirs, own, drawn = [], [], []
    for index in range(steps + 1):
        took, _ = timed(reference.step)
        mine, step = timed(lambda: next(ours))
        picture, _ = timed(step.pixels)
        if index:  # the first plans its windows
            theirs, own, drawn = [*theirs, took], [*own, mine], [*drawn, picture]
    same = list(step.handles) == [tuple(map(float, handle)) for handle in reference.handles]
    rows = []
    for kind, share in PICTURES.items():
        total = [a + share * b for a, b in zip(own, drawn, strict=True)]
        ratio = statistics.median(a / b for a, b in zip(theirs, total, strict=True))
        rows.append(
            {
                "resolution": resolution,
                "points": points,
                "mask": mask,
                "picture": kind,
                "reference_ms": statistics.median(theirs),
                "ours_ms": statistics.median(total),
                "ratio": ratio,
                "peak_mb": peaks[0 if share == 0 else 1],
                "reference_spread_ms": max(theirs) - min(theirs),
                "ours_spread_ms": max(total) - min(total),
                "same_handles": same,
            }
        )
    return rows


def memory(resolution: int, points: int, mask: bool) -> list[int]:
    """Peak MB of a fresh process that makes three steps, and then draws a picture."""
    command = [sys.executable, "-m", "benchmarks.step", "--peak", str(resolution), str(points), str(int(mask))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak(resolution: int, points: int, mask: bool) -> None:
    generator, ws, edit, config = case(resolution, points, mask)
    steps = list(itertools.islice(drag(generator, ws, edit, config), 3))
    before = high_water()
    steps[-1].pixels()
    print(json.dumps([before, high_water()]))


def high_water() -> int:
    """Peak MB of this program alone, on Linux: `ru_maxrss` would begin with what its parent holds."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def main() -> None:
    """Print the table; with --json write the rows too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--cases", nargs="+", default=["1", "5", "1m"], help="points, with an m for a mask")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", nargs=3, type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.peak:
        peak(chosen.peak[0], chosen.peak[1], bool(chosen.peak[2]))
        return
    rows: list[dict[str, Any]] = []
    for resolution, which in itertools.product(chosen.resolution, chosen.cases):
        found = measured(resolution, int(which.rstrip("m")), which.endswith("m"), chosen.steps)
        for row in found:
            print(
                " | ".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()),
                flush=True,
            )
        rows += found
        if chosen.json is not None:
            chosen.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
