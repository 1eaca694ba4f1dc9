"""Point tracking (Pan et al. 2023, eq. 2).

Differs from the official renderer: 1. only the cells under each search square are read, not an image-size map.
"""

import dataclasses

import torch

from draggan_widget.engine.references import PointReference
from draggan_widget.features.sample import read_grid
from draggan_widget.generators.generator import FeatureMap
from draggan_widget.geometry import steps_inside


def track(features: FeatureMap, point: PointReference, radius: int, image_size: tuple[int, int]) -> PointReference:
    """Find one handle again after the image moved.

    Args:
        features: the current map, without a graph.
        point: where it was, and the reference feature f_i it is known by.
        radius: r2, image px: the square |q - p|_inf <= r2, cut at the picture's border.
        image_size: (height, width) in px.

    Returns:
        The same reference at its new position, with its tracking error.
    """
    height, width = image_size
    x, y = point.position
    xs = [x + o for o in steps_inside(x, radius, width)]
    ys = [y + o for o in steps_inside(y, radius, height)]
    square = read_grid(features, xs, ys, image_size)
    distances = torch.linalg.vector_norm(square - point.feature[:, None, None], dim=0)
    best = int(distances.argmin())
    row, column = divmod(best, len(xs))
    error = distances[row, column] / torch.linalg.vector_norm(point.feature).clamp_min(1e-12)
    return dataclasses.replace(point, position=(xs[column], ys[row]), error=float(error))
