"""Curves over the steps of a drag: distances, losses, tracking errors, latent drift."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from draggan_widget.engine.record import DragRecord
from draggan_widget.inspection.contrast import ground_of
from draggan_widget.inspection.latents import travelled
from draggan_widget.inspection.plot_style import (
    MOST_LABELLED,
    STYLES,
    add_legend,
    finish,
    label_step_axis,
    line_colour,
    new_axes,
    point_colour,
)
from draggan_widget.inspection.records import require_steps


def plot_distances(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the distance of each handle to its target, step by step.

    Args:
        record: record of a drag; a dotted line marks where a continued drag begins.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = require_steps(record), new_axes() if ax is None else ax
    _draw_point_curves(ax, record.distances)
    return _finish_curves(ax, record, "distance to target, px")


def plot_losses(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the loss that led to each step: the total, each handle's motion term, and the fixed region's term.

    A handle that has arrived has no term, and the start of a drag has no loss. The fixed region's term is drawn where
    the edit has a mask.

    Args:
        record: record of a drag; a dotted line marks where a continued drag begins.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = require_steps(record), new_axes() if ax is None else ax
    _draw_curve(ax, record.loss, line_colour("0.55", ground_of(ax)), label="loss")
    _draw_point_curves(ax, record.motion_losses)
    if np.isfinite(record.mask_loss).any():
        _draw_curve(ax, record.mask_loss, line_colour("black", ground_of(ax)), "--", "fixed part")
    return _finish_curves(ax, record, "loss")


def plot_tracking_error(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the tracking error of each handle, step by step.

    0: the handle stands on the same features as at the start; 1: on features that have nothing in common with them.

    Args:
        record: record of a drag; a dotted line marks where a continued drag begins.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = require_steps(record), new_axes() if ax is None else ax
    _draw_point_curves(ax, record.tracking_error)
    return _finish_curves(ax, record, "tracking error")


def plot_latent_drift(record: DragRecord, ax: Axes | None = None) -> Figure:
    """Draw the distance of the latent from the record's first latent, step by step: L2 norm over all rows.

    Args:
        record: record of a drag; a dotted line marks where a continued drag begins.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty.
    """
    record, ax = require_steps(record), new_axes() if ax is None else ax
    _draw_curve(ax, np.linalg.norm(travelled(record), axis=1), point_colour(ax, 4))
    return _finish_curves(ax, record, "distance from start (L2)")


def _draw_curve(
    ax: Axes,
    values: Float[np.ndarray, " steps"],
    color: ColorType,
    style: str = "-",
    label: str | None = None,
) -> None:
    """Draw one line over the steps; a single step is a dot."""
    alone = np.isfinite(values).sum() == 1
    ax.plot(values, color=color, linestyle=style, linewidth=1.3, marker="o" if alone else "", markersize=3, label=label)


def _draw_point_curves(ax: Axes, values: Float[np.ndarray, "steps points"]) -> None:
    """Draw one line for each point; lines differ in colour and in style."""
    many = values.shape[1] > MOST_LABELLED
    for point, line in enumerate(values.T):
        label = None if many else f"handle {point + 1}"
        _draw_curve(ax, line, point_colour(ax, point), STYLES[point % len(STYLES)], label)
        if many:
            ax.lines[-1].set_linewidth(0.6)
    if many:
        ax.plot([], [], color=line_colour("0.3", ground_of(ax)), linewidth=0.6, label=f"{values.shape[1]} handles")


def _finish_curves(ax: Axes, record: DragRecord, label: str) -> Figure:
    label_step_axis(ax, record, label)
    ax.set_ylim(bottom=0)
    add_legend(ax)
    return finish(ax)
