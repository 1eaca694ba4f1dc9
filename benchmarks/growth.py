"""How the cost of a step grows, and how it compares with its arithmetic: `python -m benchmarks.growth --json FILE`.

Random weights of the official widths, preset "official", W+, one thread, no picture; medians of processor time. The
arithmetic of a step is the multiplications and additions of the features that it computes, forward and backward.
"bound" is their time at the speed that a plain convolution reaches between the steps; "planned" adds the time for
reading weights, by which windows are chosen (`generators.windows.CALL`). "forward" is the features alone, "backward"
the gradient of their sum with respect to the latent; the rest is tracking, losses and Adam.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.machine import PlainConvolution, save_rows, timed
from benchmarks.step import Case
from draggan_widget import DragConfig, Edit, drag
from draggan_widget.engine.step import DragStep
from draggan_widget.engine.step_windows import step_windows
from draggan_widget.generators import windows as planning
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.geometry import Window

POINTS = (1, 2, 5, 10, 20, 40, 64)
RESOLUTIONS = (128, 256, 512, 1024)
FIXED = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)  # shares of the picture that a mask keeps fixed


def measure(case: Case, fixed: float, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    generator, ws, edit, config = case.build()
    edit = Edit(edit.handles, edit.targets, make_mask(case.resolution, fixed))
    steps, plain = drag(generator, ws, edit, config), PlainConvolution(generator.device)
    next(steps)
    step = next(steps)
    windows = step_windows(generator, step.references, edit, config)
    took: list[list[float]] = []
    for _ in range(rounds):
        whole = timed(lambda: next(steps), generator.device)
        forward, backward = time_features(generator, whole.result, config)
        took.append([whole.ms, forward, backward, plain.gflops()])
    ms, forward, backward, gflops = (statistics.median(column) for column in zip(*took, strict=True))
    return {
        "resolution": case.resolution,
        "points": case.points,
        "fixed": fixed,
        "way": "whole map" if windows is None else f"{len(windows)} windows",
        "ms": ms,
        "forward_ms": forward,
        "backward_ms": backward,
        "rest_ms": ms - forward - backward,
        "bound_ms": 4 * multiplications(generator, config.block, windows, 0) / gflops / 1e6,
        "planned_ms": 4 * multiplications(generator, config.block, windows, planning.CALL) / gflops / 1e6,
        "plain_gflops": gflops,
    }


def make_mask(side: int, fixed: float) -> np.ndarray | None:
    """A mask that keeps the left part fixed, `fixed` of the picture; None for nothing."""
    if fixed == 0:
        return None
    free = np.ones((side, side), bool)
    free[:, : round(fixed * side)] = False
    return free


def time_features(generator: StyleGAN2, step: DragStep, config: DragConfig) -> tuple[float, float]:
    """Milliseconds that a step's features take, forward and backward."""
    windows = step_windows(generator, step.references, step.edit, config)
    ws = step.ws.clone().requires_grad_()
    forward = timed(lambda: generator.features(ws, config.block, windows), generator.device)
    total = torch.stack([values.sum() for values in forward.result.values]).sum()
    return forward.ms, timed(lambda: torch.autograd.grad(total, ws), generator.device).ms


def multiplications(generator: StyleGAN2, block: int, windows: Sequence[Window] | None, call: int) -> float:
    """Multiplications of a block's features, forward; reading a convolution's weights counts as `call` px."""
    pyramid = generator.network.synthesis.pyramid
    plan = None if windows is None else planning.plan(pyramid, block, tuple(windows))
    with patch.object(planning, "CALL", call):
        return planning.whole_cost(pyramid, block) if plan is None else planning.cost_of(pyramid, plan)


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "px": lambda row: str(row["resolution"]),
    "points": lambda row: str(row["points"]),
    "held still": lambda row: f"{row['fixed']:.0%}",
    "computes": lambda row: row["way"],
    "step, ms": lambda row: f"{row['ms']:.0f}",
    "forward": lambda row: f"{row['forward_ms']:.0f}",
    "backward": lambda row: f"{row['backward_ms']:.0f}",
    "rest": lambda row: f"{row['rest_ms']:.0f}",
    "bound": lambda row: f"{row['bound_ms']:.0f}",
    "planned": lambda row: f"{row['planned_ms']:.0f}",
    "step / bound": lambda row: f"{row['ms'] / row['bound_ms']:.1f}",
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table for docs/benchmarks.md."""
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *([show(row) for show in COLUMNS.values()] for row in rows)]
    speeds = [row["plain_gflops"] for row in rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\nPlain convolution: {min(speeds):.0f} to {max(speeds):.0f} GFLOP/s.\n"


def cases(resolution: int) -> list[tuple[Case, float]]:
    """All points and masks at one resolution; one point at the others."""
    found = [(Case(resolution, points, False), 0.0) for points in POINTS]
    found += [(Case(resolution, 1, False), fixed) for fixed in FIXED if fixed]
    return found + [(Case(px, 1, False), 0.0) for px in RESOLUTIONS if px != resolution]


def main() -> None:
    """Print the table; with --json also save the rows, and the table beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=512, help="px at which points and mask vary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="rows that are in it are not measured again")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(chosen.json.read_text()) if chosen.json is not None and chosen.json.exists() else []
    known = {(row["resolution"], row["points"], row["fixed"]) for row in rows}
    for case, fixed in cases(chosen.resolution):
        if (case.resolution, case.points, fixed) in known:
            continue
        rows.append(measure(case, fixed, chosen.rounds))
        print(table(rows[-1:]), flush=True)
        save_rows(chosen.json, rows, table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
