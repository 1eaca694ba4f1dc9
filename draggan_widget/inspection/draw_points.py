"""Handles, targets and the handles' paths so far, drawn on a picture with Pillow.

Sizes grow with the picture: they are made for a picture 512 px wide and look the same on any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from PIL import Image, ImageColor, ImageDraw

from draggan_widget.engine.record import DragStep
from draggan_widget.geometry import Point

# Okabe and Ito, as in the widget. They stand here, not with the plots, so that a video loads no matplotlib.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
REFERENCE_SIDE = 512  # px: longer side of the picture that the four sizes below are made for
HANDLE, TARGET = 6.0, 11.0  # px: radii
PATH, CASING = 3.0, 1.8  # px: width of a path's line; width of the white edge around every shape
OVERSAMPLING = 4  # points are drawn this many times larger and scaled down: Pillow draws without smoothing
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class DrawnPoint:
    """One point of an edit at one step.

    Attributes:
        number: number of the point, from 0; it chooses the colour.
        target: target, (x, y) in px of the generator's picture.
        path: positions of its handle, step by step, the newest last; at least one.
    """

    number: int
    target: Point
    path: tuple[Point, ...]

    @property
    def colour(self) -> str:
        """Colour of the point, in hexadecimal."""
        return COLOURS[self.number % len(COLOURS)]


def point_starts(steps: Sequence[DragStep]) -> list[tuple[int, ...]]:
    """For each step, and for each of its points, the position in `steps` of the first step that has the same point.

    A point stays the same as long as the user's handle stays at the same place, through continued drags too.
    """
    starts: list[tuple[int, ...]] = []
    for position, step in enumerate(steps):
        older = steps[position - 1].edit.handles if position else ()
        starts.append(
            tuple(
                starts[-1][number] if number < len(older) and older[number] == handle else position
                for number, handle in enumerate(step.edit.handles)
            )
        )
    return starts


def points_at(steps: Sequence[DragStep], position: int, starts: tuple[int, ...]) -> list[DrawnPoint]:
    """The points of one step with their paths so far; `starts` is that step's entry of `point_starts`."""
    return [
        DrawnPoint(number, target, tuple(step.handles[number] for step in steps[starts[number] : position + 1]))
        for number, target in enumerate(steps[position].targets)
    ]


def draw_points(picture: Image.Image, points: Sequence[DrawnPoint], scale: float = 1.0) -> Image.Image:
    """Draw points on a copy of a picture.

    Args:
        picture: RGB picture.
        points: points, in px of the generator's picture.
        scale: px of `picture` for one px of the generator's picture.

    Returns:
        The copy.
    """
    drawn = picture.copy()
    if not points:
        return drawn
    unit = max(picture.size) / REFERENCE_SIDE
    left, upper, right, lower = _bounding_box(points, scale, unit, picture.size)
    if right <= left or lower <= upper:  # every point lies far outside
        return drawn
    layer = Image.new("RGBA", ((right - left) * OVERSAMPLING, (lower - upper) * OVERSAMPLING))
    _Pen(ImageDraw.Draw(layer), (left, upper), scale, unit).draw(points)
    layer = layer.resize((right - left, lower - upper), Image.Resampling.BOX)
    drawn.paste(layer, (left, upper), layer)
    return drawn


def _bounding_box(
    points: Sequence[DrawnPoint], scale: float, unit: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The part of the picture that holds every point: left, upper, right, lower."""
    margin = (TARGET + PATH + CASING) * unit
    xs, ys = zip(*(place for point in points for place in (*point.path, point.target)), strict=True)
    return (
        max(floor((min(xs) + 0.5) * scale - margin), 0),
        max(floor((min(ys) + 0.5) * scale - margin), 0),
        min(ceil((max(xs) + 0.5) * scale + margin), size[0]),
        min(ceil((max(ys) + 0.5) * scale + margin), size[1]),
    )


@dataclass(frozen=True)
class _Pen:
    """Draws shapes, given in px of the generator's picture, on the enlarged layer.

    Attributes:
        ink: drawing interface of the layer.
        origin: left upper corner of the layer, px of the picture.
        scale: px of the picture for one px of the generator's picture.
        unit: px of the picture for one px of the reference size.
    """

    ink: ImageDraw.ImageDraw
    origin: tuple[int, int]
    scale: float
    unit: float

    def draw(self, points: Sequence[DrawnPoint]) -> None:
        """Draw all white edges first, so that the edge of one point never covers the colour of another."""
        for colours in ([WHITE] * len(points), [ImageColor.getrgb(point.colour) for point in points]):
            casing = CASING if colours[0] is WHITE else 0.0
            for point, colour in zip(points, colours, strict=True):
                self._line(point.path, colour, PATH + 2 * casing)
                self._ring(point.target, colour, TARGET + casing, PATH + 2 * casing)
                self._dot(point.path[-1], colour, HANDLE + casing)

    def _at(self, point: Point) -> Point:
        x, y = ((value + 0.5) * self.scale for value in point)
        return (x - self.origin[0]) * OVERSAMPLING, (y - self.origin[1]) * OVERSAMPLING

    def _line(self, path: Sequence[Point], colour: tuple[int, ...], width: float) -> None:
        if len(path) > 1:
            thick = max(round(width * self.unit * OVERSAMPLING), 1)
            self.ink.line([self._at(point) for point in path], fill=colour, width=thick, joint="curve")
            self._dot(path[0], colour, width / 2)  # a round end

    def _dot(self, point: Point, colour: tuple[int, ...], radius: float) -> None:
        self.ink.ellipse(self._box(point, radius), fill=colour)

    def _ring(self, point: Point, colour: tuple[int, ...], radius: float, width: float) -> None:
        self.ink.ellipse(self._box(point, radius), outline=colour, width=round(width * self.unit * OVERSAMPLING))

    def _box(self, point: Point, radius: float) -> tuple[int, int, int, int]:
        """First and last pixels of a circle, as Pillow takes them."""
        (x, y), reach = self._at(point), radius * self.unit * OVERSAMPLING
        return (round(x - reach), round(y - reach), round(x + reach) - 1, round(y + reach) - 1)
