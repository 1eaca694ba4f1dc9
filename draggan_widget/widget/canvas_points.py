"""Handles, targets, paths and a chosen pixel, drawn on an ipycanvas in the style of the drag widget."""

from dataclasses import dataclass

from ipycanvas import Canvas

from draggan_widget.geometry import Point
from draggan_widget.inspection.draw_points import COLOURS

OUTLINE, CASING = "rgba(0, 0, 0, 0.45)", "#ffffff"
DOT, RING = 10.0, 12.0  # css px, radius of a handle and of a target
RING_WIDTH, PATH_WIDTH = 2.25, 1.75  # css px, width of the coloured line
DARK_TEXT = (0, 1, 3, 6)  # colours on which black is easier to read than white


@dataclass(frozen=True)
class CanvasPoints:
    """The points over a picture, (x, y) in image px.

    Attributes:
        handles: the handles.
        targets: the target of each handle, or none at all.
        paths: the places of each handle so far, or none at all.
        pixel: a chosen pixel, drawn as a cross.
    """

    handles: tuple[Point, ...] = ()
    targets: tuple[Point, ...] = ()
    paths: tuple[tuple[Point, ...], ...] = ()
    pixel: Point | None = None


def draw_points(layer: Canvas, points: CanvasPoints, scale: float, dense: float) -> None:
    """Draw points on a canvas.

    Args:
        layer: an empty canvas.
        points: the points, in image px.
        scale: canvas px per image px.
        dense: canvas px per css px; dots and lines keep their size on the screen.
    """

    def placed(point: Point) -> Point:
        return ((point[0] + 0.5) * scale, (point[1] + 0.5) * scale)

    layer.line_cap = layer.line_join = "round"
    for number, path in enumerate(points.paths):
        _draw_path(layer, [placed(point) for point in path], _colour(number), dense)
    for number, target in enumerate(points.targets):
        _draw_ring(layer, placed(target), RING * dense, _colour(number), dense)
    for number, handle in enumerate(points.handles):
        _draw_dot(layer, placed(handle), number, dense)
    if points.pixel is not None:
        _draw_cross(layer, placed(points.pixel), dense)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _strokes(colour: str, width: float, dense: float) -> tuple[tuple[str, float], ...]:
    """Colour and width (canvas px) of the strokes dark, white, coloured: a line that shows on any picture."""
    return ((OUTLINE, (width + 3.5) * dense), (CASING, (width + 2.25) * dense), (colour, width * dense))


def _draw_path(layer: Canvas, path: list[Point], colour: str, dense: float) -> None:
    if len(path) < 2:
        return
    for style, width in _strokes(colour, PATH_WIDTH, dense):
        layer.stroke_style, layer.line_width = style, width
        layer.stroke_lines(path)


def _draw_ring(layer: Canvas, at: Point, radius: float, colour: str, dense: float) -> None:
    for style, width in _strokes(colour, RING_WIDTH, dense):
        layer.stroke_style, layer.line_width = style, width
        layer.stroke_circle(*at, radius)


def _draw_dot(layer: Canvas, at: Point, number: int, dense: float) -> None:
    layer.fill_style = OUTLINE
    layer.fill_circle(*at, (DOT + 2.25) * dense)
    layer.fill_style = CASING
    layer.fill_circle(*at, (DOT + 1.5) * dense)
    layer.fill_style = _colour(number)
    layer.fill_circle(*at, DOT * dense)
    layer.fill_style = "#000000" if number % len(COLOURS) in DARK_TEXT else "#ffffff"
    layer.font = f"700 {round(14 * dense)}px sans-serif"
    layer.text_align, layer.text_baseline = "center", "middle"
    layer.fill_text(str(number + 1), *at)


def _draw_cross(layer: Canvas, at: Point, dense: float) -> None:
    x, y = at
    for style, width in ((OUTLINE, 4 * dense), (CASING, 2 * dense)):
        layer.stroke_style, layer.line_width = style, width
        for inner, outer in ((4 * dense, 11 * dense), (-4 * dense, -11 * dense)):
            layer.stroke_line(x + inner, y, x + outer, y)
            layer.stroke_line(x, y + inner, x, y + outer)
