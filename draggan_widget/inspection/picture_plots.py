"""Pictures of a drag side by side: before and after, and a contact sheet of steps."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.inspection.plot_style import COLOURS, COLUMN, MARKERS, MOST_LABELLED, finish, panels
from draggan_widget.inspection.records import require_steps

SHEET_COLUMNS = 4
TITLE = 0.2  # inches, height of the title above a panel
GAP = 0.1  # inches between panels


def plot_before_after(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the first and the last picture of a drag side by side, with an arrow from each handle to its target.

    Args:
        record: record of a drag, with its generator.
        ax: axes that the two panels replace; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty, or was read without its generator.
    """
    record = require_steps(record)
    pictures = [record[0].picture(), record[-1].picture()]
    width, height = pictures[0].size
    axes = panels(ax, 1, 2, (COLUMN / 2 - GAP) * height / width + TITLE)
    for panel, picture, title in zip(axes, pictures, ("start", f"step {len(record) - 1}"), strict=True):
        _draw_picture(panel, picture, title)
    thin = len(record[-1].edit) > MOST_LABELLED
    _draw_arrows(axes[0], record[-1], record[0], thin)
    _draw_handles(axes[1], record[-1], thin)
    return finish(axes[0])


def plot_steps(record: DragRecord, count: int = 8, ax: Axes | None = None) -> Figure:
    """Draw a contact sheet: pictures of steps spread evenly over the record, the first and the last included.

    Args:
        record: record of a drag, with its generator.
        count: number of pictures; a shorter record shows all of its steps.
        ax: axes that the panels replace; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty, or was read without its generator.
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"count is {count}; expected at least 1")
    record = require_steps(record)
    last = len(record) - 1
    positions = sorted({round(float(place)) for place in np.linspace(0 if count > 1 else last, last, count)})
    columns = min(SHEET_COLUMNS, len(positions))
    rows = -(-len(positions) // columns)
    pictures = [record[position].picture() for position in positions]
    width, height = pictures[0].size
    axes = panels(ax, rows, columns, rows * ((COLUMN / columns - GAP) * height / width + TITLE))
    for panel, picture, position in zip(axes, pictures, positions, strict=False):
        _draw_picture(panel, picture, f"step {position}")
    for panel in axes[len(positions) :]:
        panel.set_axis_off()
    return finish(axes[0])


def _draw_picture(ax: Axes, picture: object, title: str) -> None:
    ax.imshow(picture)  # pyright: ignore[reportArgumentType]
    ax.set_title(title, pad=2)
    ax.set_axis_off()
    finish(ax)


def _draw_arrows(ax: Axes, last: DragStep, first: DragStep, thin: bool) -> None:
    """Draw an arrow from each handle of the last step's edit to its target."""
    for point, (handle, target) in enumerate(zip(last.edit.handles, last.targets, strict=True)):
        colour = COLOURS[point % len(COLOURS)]
        for shade, width in (("white", 2.4), (colour, 1.2)):
            style = {"arrowstyle": "-|>", "color": shade, "linewidth": width / (2 if thin else 1), "shrinkA": 0}
            ax.annotate("", target, handle, arrowprops={**style, "shrinkB": 0, "mutation_scale": 5 if thin else 8})
    _draw_handles(ax, first if first.edit.handles == last.edit.handles else last, thin, at_start=True)


def _draw_handles(ax: Axes, step: DragStep, thin: bool, at_start: bool = False) -> None:
    for point, place in enumerate(step.edit.handles if at_start else step.handles):
        colour, marker = COLOURS[point % len(COLOURS)], MARKERS[point % len(MARKERS)]
        size = 2.5 if thin else 5
        ax.plot(*place, marker, color=colour, markeredgecolor="white", markeredgewidth=0.7, markersize=size)
