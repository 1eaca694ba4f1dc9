"""Pictures of a drag side by side: before and after, and a contact sheet of steps."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.inspection.plot_style import COLOURS, COLUMN, MARKERS, MOST_NAMED, finished, panels
from draggan_widget.inspection.records import not_empty

SHEET_COLUMNS = 4
TITLE = 0.2  # inches of a line of text over a panel
GAP = 0.1  # inches beside one


def plot_before_after(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the first and the last picture of a drag side by side, with an arrow from each handle to its target.

    Args:
        record: of a drag, with its generator.
        ax: its place is divided among the two; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty, or was read without its generator.
    """
    record = not_empty(record)
    pictures = [record[0].picture(), record[-1].picture()]
    width, height = pictures[0].size
    axes = panels(ax, 1, 2, (COLUMN / 2 - GAP) * height / width + TITLE)
    for panel, picture, title in zip(axes, pictures, ("start", f"step {len(record) - 1}"), strict=True):
        _show(panel, picture, title)
    thin = len(record[-1].edit) > MOST_NAMED
    _arrows(axes[0], record[-1], record[0], thin)
    _handles(axes[1], record[-1], thin)
    return finished(axes[0])


def plot_steps(record: DragRecord, count: int = 8, ax: Axes | None = None) -> Figure:
    """Draw a contact sheet: pictures of steps spread evenly over the record, the first and the last among them.

    Args:
        record: of a drag, with its generator.
        count: how many, where the record has as many.
        ax: its place is divided among them; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty, or was read without its generator.
        ConfigError: fewer than 1.
    """
    if count < 1:
        raise ConfigError(f"count is {count}; expected at least 1")
    last = len(not_empty(record)) - 1
    positions = sorted({round(float(place)) for place in np.linspace(0 if count > 1 else last, last, count)})
    columns = min(SHEET_COLUMNS, len(positions))
    rows = -(-len(positions) // columns)
    pictures = [record[position].picture() for position in positions]
    width, height = pictures[0].size
    axes = panels(ax, rows, columns, rows * ((COLUMN / columns - GAP) * height / width + TITLE))
    for panel, picture, position in zip(axes, pictures, positions, strict=False):
        _show(panel, picture, f"step {position}")
    for panel in axes[len(positions) :]:
        panel.set_axis_off()
    return finished(axes[0])


def _show(ax: Axes, picture: object, title: str) -> None:
    ax.imshow(picture)  # pyright: ignore[reportArgumentType]
    ax.set_title(title, pad=2)
    ax.set_axis_off()
    finished(ax)


def _arrows(ax: Axes, last: DragStep, first: DragStep, thin: bool) -> None:
    """From where each handle was taken to its target: the edit as it was at the end."""
    for point, (handle, target) in enumerate(zip(last.edit.handles, last.targets, strict=True)):
        colour = COLOURS[point % len(COLOURS)]
        for shade, width in (("white", 2.4), (colour, 1.2)):
            style = {"arrowstyle": "-|>", "color": shade, "linewidth": width / (2 if thin else 1), "shrinkA": 0}
            ax.annotate("", target, handle, arrowprops={**style, "shrinkB": 0, "mutation_scale": 5 if thin else 8})
    _handles(ax, first if first.edit.handles == last.edit.handles else last, thin, at_start=True)


def _handles(ax: Axes, step: DragStep, thin: bool, at_start: bool = False) -> None:
    for point, place in enumerate(step.edit.handles if at_start else step.handles):
        colour, marker = COLOURS[point % len(COLOURS)], MARKERS[point % len(MARKERS)]
        size = 2.5 if thin else 5
        ax.plot(*place, marker, color=colour, markeredgecolor="white", markeredgewidth=0.7, markersize=size)
