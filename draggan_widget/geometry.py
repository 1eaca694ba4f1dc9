"""Points, discs and windows; every conversion between image px and feature px.

Points are (x, y) with pixel centres at integers in both frames: feature px = (image px + 0.5) * s / S - 0.5
for a feature map of side s under a picture of side S.
"""

import math
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """A rectangle of a feature map: rows y .. y + height - 1, columns x .. x + width - 1.

    Attributes:
        y: first row, feature px.
        x: first column, feature px.
        height: number of rows.
        width: number of columns.
    """

    y: int
    x: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Its rows in the whole map."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """Its columns in the whole map."""
        return slice(self.x, self.x + self.width)

    def contains(self, other: "Window") -> bool:
        """Whether every cell of `other` lies in this window."""
        return (
            self.y <= other.y
            and self.x <= other.x
            and other.y + other.height <= self.y + self.height
            and other.x + other.width <= self.x + self.width
        )

    def inside(self, size: tuple[int, int]) -> "Window":
        """The part of the window that lies in a map of (height, width); the two must overlap."""
        y, x = max(self.y, 0), max(self.x, 0)
        return Window(y, x, min(self.y + self.height, size[0]) - y, min(self.x + self.width, size[1]) - x)


def distance(a: Point, b: Point) -> float:
    """Euclidean distance of two points, in their unit."""
    return math.hypot(b[0] - a[0], b[1] - a[1])


def unit_vector(start: Point, end: Point) -> Point:
    """Direction from `start` to `end`, of length 1; (0, 0) when they coincide."""
    length = distance(start, end)
    if length == 0.0:
        return (0.0, 0.0)
    return ((end[0] - start[0]) / length, (end[1] - start[1]) / length)


def image_to_feature(position: float, feature_side: int, image_side: int) -> float:
    """Convert one coordinate from image px to feature px."""
    return (position + 0.5) * feature_side / image_side - 0.5


def steps_inside(centre: float, radius: int, side: int) -> range:
    """Integer offsets o with |o| <= radius and 0 <= centre + o <= side - 1, for a centre inside the picture."""
    lowest = max(-radius, math.ceil(-centre))
    highest = min(radius, math.floor(side - 1 - centre))
    return range(lowest, highest + 1)
