"""The step of a drag on the whole feature map against windows of it: `python -m benchmarks.step`.

Random weights at config-f widths, preset "official", W+, no mask, no picture, one thread. Both take the same steps from
the same latent in turns in one process; the table shows the median CPU time of each, the spread (first and third
quartile) and the median ratio of neighbours. A start, which computes the whole map either way, is not counted.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.synthesis import random_generator
from draggan_widget import DragConfig, DragStep, Edit, drag
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.geometry import Window


class WholeMap(StyleGAN2):
    """The same generator, never by windows."""

    def windows_pay(self, block: int, windows: Sequence[Window]) -> bool:
        """They do not."""
        return False


def edit_of(points: int, side: int) -> Edit:
    """Handles in the middle half, targets a fifth of the picture away."""
    source = np.random.RandomState(points)
    handles = [tuple(float(v) for v in source.randint(side // 4, 3 * side // 4, size=2)) for _ in range(points)]
    return Edit(handles, [(x + side // 5, y) for x, y in handles])


def row(resolution: int, points: int, steps: int) -> str:
    generator = random_generator(resolution)
    ways = (WholeMap(generator.network, "whole"), generator)
    config = DragConfig.for_generator(generator, "official").replace(latent_space="W+")
    ws, edit = generator.ws_from_seed(0, 0.7), edit_of(points, resolution)
    drags = [drag(way, ws, edit, config) for way in ways]
    for steps_of in drags:
        next(steps_of)
        next(steps_of)  # the first step by windows plans them
    pairs: list[tuple[float, ...]] = []
    taken: tuple[DragStep, ...] = ()
    for _ in range(steps):
        times, reached = [], []
        for steps_of in drags:
            began = time.process_time()
            reached.append(next(steps_of))
            times.append(1000 * (time.process_time() - began))
        pairs.append(tuple(times))
        taken = tuple(reached)
    same = "yes" if taken[0].handles == taken[1].handles else "no"
    whole, windows = (sorted(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return f"| {resolution} | {points} | {spread(whole)} | {spread(windows)} | {ratio:.1f} | {same} |"


def spread(times: list[float]) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return f"{middle:.0f} ({low:.0f}-{high:.0f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--points", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--steps", type=int, default=9)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("| px | points | whole map, ms | windows, ms | whole / windows | same handles |\n|---|---|---|---|---|---|")
    for resolution in chosen.resolution:
        for points in chosen.points:
            print(row(resolution, points, chosen.steps), flush=True)


if __name__ == "__main__":
    main()
