"""The paths of the handle points, as a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import RecordError
from draggan_widget.inspection.figure import new_axes

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")  # Okabe and Ito


def plot_trajectories(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw each handle's path over the last picture, with its targets.

    Args:
        record: of a drag.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure (no pyplot: it may be drawn on any thread).

    Raises:
        RecordError: the record is empty.
    """
    if len(record) == 0:
        raise RecordError("the record has 0 steps; expected at least one; start a drag first")
    if ax is None:
        ax = new_axes(5, 5)
    last = record[-1]
    if last.generator is not None:
        ax.imshow(last.picture())
        ax.set_axis_off()
    else:
        ax.invert_yaxis()
        ax.set_aspect("equal")
        ax.set(xlabel="x, image px", ylabel="y, image px")
    for point, path in enumerate(record.handles.transpose(1, 0, 2)):
        colour = COLOURS[point % len(COLOURS)]
        ax.plot(*path.T, color="white", linewidth=3.5)
        ax.plot(*path.T, color=colour, linewidth=2, label=f"handle {point + 1}")
        ax.plot(*path[~np.isnan(path[:, 0])][-1:].T, "o", color=colour, markeredgecolor="white", markersize=8)
    for point, target in enumerate(last.targets):
        ax.plot(*target, "o", markerfacecolor="none", markeredgecolor="white", markeredgewidth=4, markersize=12)
        colour = COLOURS[point % len(COLOURS)]
        ax.plot(*target, "o", markerfacecolor="none", markeredgecolor=colour, markeredgewidth=2, markersize=12)
    ax.legend(loc="lower right", fontsize="small")
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure
