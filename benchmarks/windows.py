"""Windows of a block against the whole map: `python -m benchmarks.windows`.

Config-f widths and random weights, or with --faces the real MobileStyleGAN; one thread; features forward and backward
to ws. Plans that begin at each possible block are timed in turns with the whole map. The result is the `CALL` of
`generators.windows`, or with --faces its `ALONE`, for which planned costs are most nearly proportional to CPU times.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.synthesis import random_generator
from draggan_widget import load_generator
from draggan_widget.generators import windows as planning
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.geometry import Window

Case = tuple[str, planning.Plan | None, tuple[Window, ...]]


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
        generator: generator to time.
        block: block of the features.
        wanted: (number of points, side of their windows in feature px) of each case.
        constant: name of the constant of `generators.windows` to fit.
        values: values of the constant to try.
    """

    generator: StyleGAN2 | MobileStyleGAN
    block: int
    wanted: Sequence[tuple[int, int]]
    constant: str
    values: range

    @property
    def pyramid(self) -> planning.Pyramid:
        """Pyramid of the synthesis network."""
        made = self.generator
        return made.network.synthesis.pyramid if isinstance(made, StyleGAN2) else made.network.pyramid

    def windows(self, ws: torch.Tensor, plan: planning.Plan, windows: tuple[Window, ...]) -> FeatureMap:
        """Features in windows, computed by the given plan whatever it costs."""
        made = self.generator
        if isinstance(made, StyleGAN2):
            return made.network.synthesis.windows(ws, made._noises, plan, windows)
        return made.network.windows(ws, plan, windows)


def random_windows(points: int, side: int, across: int) -> tuple[Window, ...]:
    """Square windows at random positions of a map `across` px wide."""
    source = np.random.RandomState(points)
    corners = source.randint(0, across - side, size=(points, 2))
    return tuple(Window(int(y), int(x), side, side) for y, x in corners)


def seconds(subject: Subject, ws: torch.Tensor, plan: planning.Plan | None, windows: tuple[Window, ...]) -> float:
    leaf = ws.clone().requires_grad_()
    began = time.process_time()
    if plan is None:
        values = subject.generator.features(leaf, subject.block).values
    else:
        values = subject.windows(leaf, plan, windows).values
    torch.autograd.grad([value.sum() for value in values], leaf)
    return time.process_time() - began


def main() -> None:
    """Print the table and the fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--faces", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.faces:
        faces = load_generator("mobilestylegan-ffhq")
        assert isinstance(faces, MobileStyleGAN)
        subject = Subject(faces, 4, ((1, 6), (1, 20), (5, 6), (20, 6)), "ALONE", range(0, 2001, 50))
    else:
        made = random_generator(chosen.resolution)
        subject = Subject(made, 5, ((1, 12), (1, 40), (5, 12), (20, 12)), "CALL", range(0, 401, 4))
    ws, pyramid, block = subject.generator.ws_from_seed(0, 0.7), subject.pyramid, subject.block
    cases: list[Case] = [("whole", None, ())]
    for points, side in subject.wanted:
        windows = random_windows(points, side, pyramid.size(block)[0])
        cases += [(f"{points} of {side} px", p, windows) for p in planning.plans(pyramid, block, windows)]
    times = [[seconds(subject, ws, p, w) for _, p, w in cases] for _ in range(chosen.rounds + 1)][1:]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]

    def costs(value: float) -> list[float]:
        setattr(planning, subject.constant, value)
        return [planning.whole_cost(pyramid, block) if p is None else planning.cost_of(pyramid, p) for _, p, _ in cases]

    def spread(value: float) -> float:
        return float(np.std(np.log(medians) - np.log(costs(value))))

    best = min(subject.values, key=spread)
    print("| windows | lowest block | ms | whole / ms | predicted |\n|---|---|---|---|---|")
    predicted = costs(best)
    for (name, plan, _), found, expected in zip(cases, medians, predicted, strict=True):
        lowest = "-" if plan is None else plan.lowest
        print(f"| {name} | {lowest} | {1000 * found:.0f} | {medians[0] / found:.2f} | {predicted[0] / expected:.2f} |")
    others = "; ".join(f"{value}: {spread(value):.2f}" for value in subject.values[:: len(subject.values) // 8])
    print(f"{subject.constant} {best}: spread {spread(best):.2f}; {others}")


if __name__ == "__main__":
    main()
