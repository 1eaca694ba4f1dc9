"""The fixed-region loss (Pan et al. 2023, eq. 1, mask term): what may not move keeps its features.

Differs from the official engine: 1. Edit.mask is 1 where the picture may move; 2. the mean runs over the fixed part
only, so that lambda means the same for a small and a large fixed part; 3. |F - F0| is taken at feature resolution, each
cell weighted by the fixed pixels it feeds: an upper bound of the image-size sum, equal where F - F0 keeps its sign
between neighbouring cells, at 1 / 256 of the work for a 64-px map under a 1024-px picture.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.edit import Edit
from draggan_widget.features.sample import taps
from draggan_widget.generators.generator import FeatureMap, Generator


def _upsampling(feature_side: int, image_side: int) -> np.ndarray:
    """The bilinear upsampling matrix along one axis, (image_side, feature_side)."""
    matrix = np.zeros((image_side, feature_side))
    for pixel in range(image_side):
        for cell, weight in taps(pixel, feature_side, image_side).items():
            matrix[pixel, cell] = weight
    return matrix


FixedPart = Float[Tensor, "height width"]  # how much of the fixed part each feature cell feeds; sums to 1


def fixed_part(edit: Edit, generator: Generator, block: int) -> FixedPart | None:
    """Weights of an edit's fixed part; None where everything may move."""
    if edit.mask is None or edit.mask.all():
        return None
    feature_size = generator.block_size(block)
    rows = _upsampling(feature_size[0], edit.mask.shape[0])
    columns = _upsampling(feature_size[1], edit.mask.shape[1])
    weights = rows.T @ (~edit.mask).astype(float) @ columns
    return torch.from_numpy(weights / weights.sum()).to(generator.device, generator.dtype)


def mask_loss(features: FeatureMap, start: FeatureMap, fixed: FixedPart) -> Float[Tensor, ""]:
    """L_fix: the mean |F - F0| over channels and the fixed part."""
    return ((features.whole - start.whole).abs().mean(dim=0) * fixed).sum()
