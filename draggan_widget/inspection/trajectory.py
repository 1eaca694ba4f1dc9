"""The paths of the handle points, as a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from draggan_widget.engine.record import DragRecord
from draggan_widget.inspection.contrast import ground_of
from draggan_widget.inspection.plot_style import (
    COLUMN,
    MARKERS,
    MOST_LABELLED,
    STYLES,
    add_legend,
    finish,
    line_colour,
    new_axes,
    point_colour,
)
from draggan_widget.inspection.records import require_steps

LEGEND = 0.35  # inches, height of the legend above the picture


def plot_trajectories(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw each handle's path over the last picture, from the place where the user put it; a ring is its target.

    Small crosses mark where a continued drag begins.

    Args:
        record: record of a drag; one read from a file without its generator is drawn without a picture.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure, made without pyplot: it may be drawn on any thread.

    Raises:
        RecordError: the record is empty.
    """
    record = require_steps(record)
    last = record[-1]
    picture = None if last.generator is None else last.picture()
    if ax is None:
        ratio = 1.0 if picture is None else picture.height / picture.width
        ax = new_axes(COLUMN, min(COLUMN, COLUMN * ratio + LEGEND))
    if picture is not None:
        ax.imshow(picture)  # pyright: ignore[reportArgumentType]
        ax.set_axis_off()
    else:
        ax.invert_yaxis()
        ax.set_aspect("equal")
        ax.set(xlabel="x, image px", ylabel="y, image px")
    paths = record.handles.transpose(1, 0, 2)
    for point, path in enumerate(paths):
        _draw_path(ax, path, point, len(paths) > MOST_LABELLED)
    restarts = paths[:, [start for start in record.starts if start > 0]].reshape(-1, 2)
    if np.isfinite(restarts).any():
        cross = "black" if ax.images else line_colour("black", ground_of(ax))
        ax.plot(*restarts.T, "x", color=_edge_colour(ax), markersize=4.5, markeredgewidth=2)
        ax.plot(*restarts.T, "x", color=cross, markersize=4, markeredgewidth=0.9, label="resumed")
    for point, target in enumerate(last.targets):
        _draw_ring(ax, target, point, len(last.targets) > MOST_LABELLED)
    add_legend(ax)
    return finish(ax)


def _edge_colour(ax: Axes) -> ColorType:
    """The colour of the edge that sets lines apart: white over a picture, else the ground of the axes."""
    return "white" if ax.images else ground_of(ax)


def _draw_path(ax: Axes, path: np.ndarray, point: int, thin: bool) -> None:
    colour, width = point_colour(ax, point), 0.8 if thin else 1.5
    style, marker = STYLES[point % len(STYLES)], MARKERS[point % len(MARKERS)]
    label = None if thin else f"handle {point + 1}"
    ax.plot(*path.T, color=_edge_colour(ax), linewidth=2 * width)
    ax.plot(*path.T, color=colour, linestyle=style, linewidth=width, label=label)
    last = path[~np.isnan(path[:, 0])][-1:].T
    edge, size = _edge_colour(ax), 3 if thin else 5.5
    ax.plot(*last, marker, color=colour, markeredgecolor=edge, markersize=size, markeredgewidth=0.8)


def _draw_ring(ax: Axes, target: tuple[float, float], point: int, thin: bool) -> None:
    size = 4 if thin else 8
    for colour, width in ((_edge_colour(ax), 2.8), (point_colour(ax, point), 1.4)):
        ax.plot(*target, "o", markerfacecolor="none", markeredgecolor=colour, markeredgewidth=width, markersize=size)
