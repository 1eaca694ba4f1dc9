"""Latents as figures: every row at every step, and the way through W."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ConfigError
from draggan_widget.inspection.latents import WComponents, travelled
from draggan_widget.inspection.plot_style import (
    COLUMN,
    MAGNITUDE,
    ON_WHITE,
    finished,
    named,
    new_axes,
    over_steps,
    with_bar,
)
from draggan_widget.inspection.records import not_empty


def plot_latent_rows(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw how far each row of the latent is from its start at every step, as a heat map.

    Args:
        record: of a drag; where a continued drag begins anew is marked.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    far = travelled(not_empty(record))
    ax = new_axes() if ax is None else ax
    limits = {"vmin": 0, "vmax": far.max() or 1.0}
    shown = ax.imshow(far.T, aspect="auto", origin="lower", interpolation="nearest", cmap=MAGNITUDE, **limits)
    over_steps(ax, record, "row of ws")
    for line in ax.lines:
        line.set(color="white", zorder=2)
    ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    with_bar(ax, shown, "distance from start")
    return finished(ax)


def plot_latent_components(
    record: DragRecord, components: WComponents, row: int | None = None, ax: Axes | None = None
) -> Figure:
    """Draw the way of the latent over the first two principal components of W, in standard deviations.

    Circles stand at one and two of them from the mean: most seeds lie inside the second.

    Args:
        record: of a drag; where a continued drag begins anew is marked.
        components: of the generator's W.
        row: which row of ws; None takes the one that travelled furthest.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
        ConfigError: no such row, or components of another generator.
    """
    far = travelled(not_empty(record))[-1]
    row = int(far.argmax()) if row is None else row
    if not 0 <= row < len(far):
        raise ConfigError(f"row is {row}; ws has {len(far)} rows, counted from 0")
    deviations = np.sqrt(np.maximum(components.variance[:2], 1e-24))
    way = components.project(record.ws[:, row])[:, :2] / deviations
    ax = new_axes(COLUMN, COLUMN) if ax is None else ax
    for radius in (1, 2):
        ax.add_patch(Circle((0, 0), radius, fill=False, color="0.75", linewidth=0.8, linestyle="--"))
    ax.plot(*way.T, color=ON_WHITE[4], linewidth=1.3, marker=".", markersize=2.5)
    ax.plot(*way[0], "s", color=ON_WHITE[0], markersize=6, label="start")
    ax.plot(*way[-1], "o", color=ON_WHITE[5], markersize=6, label="end")
    anew = way[record.starts[1:]] if record.starts[:1] == [0] else way[record.starts]
    if len(anew):
        ax.plot(*anew.T, "x", color="0.3", markersize=5, label="begun anew")
    x, y = (f"component {n + 1}, std ({100 * components.explained[n]:.1f} %)" for n in range(2))
    ax.set(xlabel=x, ylabel=y)
    ax.set_aspect("equal", adjustable="datalim")
    ax.spines[["top", "right"]].set_visible(False)
    named(ax)
    return finished(ax)
