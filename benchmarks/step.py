"""Our drag step against a reference step: `python -m benchmarks.step --resolution 256 512 1024 --json FILE`.

Our code and the reference (`benchmarks.reference`) take the same steps in turns in one process with one thread: random
weights of the official widths (half as many channels at 256 px), preset "official", W+. The start, which takes
references, and the first step, which plans windows, are not counted. The table shows medians of processor time with
their full spread. A step of ours with a picture is the time of the step plus that of the picture, or a quarter of that
for a picture every fourth step; the reference draws each step. Peak memory is measured in fresh processes.

The published ratio is the smaller one of two: against the reference as measured (median ratio of neighbouring steps),
and against the official code's known seconds, scaled by the speed of a plain convolution between the steps.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import PlainConvolution, Timed, in_fresh_process, markdown, peak_mb, save_rows, timed
from benchmarks.reference import Reference
from benchmarks.synthesis import random_generator
from draggan_widget import DragConfig, Edit, drag
from draggan_widget.generators.stylegan2.generator import StyleGAN2

PICTURES = {"never": 0.0, "every 4th": 0.25, "each": 1.0}  # pictures per step of our code
OFFICIAL = {  # seconds of an official step on an idle machine: without and with a mask
    256: (0.74, 0.85),
    512: (3.1, 4.6),
    1024: (6.7, 12.0),
}
OFFICIAL_GFLOPS = 178.0  # speed of the plain convolution on that machine; docs/benchmarks.md says how it was found


@dataclass(frozen=True)
class Case:
    """One case to time.

    Attributes:
        resolution: side of the picture, px.
        points: number of points.
        mask: True for an edit with a mask.
        device: device to compute on.
    """

    resolution: int
    points: int
    mask: bool
    device: str = "cpu"

    def build(self) -> tuple[StyleGAN2, Tensor, Edit, DragConfig]:
        """Generator, start latent, edit and settings."""
        base = 16384 if self.resolution <= 256 else 32768
        generator = random_generator(self.resolution, base, self.device)
        config = DragConfig.for_generator(generator, "official").replace(latent_space="W+")
        return generator, generator.ws_from_seed(0, 0.7), edit_of(self.points, self.resolution, self.mask), config

    def matches(self, row: dict[str, Any]) -> bool:
        """True if a saved row is of this case."""
        return (row["resolution"], row["points"], row["mask"], row["device"]) == (
            self.resolution,
            self.points,
            self.mask,
            self.device,
        )


def edit_of(points: int, side: int, mask: bool) -> Edit:
    """Handles in the middle half, targets a fifth of the picture away; the mask lets the middle move."""
    source = np.random.RandomState(points)
    handles = [tuple(float(v) for v in source.randint(side // 4, 3 * side // 4, size=2)) for _ in range(points)]
    free = None
    if mask:
        free = np.zeros((side, side), bool)
        free[side // 4 : 3 * side // 4, side // 4 :] = True
    return Edit(handles, [(x + side // 5, y) for x, y in handles], free)


def measure(case: Case, steps: int) -> list[dict[str, Any]]:
    """Measure the rows of a case."""
    peaks, reference_peak = in_fresh_process(measure_our_peaks, case), in_fresh_process(measure_reference_peak, case)
    generator, ws, edit, config = case.build()
    reference, ours = Reference(generator, ws, edit, config), drag(generator, ws, edit, config)
    device, plain = generator.device, PlainConvolution(generator.device)
    reference.step()
    next(ours)
    theirs: list[Timed[Any]] = []
    own: list[Timed[Any]] = []
    drawn: list[Timed[Any]] = []
    speeds: list[float] = []
    for _ in range(steps + 1):
        theirs.append(timed(reference.step, device))
        speeds.append(plain.gflops())
        own.append(timed(lambda: next(ours), device))
        drawn.append(timed(own[-1].result.pixels, device))
    same = list(own[-1].result.handles) == [tuple(map(float, handle)) for handle in reference.handles]
    return [
        {
            "resolution": case.resolution,
            "points": case.points,
            "mask": case.mask,
            "picture": picture,
            **figures(theirs[1:], own[1:], drawn[1:], share),
            **official(case, statistics.median(speeds)),
            "peak_mb": peaks[0 if share == 0 else 1],
            "reference_peak_mb": reference_peak,
            "same_handles": same,
            "device": case.device,
        }
        for picture, share in PICTURES.items()
    ]


def figures(theirs: Sequence[Timed], own: Sequence[Timed], drawn: Sequence[Timed], share: float) -> dict[str, Any]:
    """Medians and spreads; `share` of the pictures' time is added to our steps."""
    total = [step.ms + share * picture.ms for step, picture in zip(own, drawn, strict=True)]
    walls = [step.wall_ms + share * picture.wall_ms for step, picture in zip(own, drawn, strict=True)]
    times = [step.ms for step in theirs]
    return {
        "reference_ms": statistics.median(times),
        "ours_ms": statistics.median(total),
        "ratio_measured": statistics.median(a / b for a, b in zip(times, total, strict=True)),
        "reference_spread_ms": max(times) - min(times),
        "ours_spread_ms": max(total) - min(total),
        "reference_wall_ms": statistics.median(step.wall_ms for step in theirs),
        "ours_wall_ms": statistics.median(walls),
    }


