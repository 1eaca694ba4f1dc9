"""The drags that are judged: which landmark, whither, how far, in whose picture.

Task i is the same for every checkpoint but for its picture, which is that of the first seed it suits, counted from its
own number on: the landmark and its target lie inside the picture, the regressor is no more in doubt of the landmark
than in half of this generator's pictures, and for an ear the head looks nearly ahead. An ear may be under hair: then
the hair is taken where the regressor holds the ear to be.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import Point
from heads_training.regressor import Regressor

COUNT = 200
PSI = 0.7
UNIT = 128  # px: lengths are given for pictures of this side
# what a table calls it -> the landmarks it may be, taken in turn
PLACES: dict[str, tuple[str, ...]] = {
    "nose": ("nose_tip",),
    "chin": ("chin",),
    "lower lip": ("lip_bot",),
    "mouth corner": ("mouth_l", "mouth_r"),
    "brow": ("brow_mid_l", "brow_mid_r"),
    "ear": ("ear_top_l", "ear_lobe_r", "ear_top_r", "ear_lobe_l"),
}
DIRECTIONS: dict[str, Point] = {"right": (1, 0), "down": (0, 1), "left": (-1, 0), "up": (0, -1)}
LENGTHS = tuple(range(6, 17))  # px at 128
SEEDS = range(10_000, 10_200)  # of the pictures
MARGIN = 4.0  # px at 128: from handle and target to the picture's edge
MOST_TURN = (
    0.25  # of a head whose ear is dragged: how far its nose is from the middle between the ears, in their distance
)


@dataclass(frozen=True)
class Plan:
    """What task number `index` asks for, whatever the generator; `length` is in px at 128."""

    index: int
    place: str
    landmark: str
    direction: str
    length: float


@dataclass(frozen=True)
class Task:
    """A plan and the picture it is for.

    Attributes:
        plan: what is asked for.
        seed: of the picture.
        start: where the regressor saw the landmark, image px.
        target: where it should go, image px.
    """

    plan: Plan
    seed: int
    start: Point
    target: Point


def plans(count: int = COUNT) -> list[Plan]:
    """The first so many: places first, then directions; 24 are a whole round."""
    found = []
    for index in range(count):
        place = list(PLACES)[index % len(PLACES)]
        direction = list(DIRECTIONS)[index // len(PLACES) % len(DIRECTIONS)]
        names = PLACES[place]
        landmark = names[index // (len(PLACES) * len(DIRECTIONS)) % len(names)]
        length = LENGTHS[index * 7 % len(LENGTHS)]  # 7 and 11 have no common divisor with 24
        found.append(Plan(index, place, landmark, direction, float(length)))
    return found


def task_of(plan: Plan, places: np.ndarray, doubts: np.ndarray, names: list[str], side: int) -> Task | None:
    """The plan in the first picture it suits; None when it suits none.

    Args:
        plan: what is asked for.
        places: landmarks of the pictures of `SEEDS`, (seeds, k, 2), image px.
        doubts: of each, (seeds, k).
        names: of the landmarks.
        side: of the pictures, px.
    """
    which, scale = names.index(plan.landmark), side / UNIT
    x, y = DIRECTIONS[plan.direction]
    for attempt in range(len(places)):
        picture = (plan.index + attempt) % len(places)
        start = (float(places[picture, which, 0]), float(places[picture, which, 1]))
        target = (start[0] + x * plan.length * scale, start[1] + y * plan.length * scale)
        inside = all(MARGIN * scale <= v <= side - 1 - MARGIN * scale for v in (*start, *target))
        sure = doubts[picture, which] <= np.median(doubts[:, which])
        if inside and sure and (plan.place != "ear" or turn(places[picture], names) <= MOST_TURN):
            return Task(plan, SEEDS[picture], start, target)
    return None


def turn(places: np.ndarray, names: list[str]) -> float:
    """How far a head looks aside: 0 ahead, 0.5 where the nose is before an ear."""
    nose, one, other = (places[names.index(name), 0] for name in ("nose_tip", "ear_lobe_l", "ear_lobe_r"))
    width = one - other
    return math.inf if width == 0 else abs((nose - (one + other) / 2) / width)


class Looker:
    """What the regressor sees in a generator's pictures."""

    def __init__(self, generator: Generator, regressor: Regressor):
        self.generator, self.regressor = generator, regressor

    @cached_property
    def pictures(self) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (seeds, k, 2) and doubts (seeds, k) of the pictures of `SEEDS`, image px."""
        seen = [self.of(self.generator.image(self.generator.ws_from_seed(seed, PSI))) for seed in SEEDS]
        return np.stack([places for places, _ in seen]), np.stack([doubts for _, doubts in seen])

    def task(self, plan: Plan) -> Task | None:
        """The plan in the first picture it suits."""
        return task_of(plan, *self.pictures, self.regressor.names, self.generator.resolution)

    def of(self, picture: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks and doubts of a picture (1, 3, height, width)."""
        with torch.no_grad():
            places, doubts = self.regressor.landmarks(picture)
        return places[0].numpy(), doubts[0].numpy()
