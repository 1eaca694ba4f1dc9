"""Feature maps of one step as panels of a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from torch import Tensor

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
    ALIKE,
    COLUMN,
    MAGNITUDE,
    SIGNED,
    SMALL,
    finished,
    new_axes,
    panels,
    with_bar,
)
from draggan_widget.inspection.records import not_empty

Extent = tuple[float, float, float, float]  # left, right, bottom, top: image px
HERE = "#D55E00"  # vermilion; Okabe and Ito


def plot_features(
    record: DragRecord, config: DragConfig, position: int = -1, point: int = 0, ax: Axes | None = None
) -> Figure:
    """Draw what the features of one step look like and what the tracker made of them.

    Panels: principal colours fitted to the whole drag; the two channels that vary most; cosine similarity to what stood
    under the handle at the record's first step, read as the tracker reads it; difference to that step; the tracker's
    cost over its search square, with a cross where the handle was and a dot where it was found. Where the drag tracked
    in another block than asked for, a third channel takes the place of the cost.

    Args:
        record: of a drag, with its generator.
        config: the drag's own settings; for another block, `config.replace(block=...)`.
        position: of the step in the record; negative ones count from the end.
        point: of the handle, counted from 0.
        ax: its place is divided among the panels; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        RecordError: the record is empty, has no such step or was read without its generator.
        ConfigError: no such point or block.
    """
    step = _step(not_empty(record), position, point)
    features, start = step.features(config.block), record[0].features(config.block)
    generator = step.generator
    assert generator is not None  # else there were no features
    height, width = generator.image_size
    extent, ratio = (-0.5, width - 0.5, height - 0.5, -0.5), height / width
    axes = panels(ax, 2, 3, 2 * (COLUMN / 3 * ratio + 0.5))
    values = features.whole.cpu().numpy()
    _coloured(axes[0], FeatureColours.fit(record, config.block), features, extent)
    first, second, third = [*channels_by_variance(features), 0, 0][:3]
    for panel, channel in zip(axes[1:3], (first, second), strict=True):
        _channel(panel, values, int(channel), extent)
    seen, anchor = (as_tracked(m, generator, config) for m in (features, start)), step.edit.handles[point]
    alike = similarity(next(seen), anchor, generator.image_size, "cosine", next(seen))
    _map(axes[3], alike, "similarity", ALIKE, extent)
    _cross(axes[3], step.handles[point], "o")
    _map(axes[4], difference(features, start), "difference", MAGNITUDE, extent)
    if step.references is not None and step.references.start.block != config.block:
        _channel(axes[5], values, int(third), extent)
    else:
        _cost(axes[5], record, step, point, config)
    for panel in axes:
        panel.set_xticks([])
        panel.set_yticks([])
        finished(panel)
    return finished(axes[0])


def plot_feature_map(
    values: np.ndarray | Tensor,
    image_size: tuple[int, int] | None = None,
    label: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw one map of numbers: a channel, a similarity, a difference, of any block and step.

    Where some numbers are below 0, the colours go as far to either side of it; else from the smallest to the largest.

    Args:
        values: the map, row 0 at the top.
        image_size: (height, width) of the picture: axes in image px; None: in the map's own cells.
        label: of the colour bar.
        ax: where to draw; None makes a figure of its own.

    Returns:
        The matplotlib figure.

    Raises:
        ConfigError: the array is no (height, width) of finite numbers.
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
    with_bar(ax, drawn, label)
    return finished(ax)


def _step(record: DragRecord, position: int, point: int) -> DragStep:
    if not -len(record) <= position < len(record):
        raise RecordError(f"position is {position}; the record has {len(record)} steps, counted from 0")
    step = record[position]
    if not 0 <= point < len(step.handles):
        raise ConfigError(f"point is {point}; step {step.index} has {len(step.handles)}, counted from 0")
    return step


def _coloured(ax: Axes, colours: FeatureColours, features: FeatureMap, extent: Extent) -> None:
    """The map in colours; below, where the others have their range, how much of the features they show."""
    ax.imshow(colours.of(features), extent=extent, interpolation="nearest")
    ax.set_title("colours")
    bar = _below(ax, ScalarMappable())
    bar.ax.clear()
    bar.ax.set_axis_off()
    share = f"{100 * colours.explained.sum():.0f} % of variance"
    bar.ax.text(0.5, 0.0, share, transform=bar.ax.transAxes, ha="center", va="top", fontsize=SMALL)


def _below(ax: Axes, shown: ScalarMappable) -> Colorbar:
    figure = ax.get_figure(root=False)
    assert figure is not None
    return figure.colorbar(shown, ax=ax, orientation="horizontal", pad=0.03, aspect=14)


def _map(ax: Axes, values: np.ndarray, title: str, colours: str, extent: Extent, even: bool = False) -> None:
    """One map with its range below; `even`: as far to either side of 0."""
    most = float(np.abs(values).max()) or 1.0
    limits = (-most, most) if even else (float(values.min()), float(values.max()))
    shown = ax.imshow(values, cmap=colours, extent=extent, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    ax.set_title(title)
    bar = _below(ax, shown)
    if limits[0] == limits[1]:
        bar.set_ticks(limits[:1], labels=[f"{limits[0]:.2g}"], fontsize=SMALL)
        return
    bar.set_ticks(limits, labels=[f"{limit:.2g}" for limit in limits], fontsize=SMALL)
    left, right = bar.ax.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")


def _channel(ax: Axes, values: np.ndarray, channel: int, extent: Extent) -> None:
    _map(ax, values[channel], f"channel {channel}", SIGNED, extent, even=True)


def _cost(ax: Axes, record: DragRecord, step: DragStep, point: int, config: DragConfig) -> None:
    found = tracking_cost(step, point, config, record)
    extent = (found.xs[0] - 0.5, found.xs[-1] + 0.5, found.ys[-1] + 0.5, found.ys[0] - 0.5)
    _map(ax, found.cost, "cost", MAGNITUDE, extent)
    _cross(ax, found.searched_from, "x")
    _cross(ax, found.chosen, "o")


def _cross(ax: Axes, place: Point, marker: str) -> None:
    ax.plot(*place, marker, color="white", markersize=5, markeredgewidth=2.2)
    ax.plot(*place, marker, color=HERE, markersize=4, markeredgewidth=1.2)