def official(case: Case, gflops: float) -> dict[str, Any]:
    """Estimate of the official step's time on this machine now; None where it is not known."""
    known = OFFICIAL.get(case.resolution) if case.device == "cpu" else None
    seconds = None if known is None else known[case.mask]
    scaled = None if seconds is None else 1000 * seconds * OFFICIAL_GFLOPS / gflops
    return {"plain_gflops": gflops, "official_s": seconds, "official_scaled_ms": scaled}


def with_ratio(row: dict[str, Any]) -> dict[str, Any]:
    """Add the published ratio, against the faster of reference and official code."""
    official_ms = row["official_scaled_ms"]
    against = [row["ratio_measured"], *([] if official_ms is None else [official_ms / row["ours_ms"]])]
    return {**row, "ratio": min(against)}


def measure_our_peaks(case: Case) -> list[int]:
    """Peak MB of this process after three of our steps, and after drawing a picture."""
    torch.set_num_threads(1)
    generator, ws, edit, config = case.build()
    steps = list(itertools.islice(drag(generator, ws, edit, config), 3))
    before = peak_mb(generator.device)
    steps[-1].pixels()
    return [before, peak_mb(generator.device)]


def measure_reference_peak(case: Case) -> int:
    """Peak MB of this process after two steps of the reference."""
    torch.set_num_threads(1)
    reference = Reference(*case.build())
    reference.step()
    reference.step()
    return peak_mb(reference.generator.device)


COLUMNS = {
    "px": "{resolution}",
    "points": "{points}",
    "mask": "{mask}",
    "picture": "{picture}",
    "official, ms": "{official}",
    "reference, ms (spread)": "{reference_ms:.0f} ({reference_spread_ms:.0f})",
    "ours, ms (spread)": "{ours_ms:.0f} ({ours_spread_ms:.0f})",
    "wall, ms": "{reference_wall_ms:.0f} / {ours_wall_ms:.0f}",
    "measured": "{ratio_measured:.1f}",
    "ratio": "**{ratio:.1f}**",
    "peak, MB": "{reference_peak_mb} / {peak_mb}",
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table for docs/benchmarks.md."""
    speeds = [row["plain_gflops"] for row in rows]
    text = markdown(COLUMNS, [_format_cells(row) for row in rows])
    return f"{text}\n\nPlain convolution: {min(speeds):.0f} to {max(speeds):.0f} GFLOP/s.\n"


def _format_cells(row: dict[str, Any]) -> dict[str, Any]:
    ms = row["official_scaled_ms"]
    return {**row, "mask": "yes" if row["mask"] else "no", "official": "-" if ms is None else f"{ms:.0f}"}


def pick_device(gpu: bool) -> str:
    """Device to compute on; CUDA is set to full float32."""
    if not gpu:
        return "cpu"
    if not torch.cuda.is_available():
        raise SystemExit("--gpu: PyTorch finds no CUDA device; expected one; leave the flag out")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return "cuda"


def main() -> None:
    """Print the table; with --json also save the rows, and the table beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--cases", nargs="+", default=["1", "5", "1m", "5m"], help="points, with an m for a mask")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--json", type=Path, help="cases that are in it are not measured again")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device(chosen.gpu)
    rows = json.loads(chosen.json.read_text()) if chosen.json is not None and chosen.json.exists() else []
    for resolution, which in itertools.product(chosen.resolution, chosen.cases):
        case = Case(resolution, int(which.rstrip("m")), which.endswith("m"), device)
        if any(case.matches(row) for row in rows):
            continue
        found = [with_ratio(row) for row in measure(case, chosen.steps)]
        print(table(found), flush=True)
        rows += found
        save_rows(chosen.json, rows, table(rows))


if __name__ == "__main__":
    main()
