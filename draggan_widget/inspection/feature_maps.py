"""Feature maps as numbers one can look at: colours, channels, similarity to a pixel, difference to the start.

A map is a `FeatureMap` (`step.features(block)`) or the array that a record holds (`record.features(block)[k]`); every
answer is a NumPy array at the map's own size, row 0 at the top.
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
from draggan_widget.inspection.pca import principal
from draggan_widget.inspection.records import not_empty

Features = FeatureMap | Float[np.ndarray, "_ _ _"]  # (channels, height, width); two may differ, which is said below

MEASURES = ("cosine", "L2", "L1")
SAMPLED_CELLS = 2**16  # of each map that colours are fitted on: enough for a covariance, whatever the map's size
LIMITS = (1.0, 99.0)  # percentiles that become 0 and 255: a few extreme cells do not darken the rest


@dataclass(frozen=True, eq=False)
class FeatureColours:
    """Three principal directions of a drag's features, as red, green and blue.

    Fitted once a drag, so that a colour means the same feature at every step.

    Attributes:
        mean: feature vector in the middle of all.
        components: the three directions of most variance, unit vectors.
        low: value along each direction that becomes 0.
        high: value along each direction that becomes 255.
        explained: share of the features' variance along each direction.
    """

    mean: Float[np.ndarray, " channels"]
    components: Float[np.ndarray, "3 channels"]
    low: Float[np.ndarray, " 3"]
    high: Float[np.ndarray, " 3"]
    explained: Float[np.ndarray, " 3"]

    @classmethod
    def fit(cls, drag: DragRecord | DragStep, block: int) -> "FeatureColours":
        """Fit to the first, middle and last map of a drag, or to the one map of a step.

        Args:
            drag: a record, or one step.
            block: counted from 0, the smallest.

        Returns:
            The same colours for the same maps, every time: nothing is drawn at random.

        Raises:
            RecordError: the record is empty, or was read without its generator.
            ConfigError: the generator has no such block.
        """
        cells = np.concatenate([_cells(step.features(block)) for step in _sampled(drag)])
        found = principal(cells)
        components = np.zeros((3, cells.shape[1]))  # where a map has fewer channels, the other colours stay even
        components[: len(found.components)] = found.components[:3]
        low, high = np.percentile((cells - found.mean) @ components.T, LIMITS, axis=0)
        shares = np.pad(found.variance[:3] / max(found.variance.sum(), 1e-300), (0, max(0, 3 - len(found.variance))))
        return cls(found.mean, components, low, high, shares)

    def of(self, features: Features) -> UInt8[np.ndarray, "height width 3"]:
        """A map of the same block in these colours.

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
    """The channels' numbers, the one that varies most over the map first."""
    return np.argsort(-_array(features).var(axis=(1, 2)), kind="stable")


def difference(features: Features, start: Features) -> Float[np.ndarray, "height width"]:
    """How far each cell's feature is from that of another map of the same block, the drag's start as a rule (L2 norm).

    Raises:
        ConfigError: the maps have different shapes.
    """
    now, before = _array(features), _array(start)
    if now.shape != before.shape:
        raise ConfigError(f"the maps have shapes {now.shape} and {before.shape}; expected two maps of one block")
    return np.linalg.norm(now - before, axis=0)


def similarity(
    features: Features,
    at: Point,
    image_size: tuple[int, int],
    measure: str = "cosine",
    seen_in: Features | None = None,
) -> Float[np.ndarray, "height width"]:
    """How alike each cell of a map is to the feature at one pixel.

    For what the tracker sees, take the maps from `as_tracked`, the measure of `DragConfig.tracking_norm` and, as
    `seen_in`, the map of the drag's start: it follows what stood under the handle there.

    Args:
        features: the map.
        at: the pixel, (x, y) in image px; read between the cells as a drag reads it (bilinear).
        image_size: (height, width) of the picture in px.
        measure: "cosine" (1: the same direction), or the distance "L2" or "L1" (0: the same).
        seen_in: another map of the same block that the pixel is read from; None: this one.

    Raises:
        ConfigError: no such measure, a pixel outside the picture, or maps of different shapes.
    """
    if measure not in MEASURES:
        raise ConfigError(f"measure is {measure!r}; expected one of {', '.join(MEASURES)}")
    height, width = image_size
    if not (-0.5 <= at[0] <= width - 0.5 and -0.5 <= at[1] <= height - 0.5):
        raise ConfigError(f"the pixel ({at[0]:g}, {at[1]:g}) is outside the {width} x {height} image; take one inside")
    values, source = _array(features), _array(features if seen_in is None else seen_in)
    if values.shape != source.shape:
        raise ConfigError(f"the maps have shapes {values.shape} and {source.shape}; expected two maps of one block")
    wanted = read_point(FeatureMap.of(0, torch.from_numpy(np.ascontiguousarray(source))), at, image_size).numpy()
    if measure == "cosine":
        lengths = np.linalg.norm(values, axis=0) * np.linalg.norm(wanted)
        return np.tensordot(wanted, values, axes=1) / np.maximum(lengths, 1e-12)
    return np.linalg.norm(values - wanted[:, None, None], ord=1 if measure == "L1" else 2, axis=0)


def as_tracked(features: FeatureMap, generator: Generator, config: DragConfig) -> FeatureMap:
    """The map as the tracker compares it: without the share of the mean map that `config.mean_removal` takes off."""
    if config.mean_removal == 0.0:
        return features
    values = features.whole
    mean = generator.mean_features(features.block).whole.to(values.device)
    return FeatureMap.of(features.block, values - config.mean_removal * mean)


def _array(features: Features) -> Float[np.ndarray, "channels height width"]:
    return features.whole.detach().cpu().numpy() if isinstance(features, FeatureMap) else np.asarray(features)


def _sampled(drag: DragRecord | DragStep) -> list[DragStep]:
    if isinstance(drag, DragStep):
        return [drag]
    return [not_empty(drag)[position] for position in sorted({0, len(drag) // 2, len(drag) - 1})]


def _cells(features: FeatureMap) -> Float[np.ndarray, "cells channels"]:
    """Feature vectors of the map, evenly taken from all over it where it is large."""
    cells = _array(features).reshape(len(features.whole), -1).T
    return cells[:: -(-len(cells) // SAMPLED_CELLS)].astype(np.float64)
