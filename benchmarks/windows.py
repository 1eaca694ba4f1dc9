"""Windows of a block against the whole map, by which `generators.windows` chooses: `python -m benchmarks.windows`.

Config-f widths, random weights, one thread; features forward and backward to ws. Plans from every lowest block on are
timed in turns with the whole map, and `CALL` is the value by which the planned cost of all of them is most nearly in
proportion to their CPU time.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from benchmarks.synthesis import random_generator
from draggan_widget.generators import windows as planning
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.geometry import Window

BLOCK = 5  # 128 x 128


def wanted(points: int, side: int) -> tuple[Window, ...]:
    """Windows apart from each other."""
    source = np.random.RandomState(points)
    corners = source.randint(0, 128 - side, size=(points, 2))
    return tuple(Window(int(y), int(x), side, side) for y, x in corners)


def seconds(generator: StyleGAN2, ws: torch.Tensor, plan: planning.Plan | None, windows: tuple[Window, ...]) -> float:
    leaf = ws.clone().requires_grad_()
    began = time.process_time()
    if plan is None:
        values = generator.features(leaf, BLOCK).values
    else:
        values = generator.network.synthesis.windows(leaf, generator._noises, plan, windows).values
    torch.autograd.grad([value.sum() for value in values], leaf)
    return time.process_time() - began


def main() -> None:
    """Print the table and the fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--resolution", type=int, default=256)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    generator = random_generator(chosen.resolution)
    ws, pyramid = generator.ws_from_seed(0, 0.7), generator.network.synthesis.pyramid
    cases: list[tuple[str, planning.Plan | None, tuple[Window, ...]]] = [("whole", None, ())]
    for points, side in ((1, 12), (1, 40), (5, 12), (20, 12)):
        windows = wanted(points, side)
        cases += [(f"{points} of {side} px", p, windows) for p in planning.plans(pyramid, BLOCK, windows)]
    times = [[seconds(generator, ws, p, w) for _, p, w in cases] for _ in range(chosen.rounds + 1)][1:]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]

    def costs(call: float) -> list[float]:
        planning.CALL = call
        return [planning.whole_cost(pyramid, BLOCK) if p is None else planning.cost_of(pyramid, p) for _, p, _ in cases]

    def spread(call: float) -> float:
        return float(np.std(np.log(medians) - np.log(costs(call))))

    best = min(range(0, 401, 4), key=spread)
    print("| windows | lowest block | ms | whole / ms | predicted |\n|---|---|---|---|---|")
    predicted = costs(best)
    for (name, plan, _), found, due in zip(cases, medians, predicted, strict=True):
        lowest = "-" if plan is None else plan.lowest
        print(f"| {name} | {lowest} | {1000 * found:.0f} | {medians[0] / found:.2f} | {predicted[0] / due:.2f} |")
    print(f"CALL {best}: spread {spread(best):.2f}; 0: {spread(0):.2f}; 24: {spread(24):.2f}; 100: {spread(100):.2f}")


if __name__ == "__main__":
    main()
