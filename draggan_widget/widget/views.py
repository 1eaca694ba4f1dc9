"""Ways to show a feature map as pixels, for the inspector and for the widget's overlay.

The numbers come from `inspection`; here they only become colours.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.geometry import Point
from draggan_widget.inspection.cost_surface import TrackingCost, tracking_cost
from draggan_widget.inspection.feature_maps import FeatureColours, channels_by_variance, difference, similarity

SimilarityView = Literal["similarity", "L2"]
ViewName = Literal["colours", "difference", "similarity", "L2", "channel", "cost"]
COLOUR_MAP = "viridis"  # even in lightness, also for colour-blind readers


@dataclass(frozen=True)
class RenderedView:
    """A view of a feature map as pixels.

    Attributes:
        pixels: the view, as large as the map, or as the picture for the tracker's cost.
        caption: the meaning of the colours.
        chosen: the pixel that the tracker took, (x, y) in image px; None in the other views.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    caption: str
    chosen: Point | None = None


def heat(values: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Numbers as colours, the smallest dark and the largest light; one that is not finite counts as the smallest."""
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    shares = np.where(finite, values - low, 0.0) / (high - low if high > low else 1.0)
    return colormaps[COLOUR_MAP](shares, bytes=True)[..., :3]


def colours_view(features: FeatureMap, colours: FeatureColours) -> RenderedView:
    """The three principal components of the map as red, green and blue."""
    shares = " ".join(f"{100 * share:.0f} %" for share in colours.explained)
    return RenderedView(colours.of(features), f"three main directions as red, green, blue: {shares} of the variance")


def channel_view(features: FeatureMap, rank: int) -> RenderedView:
    """One channel; rank 1 is the channel that varies most over the map."""
    channel = int(channels_by_variance(features)[rank - 1])
    values = features.whole[channel].cpu().numpy()
    return RenderedView(heat(values), f"channel {channel}, number {rank} by variance: {_range(values)}")


def similarity_view(
    features: FeatureMap, pixel: Point, image_size: tuple[int, int], view: SimilarityView
) -> RenderedView:
    """How similar each place is to one pixel: by cosine similarity (light is similar) or L2 distance (dark is)."""
    values = similarity(features, pixel, image_size, "cosine" if view == "similarity" else view)
    measure = "cosine similarity" if view == "similarity" else f"{view} distance"
    return RenderedView(heat(values), f"{measure} to the pixel ({pixel[0]:g}, {pixel[1]:g}): {_range(values)}")


def difference_view(features: FeatureMap, start: FeatureMap) -> RenderedView:
    """How far the feature at each place is from the feature there at the start."""
    values = difference(features, start)
    return RenderedView(heat(values), f"distance to the start: {_range(values)}")


def cost_view(
    step: DragStep,
    point: int,
    config: DragConfig,
    record: DragRecord,
    picture: UInt8[np.ndarray, "height width 3"],
) -> RenderedView:
    """The tracker's cost in the square that it searched, over the picture in grey; dark is the lowest cost.

    Args:
        step: a step of a drag.
        point: number of the point, from 0.
        config: settings of the step.
        record: the record that the step belongs to.
        picture: the picture of the step.

    Raises:
        ConfigError: the step has no such point, or the point has not been tracked yet.
        RecordError: there was no drag yet.
    """
    if not step.handles:
        raise ConfigError("the tracker's cost needs a handle; set one")
    found = tracking_cost(step, point, config, record)
    grey = (picture.mean(axis=2, keepdims=True) / 2 + 64).astype(np.uint8)
    pixels = np.repeat(grey, 3, axis=2)
    pixels[_searched_pixels(found)] = heat(found.cost)
    chosen = f"({found.chosen[0]:g}, {found.chosen[1]:g})"
    caption = f"cost around handle {point + 1}, least at {chosen}: {_range(found.cost)}"
    return RenderedView(pixels, caption, found.chosen)


def cost_at_pixels(found: TrackingCost, image_size: tuple[int, int]) -> Float[np.ndarray, "height width"]:
    """The tracker's cost at each pixel that it searched; NaN at the others."""
    values = np.full(image_size, np.nan)
    values[_searched_pixels(found)] = found.cost
    return values


def _searched_pixels(found: TrackingCost) -> tuple[np.ndarray, ...]:
    return np.ix_(np.rint(found.ys).astype(int), np.rint(found.xs).astype(int))


def _range(values: Float[np.ndarray, "height width"]) -> str:
    return f"{np.nanmin(values):.3g} to {np.nanmax(values):.3g}"
