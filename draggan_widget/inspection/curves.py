"""Curves over the steps of a drag: distances, tracking errors, latent drift."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from draggan_widget.engine.record import DragRecord
from draggan_widget.inspection.latents import travelled
from draggan_widget.inspection.plot_style import MOST_NAMED, ON_WHITE, STYLES, finished, named, new_axes, over_steps
from draggan_widget.inspection.records import not_empty


def plot_distances(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw how far each handle is from its target, step by step.

    Args:
        record: of a drag; where a continued drag begins anew is marked.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = not_empty(record), new_axes() if ax is None else ax
    _points(ax, record.distances)
    return _over_steps(ax, record, "distance to target, px")


def plot_losses(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the loss that led to each step: the whole, each handle's motion term, and the fixed part's.

    A handle at rest has no term, and the start of a drag no loss. The fixed part's is drawn where there is one.

    Args:
        record: of a drag; where a continued drag begins anew is marked.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = not_empty(record), new_axes() if ax is None else ax
    curve(ax, record.loss, "0.55", label="loss")
    _points(ax, record.motion_losses)
    if np.isfinite(record.mask_loss).any():
        curve(ax, record.mask_loss, "black", "--", "fixed part")
    return _over_steps(ax, record, "loss")


def plot_tracking_error(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the tracking error of each handle, step by step: 0 is what stood there at the start, 1 nothing of it.

    Args:
        record: of a drag; where a continued drag begins anew is marked.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = not_empty(record), new_axes() if ax is None else ax
    _points(ax, record.tracking_error)
    return _over_steps(ax, record, "tracking error")


def plot_latent_drift(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw how far the latent is from where the record began, step by step: L2 norm over all rows.

    Args:
        record: of a drag; where a continued drag begins anew is marked.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = not_empty(record), new_axes() if ax is None else ax
    curve(ax, np.linalg.norm(travelled(record), axis=1), color=ON_WHITE[4])
    return _over_steps(ax, record, "distance from start (L2)")


def curve(
    ax: Axes,
    values: Float[np.ndarray, " steps"],
    color: str,
    style: str = "-",
    label: str | None = None,
) -> None:
    """One line over the steps; a single step is a dot."""
    alone = np.isfinite(values).sum() == 1
    ax.plot(values, color=color, linestyle=style, linewidth=1.3, marker="o" if alone else "", markersize=3, label=label)


def _points(ax: Axes, values: Float[np.ndarray, "steps points"]) -> None:
    """One line a point, told apart by colour and by style."""
    many = values.shape[1] > MOST_NAMED
    for point, line in enumerate(values.T):
        label = None if many else f"handle {point + 1}"
        curve(ax, line, ON_WHITE[point % len(ON_WHITE)], STYLES[point % len(STYLES)], label)
        if many:
            ax.lines[-1].set_linewidth(0.6)
    if many:
        ax.plot([], [], color="0.3", linewidth=0.6, label=f"{values.shape[1]} handles")


def _over_steps(ax: Axes, record: DragRecord, label: str) -> Figure:
    over_steps(ax, record, label)
    ax.set_ylim(bottom=0)
    named(ax)
    return finished(ax)
