"""The fixed-region loss (Pan et al. 2023, eq. 1, mask term): what may not move keeps its features.

Differs from the official engine: 1. Edit.mask is 1 where the picture may move; 2. with mask_norm "fixed" the mean runs
over the fixed part only, so that lambda means the same for a small and a large one, and |F - F0| is taken at feature
size, each cell weighted by the fixed px it feeds: an upper bound of the image-size sum, equal where F - F0 keeps its
sign between neighbouring cells, at 1 / 256 of the work for a 64-px map under a 1024-px picture; 3. "mean" and "sum" are
exact at image size, a strip of rows at a time: no image-size map is kept.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.features.sample import taps
from draggan_widget.generators.generator import FeatureMap, Generator

STRIP_ROWS = 16  # image rows held at a time by the exact norms


@dataclass(frozen=True)
class FixedPart:
    """The part of the picture that may not move, ready for a feature size.

    Attributes:
        norm: `DragConfig.mask_norm`.
        rows: upsampling along y, (image height, feature height).
        columns: upsampling along x, (image width, feature width).
        fixed: 1 where the picture may not move, (image height, image width).
        fed: share of the fixed px that each feature cell feeds, (feature height, feature width); sums to 1.
    """

    norm: str
    rows: Float[Tensor, "image_height height"]
    columns: Float[Tensor, "image_width width"]
    fixed: Float[Tensor, "image_height image_width"]
    fed: Float[Tensor, "height width"]


def fixed_part(edit: Edit, generator: Generator, config: DragConfig) -> FixedPart | None:
    """The fixed part of an edit; None where everything may move."""
    if edit.mask is None or edit.mask.all():
        return None
    feature_size = generator.block_size(config.block)
    rows = _upsampling(feature_size[0], edit.mask.shape[0])
    columns = _upsampling(feature_size[1], edit.mask.shape[1])
    fixed = (~edit.mask).astype(float)
    fed = rows.T @ fixed @ columns

    def tensor(part: np.ndarray) -> Tensor:
        return torch.from_numpy(part).to(generator.device, generator.dtype)

    return FixedPart(config.mask_norm, tensor(rows), tensor(columns), tensor(fixed), tensor(fed / fed.sum()))


def mask_loss(features: FeatureMap, start: FeatureMap, part: FixedPart) -> Float[Tensor, ""]:
    """L_fix: |F - F0| over channels and the fixed part, in the preset's norm."""
    difference = features.whole - start.whole
    if part.norm == "fixed":
        return (difference.abs().mean(dim=0) * part.fed).sum()
    total = _FixedSum.apply(difference, part)
    assert isinstance(total, Tensor)
    return total if part.norm == "sum" else total / (part.fixed.numel() * difference.shape[0])


class _FixedSum(torch.autograd.Function):
    """Sum of |upsampled difference| over the fixed px; the gradient is taken in the same pass, strip by strip."""

    @staticmethod
    def forward(ctx, difference: Tensor, part: FixedPart) -> Tensor:
        total, gradient = difference.new_zeros(()), torch.zeros_like(difference)
        for top in range(0, len(part.fixed), STRIP_ROWS):
            fixed = part.fixed[top : top + STRIP_ROWS]
            if not bool(fixed.any()):
                continue
            rows = part.rows[top : top + STRIP_ROWS]
            strip = rows @ difference @ part.columns.T
            total += (strip.abs() * fixed).sum()
            gradient += rows.T @ (strip.sign() * fixed) @ part.columns
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return grads[0] * gradient, None


def _upsampling(feature_side: int, image_side: int) -> np.ndarray:
    """The bilinear upsampling matrix along one axis, (image_side, feature_side)."""
    matrix = np.zeros((image_side, feature_side))
    for pixel in range(image_side):
        for cell, weight in taps(pixel, feature_side, image_side).items():
            matrix[pixel, cell] = weight
    return matrix
