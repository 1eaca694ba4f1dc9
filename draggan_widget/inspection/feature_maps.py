"""Views of a feature map, as arrays: principal colours, channels, similarity to a pixel, difference to the start.

A map is a `FeatureMap` (`step.features(block)`) or an array (`record.features(block)[k]`). Every function returns a
NumPy array of the map's own height and width, row 0 at the top.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.generators.feature_map import FeatureMap, read_point
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import Point
from draggan_widget.inspection.pca import principal_components
from draggan_widget.inspection.records import require_steps
from draggan_widget.torch_modes import in_own_modes

Features = (
    FeatureMap | Float[np.ndarray, "_ _ _"]
)  # (channels, height, width); unnamed axes: the functions compare shapes themselves

MEASURES = ("cosine", "L2", "L1")
SAMPLED_CELLS = 2**16  # cells of each map that colours are fitted to: enough for a covariance at every map size
LIMITS = (1.0, 99.0)  # percentiles that become 0 and 255, so that a few extreme cells do not darken the rest


@dataclass(frozen=True, eq=False)
class FeatureColours:
    """The first three principal components of a drag's features, shown as red, green and blue.

    They are fitted once for a drag, so that a colour means the same feature at every step.

    Attributes:
        mean: mean feature vector.
        components: the three directions of most variance, unit vectors.
        low: value along each direction that becomes 0.
        high: value along each direction that becomes 255.
        explained: share of the features' variance along each direction.

    Examples:
        >>> from draggan_widget import DragSession
        >>> step = DragSession("heads").current
        >>> FeatureColours.fit(step, block=3).of(step.features(3)).shape
        (64, 64, 3)
    """

    mean: Float[np.ndarray, " channels"]
    components: Float[np.ndarray, "3 channels"]
    low: Float[np.ndarray, " 3"]
    high: Float[np.ndarray, " 3"]
    explained: Float[np.ndarray, " 3"]

    @classmethod
    def fit(cls, drag: DragRecord | DragStep, block: int) -> "FeatureColours":
        """Fit the colours to the first, middle and last map of a record, or to the one map of a step.

        Args:
            drag: a record, or one step.
            block: block of the feature map, counted from 0, the smallest.

        Returns:
            The colours; the same maps always give the same colours.

        Raises:
            RecordError: the record is empty, or was read from a file without its generator.
            ConfigError: the generator has no such block.
        """
        cells = np.concatenate([_cells(step.features(block)) for step in _fitted_steps(drag)])
        found = principal_components(cells)
        components = np.zeros((3, cells.shape[1]))  # where a map has fewer channels, the other colours stay even
        components[: len(found.components)] = found.components[:3]
        low, high = np.percentile((cells - found.mean) @ components.T, LIMITS, axis=0)
        shares = np.pad(found.variance[:3] / max(found.variance.sum(), 1e-300), (0, max(0, 3 - len(found.variance))))
        return cls(found.mean, components, low, high, shares)

    def of(self, features: Features) -> UInt8[np.ndarray, "height width 3"]:
        """Show a map of the same block in these colours.

        Returns:
            RGB picture.

        Raises:
            ConfigError: the map has another number of channels.
        """
        values = _array(features)
        if len(values) != len(self.mean):
            raise ConfigError(
                f"the map has {len(values)} channels; these colours were fitted to {len(self.mean)}; fit them to the "
                "same block"
            )
        along = np.tensordot(self.components, values - self.mean[:, None, None], axes=1)
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        scaled = (along - self.low[:, None, None]) / span[:, None, None]
        return np.rint(scaled.clip(0.0, 1.0) * 255).astype(np.uint8).transpose(1, 2, 0)


def channels_by_variance(features: Features) -> Int[np.ndarray, " channels"]:
    """The numbers of the channels, in falling order of their variance over the map."""
    return np.argsort(-_array(features).var(axis=(1, 2)), kind="stable")


def difference(features: Features, start: Features) -> Float[np.ndarray, "height width"]:
    """Distance (L2 norm) of each cell's feature from the same cell of another map, usually the map of the drag's start.

    Args:
        features: the map.
        start: another map of the same block.

    Raises:
        ConfigError: the maps have different shapes.
    """
    now, before = _array(features), _array(start)
    if now.shape != before.shape:
        raise ConfigError(f"the maps have shapes {now.shape} and {before.shape}; expected two maps of one block")
    return np.linalg.norm(now - before, axis=0)


@in_own_modes
def similarity(
    features: Features,
    at: Point,
    image_size: tuple[int, int],
    measure: str = "cosine",
    seen_in: Features | None = None,
) -> Float[np.ndarray, "height width"]:
    """Similarity of each cell of a map to the feature at one pixel.

    To see what the tracker compares, take both maps from `as_tracked`, `measure=config.tracking_norm`, and as `seen_in`
    the map of the drag's start: the tracker follows the feature that was under the handle there.

    Args:
        features: the map.
        at: the pixel, (x, y) in image px; its feature is read bilinearly between the cells, as in a drag.
        image_size: (height, width) of the picture in px.
        measure: "cosine" (1: same direction), or the distance "L2" or "L1" (0: same feature).
        seen_in: map of the same block from which the pixel's feature is read; None: from `features`.

    Raises:
        ConfigError: the measure is unknown, the pixel is outside the picture, or the maps have different shapes.

    Examples:
        >>> from draggan_widget import DragSession
        >>> step = DragSession("heads").current
        >>> similarity(step.features(3), at=(64, 64), image_size=(128, 128)).shape
        (64, 64)
    """
    if measure not in MEASURES:
        raise ConfigError(f"measure is {measure!r}; expected one of {', '.join(MEASURES)}")
    height, width = image_size
    if not (-0.5 <= at[0] <= width - 0.5 and -0.5 <= at[1] <= height - 0.5):
        raise ConfigError(f"the pixel ({at[0]:g}, {at[1]:g}) is outside the {width} x {height} image; take one inside")
    values, source = _array(features), _array(features if seen_in is None else seen_in)
    if values.shape != source.shape:
        raise ConfigError(f"the maps have shapes {values.shape} and {source.shape}; expected two maps of one block")
    vector = read_point(FeatureMap.of(0, torch.from_numpy(np.ascontiguousarray(source))), at, image_size).numpy()
    if measure == "cosine":
        lengths = np.linalg.norm(values, axis=0) * np.linalg.norm(vector)
        return np.tensordot(vector, values, axes=1) / np.maximum(lengths, 1e-12)
    return np.linalg.norm(values - vector[:, None, None], ord=1 if measure == "L1" else 2, axis=0)


@in_own_modes
def as_tracked(features: FeatureMap, generator: Generator, config: DragConfig) -> FeatureMap:
    """The map as the tracker compares it: minus `config.mean_removal` times the generator's mean feature map.

    Examples:
        >>> from draggan_widget import DragSession
        >>> session = DragSession("heads", seed=3)
        >>> features = session.current.features(session.config.block)
        >>> as_tracked(features, session.generator, session.config).whole.shape == features.whole.shape
        True
    """
    if config.mean_removal == 0.0:
        return features
    values = features.whole
    mean = generator.mean_features(features.block).whole.to(values.device)
    return FeatureMap.of(features.block, values - config.mean_removal * mean)


def _array(features: Features) -> Float[np.ndarray, "channels height width"]:
    return features.whole.detach().cpu().numpy() if isinstance(features, FeatureMap) else np.asarray(features)


def _fitted_steps(drag: DragRecord | DragStep) -> list[DragStep]:
    if isinstance(drag, DragStep):
        return [drag]
    record = require_steps(drag)
    return [record[position] for position in sorted({0, len(record) // 2, len(record) - 1})]


def _cells(features: FeatureMap) -> Float[np.ndarray, "cells channels"]:
    """Feature vectors of the map's cells; of a large map, an evenly spread part of them."""
    cells = _array(features).reshape(len(features.whole), -1).T
    return cells[:: -(-len(cells) // SAMPLED_CELLS)].astype(np.float64)
