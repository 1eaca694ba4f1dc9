"""Point tracking (Pan et al. 2023, eq. 2).

Differs from the official renderer: 1. only the cells under each search square are read, not an image-size map; 2. with
`mean_removal` a share of the generator's mean feature map is subtracted on both sides: features that every picture has
at a place pull the tracker back to its start: on turned heads the tracker stopped a sixth of the way before the true
point (docs/accuracy.md).
"""

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.references import PointReference
from draggan_widget.generators.feature_map import FeatureMap, read_grid, read_point
from draggan_widget.geometry import steps_inside


@dataclass(frozen=True)
class Search:
    """The values that one search for a handle compared.

    Attributes:
        xs: columns of the search square, image px.
        ys: rows of the search square, image px.
        away: F(q) - f_i at each position q.
        cost: norm of `away`, less the share of the mean map, at each position; the tracker takes the first smallest.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    away: Float[Tensor, "channels ys xs"]
    cost: Float[Tensor, "ys xs"]

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of the smallest cost."""
        return divmod(int(self.cost.argmin()), len(self.xs))


def search(
    features: FeatureMap,
    point: PointReference,
    config: DragConfig,
    image_size: tuple[int, int],
    mean: FeatureMap | None = None,
) -> Search:
    """Compare every position around `point.position` with the point's feature; arguments as in `track`."""
    height, width = image_size
    x, y = point.position
    xs = [x + o for o in steps_inside(x, config.tracking_radius, width)]
    ys = [y + o for o in steps_inside(y, config.tracking_radius, height)]
    away = read_grid(features, xs, ys, image_size) - point.feature[:, None, None]
    difference = away
    if mean is not None:
        usual = read_grid(mean, xs, ys, image_size) - read_point(mean, point.taken_at, image_size)[:, None, None]
        difference = away - config.mean_removal * usual
    order = 1 if config.tracking_norm == "L1" else 2
    return Search(tuple(xs), tuple(ys), away, torch.linalg.vector_norm(difference, ord=order, dim=0))


def track(
    features: FeatureMap,
    point: PointReference,
    config: DragConfig,
    image_size: tuple[int, int],
    mean: FeatureMap | None = None,
) -> PointReference:
    """Find one handle again after the image moved.

    Args:
        features: the current feature map, without a graph.
        point: the handle's last position p and its reference feature f_i.
        config: settings, for the norm and the radius r2 of the square |q - p|_inf <= r2, cut at the picture's border.
        image_size: (height, width) in px.
        mean: the generator's mean feature map of the same block; needed with `mean_removal`.

    Returns:
        The same reference at its new position, with its tracking error.
    """
    found = search(features, point, config, image_size, mean)
    row, column = found.best
    error = torch.linalg.vector_norm(found.away[:, row, column])
    error = error / torch.linalg.vector_norm(point.feature).clamp_min(1e-12)
    position = (found.xs[column], found.ys[row])
    return dataclasses.replace(point, position=position, searched_from=point.position, error=float(error))
