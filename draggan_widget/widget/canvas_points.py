"""Handles, targets, ways and a chosen pixel, drawn on an ipycanvas as the widget draws its own."""

from dataclasses import dataclass

from ipycanvas import Canvas

from draggan_widget.geometry import Point
from draggan_widget.inspection.draw_points import COLOURS

OUTLINE, CASING = "rgba(0, 0, 0, 0.45)", "#ffffff"
DOT, RING = 7.0, 9.0  # css px, radius of a handle and of a target
SHAFT, WAY = 2.25, 1.75  # css px, width of a ring's and of a way's coloured line
DARK = (0, 1, 3, 6)  # colours on which black is read best


@dataclass(frozen=True)
class Marks:
    """What lies over a picture, (x, y) in image px.

    Attributes:
        handles: where they are.
        targets: where they should go; as many, or none.
        ways: of each handle so far; as many, or none.
        pixel: a chosen one.
    """

    handles: tuple[Point, ...] = ()
    targets: tuple[Point, ...] = ()
    ways: tuple[tuple[Point, ...], ...] = ()
    pixel: Point | None = None


def draw_marks(layer: Canvas, marks: Marks, scale: float, dense: float) -> None:
    """Draw them.

    Args:
        layer: an empty canvas.
        marks: in image px.
        scale: canvas px per image px.
        dense: canvas px per css px; the marks keep their size on the screen.
    """

    def placed(point: Point) -> Point:
        return ((point[0] + 0.5) * scale, (point[1] + 0.5) * scale)

    layer.line_cap = layer.line_join = "round"
    for number, way in enumerate(marks.ways):
        _way(layer, [placed(point) for point in way], _colour(number), dense)
    for number, target in enumerate(marks.targets):
        _ring(layer, placed(target), RING * dense, _colour(number), dense)
    for number, handle in enumerate(marks.handles):
        _dot(layer, placed(handle), number, dense)
    if marks.pixel is not None:
        _cross(layer, placed(marks.pixel), dense)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _layers(colour: str, width: float, dense: float) -> tuple[tuple[str, float], ...]:
    """A coloured line readable on anything: dark, white, coloured; widths in canvas px."""
    return ((OUTLINE, (width + 3.5) * dense), (CASING, (width + 2.25) * dense), (colour, width * dense))


def _way(layer: Canvas, way: list[Point], colour: str, dense: float) -> None:
    if len(way) < 2:
        return
    for style, width in _layers(colour, WAY, dense):
        layer.stroke_style, layer.line_width = style, width
        layer.stroke_lines(way)


def _ring(layer: Canvas, at: Point, radius: float, colour: str, dense: float) -> None:
    for style, width in _layers(colour, SHAFT, dense):
        layer.stroke_style, layer.line_width = style, width
        layer.stroke_circle(*at, radius)


def _dot(layer: Canvas, at: Point, number: int, dense: float) -> None:
    layer.fill_style = OUTLINE
    layer.fill_circle(*at, (DOT + 2.25) * dense)
    layer.fill_style = CASING
    layer.fill_circle(*at, (DOT + 1.5) * dense)
    layer.fill_style = _colour(number)
    layer.fill_circle(*at, DOT * dense)
    layer.fill_style = "#000000" if number % len(COLOURS) in DARK else "#ffffff"
    layer.font = f"700 {round(10 * dense)}px sans-serif"
    layer.text_align, layer.text_baseline = "center", "middle"
    layer.fill_text(str(number + 1), *at)


def _cross(layer: Canvas, at: Point, dense: float) -> None:
    x, y = at
    for style, width in ((OUTLINE, 4 * dense), (CASING, 2 * dense)):
        layer.stroke_style, layer.line_width = style, width
        for inner, outer in ((4 * dense, 11 * dense), (-4 * dense, -11 * dense)):
            layer.stroke_line(x + inner, y, x + outer, y)
            layer.stroke_line(x, y + inner, x, y + outer)
