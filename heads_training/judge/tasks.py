"""The drags that are judged: landmark, direction, length, and picture.

Task i is the same for every checkpoint except for its picture, which is that of the first seed it suits, beginning at
seed number i: landmark and target lie inside the picture, the regressor's doubt of the landmark is at most its median
over this generator's pictures, and for an ear the head looks nearly ahead. An ear may be under hair: then the hair is
dragged where the regressor finds the ear.
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
# name in the tables -> landmarks, taken in turn
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
SEEDS = range(10_000, 10_200)  # seeds of the pictures
MARGIN = 4.0  # px at 128: least distance of handle and target from the picture's edge
MAX_TURN = 0.25  # largest `turn` of a head whose ear is dragged


@dataclass(frozen=True)
class Plan:
    """Task number `index`, the same for every generator; `length` is in px at 128."""

    index: int
    place: str
    landmark: str
    direction: str
    length: float


@dataclass(frozen=True)
class Task:
    """A plan and its picture.

    Attributes:
        plan: landmark, direction and length.
        seed: seed of the picture.
        start: landmark as the regressor found it, (x, y) in image px.
        target: point the landmark should move to, (x, y) in image px.
    """

    plan: Plan
    seed: int
    start: Point
    target: Point


def plans(count: int = COUNT) -> list[Plan]:
    """The first `count` plans: they alternate places, then directions; 24 are a whole round."""
    found = []
    for index in range(count):
        place = list(PLACES)[index % len(PLACES)]
        direction = list(DIRECTIONS)[index // len(PLACES) % len(DIRECTIONS)]
        names = PLACES[place]
        landmark = names[index // (len(PLACES) * len(DIRECTIONS)) % len(names)]
        length = LENGTHS[index * 7 % len(LENGTHS)]  # 7 is prime to the 11 lengths, and 11 to the round of 24
        found.append(Plan(index, place, landmark, direction, float(length)))
    return found


def find_task(plan: Plan, places: np.ndarray, doubts: np.ndarray, names: list[str], side: int) -> Task | None:
    """Find the first picture that suits a plan; None if none does.

    Args:
        plan: landmark, direction and length.
        places: landmarks of the pictures of `SEEDS`, (seeds, k, 2), image px.
        doubts: predicted errors of the landmarks, (seeds, k).
        names: names of the landmarks.
        side: side of the pictures, px.
    """
    which, scale = names.index(plan.landmark), side / UNIT
    x, y = DIRECTIONS[plan.direction]
    for attempt in range(len(places)):
        picture = (plan.index + attempt) % len(places)
        start = (float(places[picture, which, 0]), float(places[picture, which, 1]))
        target = (start[0] + x * plan.length * scale, start[1] + y * plan.length * scale)
        inside = all(MARGIN * scale <= v <= side - 1 - MARGIN * scale for v in (*start, *target))
        sure = doubts[picture, which] <= np.median(doubts[:, which])
        if inside and sure and (plan.place != "ear" or turn(places[picture], names) <= MAX_TURN):
            return Task(plan, SEEDS[picture], start, target)
    return None


def turn(places: np.ndarray, names: list[str]) -> float:
    """Distance of the nose from the middle between the ears, over the ears' distance: 0 for a head that looks ahead."""
    nose, one, other = (places[names.index(name), 0] for name in ("nose_tip", "ear_lobe_l", "ear_lobe_r"))
    width = one - other
    return math.inf if width == 0 else abs((nose - (one + other) / 2) / width)


class LandmarkFinder:
    """Finds landmarks in the pictures of a generator."""

    def __init__(self, generator: Generator, regressor: Regressor):
        self.generator, self.regressor = generator, regressor

    @cached_property
    def of_seeds(self) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (seeds, k, 2) and doubts (seeds, k) of the pictures of `SEEDS`, image px."""
        seen = [self.find(self.generator.image(self.generator.ws_from_seed(seed, PSI))) for seed in SEEDS]
        return np.stack([places for places, _ in seen]), np.stack([doubts for _, doubts in seen])

    def task(self, plan: Plan) -> Task | None:
        """Find the first picture of `SEEDS` that suits a plan; None if none does."""
        return find_task(plan, *self.of_seeds, self.regressor.names, self.generator.resolution)

    def find(self, picture: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Find landmarks (k, 2) and doubts (k,) in a picture (1, 3, height, width), image px."""
        with torch.no_grad():
            places, doubts = self.regressor.landmarks(picture)
        return places[0].numpy(), doubts[0].numpy()
