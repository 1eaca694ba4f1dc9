"""Ways to look at a feature map, as pixels: for the inspector and for the overlay of the widget.

The numbers come from `inspection`; here they only become colours.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.geometry import Point
from draggan_widget.inspection.cost_surface import tracking_cost
from draggan_widget.inspection.feature_maps import FeatureColours, channels_by_variance, difference, similarity

ViewName = Literal["colours", "channel", "cosine", "L2", "difference", "cost"]
COLOUR_MAP = "viridis"  # even to the eye, also to the colour-blind


@dataclass(frozen=True)
class Looked:
    """A view of a map.

    Attributes:
        pixels: as large as the map, or as the picture for the tracker's cost.
        words: what the colours mean.
        chosen: the pixel that the tracker took, (x, y) in image px; None in the other views.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    words: str
    chosen: Point | None = None


def heat(values: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Numbers as colours, the smallest dark and the largest light; one that is not finite counts as the smallest."""
    from matplotlib import colormaps  # here: a widget that shows no map need not wait for matplotlib

    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    shares = np.where(finite, values - low, 0.0) / (high - low if high > low else 1.0)
    return colormaps[COLOUR_MAP](shares, bytes=True)[..., :3]


def colours_view(features: FeatureMap, colours: FeatureColours) -> Looked:
    """The map's three main directions as red, green and blue."""
    shares = " ".join(f"{100 * share:.0f} %" for share in colours.explained)
    return Looked(colours.of(features), f"three main directions as red, green, blue: {shares} of the variance")


def channel_view(features: FeatureMap, rank: int) -> Looked:
    """One channel; rank 1 is the one that varies most over the map."""
    channel = int(channels_by_variance(features)[rank - 1])
    values = features.whole[channel].cpu().numpy()
    return Looked(heat(values), f"channel {channel}, number {rank} by variance: {_range(values)}")


def similarity_view(features: FeatureMap, pixel: Point, image_size: tuple[int, int], measure: str) -> Looked:
    """How alike every place is to one pixel; light is alike for the cosine, dark for a distance."""
    values = similarity(features, pixel, image_size, measure)
    what = "cosine similarity" if measure == "cosine" else f"{measure} distance"
    return Looked(heat(values), f"{what} to the pixel ({pixel[0]:g}, {pixel[1]:g}): {_range(values)}")


def difference_view(features: FeatureMap, start: FeatureMap) -> Looked:
    """How far every place is from what it was at the start."""
    values = difference(features, start)
    return Looked(heat(values), f"distance to the start: {_range(values)}")


def cost_view(
    step: DragStep,
    point: int,
    config: DragConfig,
    record: DragRecord,
    picture: UInt8[np.ndarray, "height width 3"],
) -> Looked:
    """The tracker's cost in the square it searched, over the picture in grey; dark is the best.

    Args:
        step: of the drag.
        point: counted from 0.
        config: that the step was made with.
        record: what the step belongs to.
        picture: of the step.

    Raises:
        ConfigError: the step has no such point, or it has not been tracked yet.
        RecordError: nothing was dragged yet.
    """
    if not step.handles:
        raise ConfigError("this step has 0 points; the tracker's cost is that of a handle; set one")
    found = tracking_cost(step, point, config, record)
    grey = (picture.mean(axis=2, keepdims=True) / 2 + 64).astype(np.uint8)
    pixels = np.repeat(grey, 3, axis=2)
    rows, columns = np.rint(found.ys).astype(int), np.rint(found.xs).astype(int)
    pixels[np.ix_(rows, columns)] = heat(found.cost)
    where = f"({found.chosen[0]:g}, {found.chosen[1]:g})"
    return Looked(pixels, f"cost around handle {point + 1}, least at {where}: {_range(found.cost)}", found.chosen)


def _range(values: Float[np.ndarray, "height width"]) -> str:
    return f"{np.nanmin(values):.3g} to {np.nanmax(values):.3g}"
