"""Handles, targets and the ways come so far, drawn on a picture with Pillow; no figure around it.

Sizes grow with the picture: they are right for one 512 px wide and look the same on any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from PIL import Image, ImageColor, ImageDraw

from draggan_widget.engine.record import DragStep
from draggan_widget.geometry import Point

# Okabe and Ito, as in the widget. They stand here, not with the plots, so that a video loads no matplotlib.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
USUAL = 512  # px: the widest side for which the sizes below are meant
HANDLE, TARGET, WAY, CASING = 6.0, 11.0, 3.0, 1.8  # px there: two radii, a line's width, the white around all of it
SHARP = 4  # lines are drawn so many times larger, then scaled down: Pillow draws them without smoothing
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Mark:
    """One point as it stands at a step.

    Attributes:
        number: of the point, from 0; it gives the colour.
        target: where it should go, (x, y) in px of the picture.
        way: where its handle was, step by step, the newest last; at least one place.
    """

    number: int
    target: Point
    way: tuple[Point, ...]

    @property
    def colour(self) -> str:
        """One of Okabe and Ito's, in hexadecimal."""
        return COLOURS[self.number % len(COLOURS)]


def came_from(steps: Sequence[DragStep]) -> list[tuple[int, ...]]:
    """For each step and each of its points, the place in `steps` from which on it is the same point.

    A point stays the same while the place where the user took it stays the same; a new drag of the same points goes on.
    """
    begun: list[tuple[int, ...]] = []
    for place, step in enumerate(steps):
        older = steps[place - 1].edit.handles if place else ()
        begun.append(
            tuple(
                begun[-1][number] if number < len(older) and older[number] == handle else place
                for number, handle in enumerate(step.edit.handles)
            )
        )
    return begun


def marks_at(steps: Sequence[DragStep], place: int, begun: tuple[int, ...]) -> list[Mark]:
    """The points of one step, with the way each has come; `begun` is that step's entry of `came_from`."""
    return [
        Mark(number, target, tuple(step.handles[number] for step in steps[begun[number] : place + 1]))
        for number, target in enumerate(steps[place].targets)
    ]


def draw_marks(picture: Image.Image, marks: Sequence[Mark], scale: float = 1.0) -> Image.Image:
    """Draw points on a copy of a picture.

    Args:
        picture: RGB.
        marks: in px of the generator's picture.
        scale: px of `picture` for one of those.
    """
    drawn = picture.copy()
    if not marks:
        return drawn
    unit = max(picture.size) / USUAL
    left, upper, right, lower = _reach(marks, scale, unit, picture.size)
    if right <= left or lower <= upper:  # every point lies far outside
        return drawn
    layer = Image.new("RGBA", ((right - left) * SHARP, (lower - upper) * SHARP))
    _Pen(ImageDraw.Draw(layer), (left, upper), scale, unit).draw(marks)
    layer = layer.resize((right - left, lower - upper), Image.Resampling.BOX)
    drawn.paste(layer, (left, upper), layer)
    return drawn


def _reach(marks: Sequence[Mark], scale: float, unit: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of the picture that holds every mark: left, upper, right, lower."""
    margin = (TARGET + WAY + CASING) * unit
    xs, ys = zip(*(point for mark in marks for point in (*mark.way, mark.target)), strict=True)
    return (
        max(floor((min(xs) + 0.5) * scale - margin), 0),
        max(floor((min(ys) + 0.5) * scale - margin), 0),
        min(ceil((max(xs) + 0.5) * scale + margin), size[0]),
        min(ceil((max(ys) + 0.5) * scale + margin), size[1]),
    )


@dataclass(frozen=True)
class _Pen:
    """Draws on the enlarged layer what is given in px of the generator's picture."""

    ink: ImageDraw.ImageDraw
    origin: tuple[int, int]
    scale: float
    unit: float

    def draw(self, marks: Sequence[Mark]) -> None:
        """White under everything first, so that no point's white covers another's colour."""
        for colours in ([WHITE] * len(marks), [ImageColor.getrgb(mark.colour) for mark in marks]):
            casing = CASING if colours[0] is WHITE else 0.0
            for mark, colour in zip(marks, colours, strict=True):
                self._line(mark.way, colour, WAY + 2 * casing)
                self._ring(mark.target, colour, TARGET + casing, WAY + 2 * casing)
                self._dot(mark.way[-1], colour, HANDLE + casing)

    def _at(self, point: Point) -> Point:
        x, y = ((value + 0.5) * self.scale for value in point)
        return (x - self.origin[0]) * SHARP, (y - self.origin[1]) * SHARP

    def _line(self, way: Sequence[Point], colour: tuple[int, ...], width: float) -> None:
        if len(way) > 1:
            thick = max(round(width * self.unit * SHARP), 1)
            self.ink.line([self._at(point) for point in way], fill=colour, width=thick, joint="curve")
            self._dot(way[0], colour, width / 2)  # a round end

    def _dot(self, point: Point, colour: tuple[int, ...], radius: float) -> None:
        self.ink.ellipse(self._box(point, radius), fill=colour)

    def _ring(self, point: Point, colour: tuple[int, ...], radius: float, width: float) -> None:
        self.ink.ellipse(self._box(point, radius), outline=colour, width=round(width * self.unit * SHARP))

    def _box(self, point: Point, radius: float) -> tuple[int, int, int, int]:
        """Its first and its last pixels, which is what Pillow counts in."""
        (x, y), reach = self._at(point), radius * self.unit * SHARP
        return (round(x - reach), round(y - reach), round(x + reach) - 1, round(y + reach) - 1)
