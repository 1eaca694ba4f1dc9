"""Latents as figures: every row at every step, and the path through W."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ConfigError
from draggan_widget.inspection.contrast import ground_of
from draggan_widget.inspection.latents import WComponents, travelled
from draggan_widget.inspection.plot_style import (
    COLUMN,
    MAGNITUDE,
    add_colour_bar,
    add_legend,
    finish,
    label_step_axis,
    line_colour,
    new_axes,
    point_colour,
)
from draggan_widget.inspection.records import require_steps


def plot_latent_rows(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the distance of each row of the latent from its start at every step, as a heat map.

    Args:
        record: record of a drag; a dotted line marks where a continued drag begins.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record = require_steps(record)
    far = travelled(record)
    ax = new_axes() if ax is None else ax
    limits = {"vmin": 0, "vmax": far.max() or 1.0}
    shown = ax.imshow(far.T, aspect="auto", origin="lower", interpolation="nearest", cmap=MAGNITUDE, **limits)
    label_step_axis(ax, record, "row of ws")
    for line in ax.lines:
        line.set(color="white", zorder=2)
    ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    add_colour_bar(ax, shown, "distance from start")
    return finish(ax)


def plot_latent_components(
    record: DragRecord, components: WComponents, row: int | None = None, ax: Axes | None = None
) -> Figure:
    """Draw the path of the latent over the first two principal components of W, in standard deviations.

    Two circles mark one and two standard deviations from the mean: the w of most seeds lie inside the second circle.

    Args:
        record: record of a drag; a cross marks where a continued drag begins.
        components: principal components of the generator's W.
        row: row of ws; None takes the row that travelled furthest.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
        ConfigError: there is no such row, or the components belong to another generator.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> from draggan_widget.inspection import WComponents
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> components = WComponents.fit(session.generator, samples=500)
        >>> figure = plot_latent_components(session.record, components)
    """
    record = require_steps(record)
    far = travelled(record)[-1]
    row = int(far.argmax()) if row is None else row
    if not 0 <= row < len(far):
        raise ConfigError(f"row is {row}; ws has {len(far)} rows, counted from 0")
    deviations = np.sqrt(np.maximum(components.variance[:2], 1e-24))
    path = components.project(record.ws[:, row])[:, :2] / deviations
    ax = new_axes(COLUMN, COLUMN) if ax is None else ax
    ground = ground_of(ax)
    faint = line_colour("0.75", ground)
    for radius in (1, 2):
        ax.add_patch(Circle((0, 0), radius, fill=False, color=faint, linewidth=0.8, linestyle="--"))
    ax.plot(*path.T, color=point_colour(ax, 4), linewidth=1.3, marker=".", markersize=2.5)
    ax.plot(*path[0], "s", color=point_colour(ax, 0), markersize=6, label="start")
    ax.plot(*path[-1], "o", color=point_colour(ax, 5), markersize=6, label="end")
    restarts = path[record.starts[1:]] if record.starts[:1] == [0] else path[record.starts]
    if len(restarts):
        ax.plot(*restarts.T, "x", color=line_colour("0.3", ground), markersize=5, label="resumed")
    x, y = (f"component {n + 1}, std ({100 * components.explained[n]:.1f} %)" for n in range(2))
    ax.set(xlabel=x, ylabel=y)
    ax.set_aspect("equal", adjustable="datalim")
    ax.spines[["top", "right"]].set_visible(False)
    add_legend(ax)
    return finish(ax)
