"""Feature maps as figures: the panels of one step, and any single map."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from torch import Tensor

from draggan_widget.counts import counted
from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.geometry import Point
from draggan_widget.inspection.cost_surface import tracking_cost
from draggan_widget.inspection.feature_maps import (
    FeatureColours,
    as_tracked,
    channels_by_variance,
    difference,
    similarity,
)
from draggan_widget.inspection.plot_style import (
    COLUMN,
    MAGNITUDE,
    SIGNED,
    SIMILARITY,
    SMALL,
    add_colour_bar,
    finish,
    make_readable,
    new_axes,
    panels,
)
from draggan_widget.inspection.records import require_steps

Extent = tuple[float, float, float, float]  # left, right, bottom, top: image px
POSITION = "#D55E00"  # vermilion of Okabe and Ito: colour of a place in a panel


def plot_features(
    record: DragRecord, config: DragConfig, position: int = -1, point: int = 0, ax: Axes | None = None
) -> Figure:
    """Draw the features of one step and the cost that the tracker computed from them.

    Panels: principal colours fitted to the whole drag; the two channels that vary most; cosine similarity to the
    feature that was under the handle at the record's first step, in the maps that the tracker compares; difference to
    that step; the tracker's cost over its search square, with a cross at the handle's position before and a dot at the
    new one. If the drag tracked in another block than `config.block`, a third channel takes the place of the cost.

    Args:
        record: record of a drag, with its generator.
        config: settings of the drag; to see another block, `config.replace(block=...)`.
        position: position of the step in the record; negative positions count from the end.
        point: number of the handle, counted from 0.
        ax: axes that the panels replace; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty, has no such step, or was read from a file without its generator.
        ConfigError: there is no such point or block.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> figure = plot_features(session.record, session.config)
    """
    record = require_steps(record)
    step = _find_step(record, position, point)
    features, start = step.features(config.block), record[0].features(config.block)
    generator = step.generator
    assert generator is not None  # else there were no features
    height, width = generator.image_size
    extent, ratio = (-0.5, width - 0.5, height - 0.5, -0.5), height / width
    axes = panels(ax, 2, 3, 2 * (COLUMN / 3 * ratio + 0.5))
    values = features.whole.cpu().numpy()
    _draw_colours(axes[0], FeatureColours.fit(record, config.block), features, extent)
    first, second, third = [*channels_by_variance(features), 0, 0][:3]
    for panel, channel in zip(axes[1:3], (first, second), strict=True):
        _draw_channel(panel, values, int(channel), extent)
    tracked, tracked_start = (as_tracked(each, generator, config) for each in (features, start))
    alike = similarity(tracked, step.edit.handles[point], generator.image_size, "cosine", tracked_start)
    _draw_map(axes[3], alike, "similarity", SIMILARITY, extent)
    _draw_place(axes[3], step.handles[point], "o")
    _draw_map(axes[4], difference(features, start), "difference", MAGNITUDE, extent)
    if step.references is not None and step.references.start.block != config.block:
        _draw_channel(axes[5], values, int(third), extent)
    else:
        _draw_cost(axes[5], record, step, point, config)
    for panel in axes:
        panel.set_xticks([])
        panel.set_yticks([])
        finish(panel)
    return finish(axes[0])


def plot_feature_map(
    values: np.ndarray | Tensor,
    image_size: tuple[int, int] | None = None,
    label: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw one map of numbers: a channel, a similarity or a difference, of any block and step.

    If some numbers are negative, the colour scale is symmetric about 0; else it goes from the smallest to the largest.

    Args:
        values: the map, row 0 at the top.
        image_size: (height, width) of the picture in px: axes in image px; None: axes in cells of the map.
        label: label of the colour bar.
        ax: axes to draw on; None makes a new figure.

    Returns:
        The matplotlib figure.

    Raises:
        ConfigError: the array does not have shape (height, width), or holds other things than finite numbers.

    Examples:
        >>> from draggan_widget import DragSession
        >>> session = DragSession("heads", seed=3)
        >>> channel = session.current.features(3).whole[0]
        >>> figure = plot_feature_map(channel, session.generator.image_size, label="channel 0 of block 3")
    """
    shown = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if shown.ndim != 2 or shown.size == 0 or shown.dtype.kind not in "biuf" or not np.isfinite(shown).all():
        raise ConfigError(
            f"the map has shape {shown.shape} and type {shown.dtype}; expected (height, width) of finite numbers"
        )
    height, width = image_size or shown.shape
    ax = new_axes(COLUMN, max(COLUMN * 0.75 * height / width, 1.2)) if ax is None else ax
    most = float(np.abs(shown).max()) or 1.0
    low, high = float(shown.min()), float(shown.max())
    limits = (-most, most) if low < 0 else (low, high if high > low else low + 1)
    colours, place = SIGNED if shown.min() < 0 else MAGNITUDE, (-0.5, width - 0.5, height - 0.5, -0.5)
    drawn = ax.imshow(shown, cmap=colours, extent=place, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    ax.set(xlabel="x, image px" if image_size else "x, cells", ylabel="y, image px" if image_size else "y, cells")
    add_colour_bar(ax, drawn, label)
    return finish(ax)


def _find_step(record: DragRecord, position: int, point: int) -> DragStep:
    if not -len(record) <= position < len(record):
        raise RecordError(f"position is {position}; the record has {counted(len(record), 'step')}, counted from 0")
    step = record[position]
    if not 0 <= point < len(step.handles):
        raise ConfigError(f"point is {point}; step {step.index} has {len(step.handles)}, counted from 0")
    return step


def _draw_colours(ax: Axes, colours: FeatureColours, features: FeatureMap, extent: Extent) -> None:
    """Draw the map in principal colours, and below it the share of the features' variance that they show."""
    ax.imshow(colours.of(features), extent=extent, interpolation="nearest")
    ax.set_title("colours")
    bar = _add_bar_below(ax, ScalarMappable())
    bar.ax.clear()
    bar.ax.set_axis_off()
    share = f"{100 * colours.explained.sum():.0f} % of variance"
    bar.ax.text(0.5, 0.0, share, transform=bar.ax.transAxes, ha="center", va="top", fontsize=SMALL)
    make_readable(bar.ax)


def _add_bar_below(ax: Axes, shown: ScalarMappable) -> Colorbar:
    figure = ax.get_figure(root=False)
    assert figure is not None
    bar = figure.colorbar(shown, ax=ax, orientation="horizontal", pad=0.03, aspect=14)
    make_readable(bar.ax)
    return bar


def _draw_map(ax: Axes, values: np.ndarray, title: str, colours: str, extent: Extent, symmetric: bool = False) -> None:
    """Draw one map with its range below; `symmetric`: the colour scale is symmetric about 0."""
    most = float(np.abs(values).max()) or 1.0
    limits = (-most, most) if symmetric else (float(values.min()), float(values.max()))
    shown = ax.imshow(values, cmap=colours, extent=extent, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    ax.set_title(title)
    bar = _add_bar_below(ax, shown)
    if limits[0] == limits[1]:
        bar.set_ticks(limits[:1], labels=[f"{limits[0]:.2g}"], fontsize=SMALL)
        return
    bar.set_ticks(limits, labels=[f"{limit:.2g}" for limit in limits], fontsize=SMALL)
    left, right = bar.ax.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")


def _draw_channel(ax: Axes, values: np.ndarray, channel: int, extent: Extent) -> None:
    _draw_map(ax, values[channel], f"channel {channel}", SIGNED, extent, symmetric=True)


def _draw_cost(ax: Axes, record: DragRecord, step: DragStep, point: int, config: DragConfig) -> None:
    found = tracking_cost(step, point, config, record)
    extent = (found.xs[0] - 0.5, found.xs[-1] + 0.5, found.ys[-1] + 0.5, found.ys[0] - 0.5)
    _draw_map(ax, found.cost, "cost", MAGNITUDE, extent)
    _draw_place(ax, found.searched_from, "x")
    _draw_place(ax, found.chosen, "o")


def _draw_place(ax: Axes, place: Point, marker: str) -> None:
    ax.plot(*place, marker, color="white", markersize=5, markeredgewidth=2.2)
    ax.plot(*place, marker, color=POSITION, markersize=4, markeredgewidth=1.2)
