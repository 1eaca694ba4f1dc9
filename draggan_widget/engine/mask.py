"""The mask loss (Pan et al. 2023, eq. 1, second term): the fixed part of the picture keeps its features.

Differs from the official engine: 1. Edit.mask is 1 where the picture may move; 2. with mask_norm "fixed" the mean runs
over the fixed part only, so that lambda means the same for a small and a large one, and |F - F0| is taken at feature
size, each cell weighted by the fixed px it feeds: an upper bound of the image-size sum, equal where F - F0 keeps its
sign between neighbouring cells, at 1 / 256 of the work for a 64-px map under a 1024-px picture; 3. "mean" and "sum" are
exact at image size, in pieces that stay in the processor's cache: no image-size map is kept.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.generators.feature_map import FeatureMap, taps
from draggan_widget.generators.generator import Generator

STRIP_ROWS = 16  # image rows computed at a time where a cell is not a whole number of px
CACHED = 2**17  # values of the map computed at a time: half a MB for each of four such arrays


@dataclass(frozen=True)
class FixedPart:
    """The part of the picture that may not move, prepared for feature maps of one size.

    Attributes:
        norm: `DragConfig.mask_norm`.
        rows: upsampling matrix along y, (image height, feature height).
        columns: upsampling matrix along x, (image width, feature width).
        fixed: 1 where the picture may not move, (image height, image width).
        cell_weights: weight of each feature cell in the upsampled fixed px, (feature height, feature width); sums to 1.
    """

    norm: str
    rows: Float[Tensor, "image_height height"]
    columns: Float[Tensor, "image_width width"]
    fixed: Float[Tensor, "image_height image_width"]
    cell_weights: Float[Tensor, "height width"]


def fixed_part(edit: Edit, generator: Generator, config: DragConfig) -> FixedPart | None:
    """The fixed part of an edit; None where everything may move."""
    if edit.mask is None or edit.mask.all():
        return None
    feature_size = generator.block_size(config.block)
    rows = _upsampling_matrix(feature_size[0], edit.mask.shape[0])
    columns = _upsampling_matrix(feature_size[1], edit.mask.shape[1])
    fixed = (~edit.mask).astype(float)
    weights = rows.T @ fixed @ columns

    def tensor(part: np.ndarray) -> Tensor:
        return torch.from_numpy(part).to(generator.device, generator.dtype)

    return FixedPart(config.mask_norm, tensor(rows), tensor(columns), tensor(fixed), tensor(weights / weights.sum()))


def mask_loss(features: FeatureMap, start: FeatureMap, part: FixedPart) -> Float[Tensor, ""]:
    """L_fix: |F - F0| over the channels and the fixed px, in the norm of `DragConfig.mask_norm`."""
    difference = features.whole - start.whole
    if part.norm == "fixed":
        return (difference.abs().mean(dim=0) * part.cell_weights).sum()
    total = _FixedSum.apply(difference, part)
    assert isinstance(total, Tensor)
    return total if part.norm == "sum" else total / (part.fixed.numel() * difference.shape[0])


class _FixedSum(torch.autograd.Function):
    """Sum of |upsampled difference| over the fixed px; value and gradient are computed in the same pass.

    |.| is homogeneous, so the sum is the difference times its own gradient: only the gradient is accumulated.
    """

    @staticmethod
    def forward(ctx, difference: Tensor, part: FixedPart) -> Tensor:
        even = all(image % held == 0 for image, held in zip(part.fixed.shape, difference.shape[1:], strict=True))
        found = _gradient_by_phases(difference, part) if even else _gradient_by_strips(difference, part)
        gradient = torch.empty_like(difference).copy_(found)  # same memory layout: products are ten times as fast
        ctx.save_for_backward(gradient)
        return (difference * gradient).sum()

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return grads[0] * gradient, None


def _gradient_by_strips(difference: Tensor, part: FixedPart) -> Float[Tensor, "channels height width"]:
    """The gradient for any sizes, computed one strip of image rows at a time."""
    gradient = torch.zeros_like(difference)
    for top in range(0, len(part.fixed), STRIP_ROWS):
        fixed = part.fixed[top : top + STRIP_ROWS]
        if bool(fixed.any()):
            rows = part.rows[top : top + STRIP_ROWS]
            strip = rows @ difference @ part.columns.T
            gradient += rows.T @ (strip.sign() * fixed) @ part.columns
    return gradient


def _gradient_by_phases(difference: Tensor, part: FixedPart) -> Float[Tensor, "channels height width"]:
    """The gradient where a cell is a whole number of px: px at the same position in their cells are computed together.

    Along an axis, all these px lie at the same fraction between two neighbouring cells; the outermost cells are
    repeated. A few rows at a time, with the channels last, stay in the processor's cache.
    """
    channels, height, width = difference.shape
    tall, wide = len(part.fixed) // height, part.fixed.shape[1] // width
    fixed = part.fixed.view(height, tall, width, wide, 1).permute(1, 3, 0, 2, 4).contiguous()
    padded = _repeat_ends(_repeat_ends(difference.detach().permute(1, 2, 0).contiguous(), 0), 1)
    gradient = torch.zeros_like(padded)
    chunk = max(1, CACHED // (channels * width))
    for first in range(0, height, chunk):
        rows = min(chunk, height - first)
        for row in range(tall):
            top, down = _cell_and_fraction(row, tall)
            over, under = slice(first + top, first + top + rows), slice(first + top + 1, first + top + 1 + rows)
            line = padded[over].lerp(padded[under], down)
            back = torch.zeros_like(line)
            for column in range(wide):
                left, across = _cell_and_fraction(column, wide)
                here, there = slice(left, left + width), slice(left + 1, left + 1 + width)
                signs = line[:, here].lerp(line[:, there], across).sign_()
                held = fixed[row, column, first : first + rows]
                back[:, here].addcmul_(signs, held, value=1 - across)
                back[:, there].addcmul_(signs, held, value=across)
            gradient[over].add_(back, alpha=1 - down)
            gradient[under].add_(back, alpha=down)
    for edge, inner in ((0, 1), (-1, -2)):
        gradient[inner] += gradient[edge]
        gradient[:, inner] += gradient[:, edge]
    return gradient[1:-1, 1:-1].permute(2, 0, 1)


def _repeat_ends(x: Tensor, axis: int) -> Tensor:
    """Repeat the first and the last entry along an axis."""
    last = x.shape[axis] - 1
    return torch.cat([x.narrow(axis, 0, 1), x, x.narrow(axis, last, 1)], axis)


def _cell_and_fraction(phase: int, count: int) -> tuple[int, float]:
    """The first of the two cells around a px, counted from the cell before its own, and the fraction to the second."""
    position = (phase + 0.5) / count + 0.5
    return math.floor(position), position - math.floor(position)


def _upsampling_matrix(feature_side: int, image_side: int) -> np.ndarray:
    """The bilinear upsampling matrix along one axis, (image_side, feature_side)."""
    matrix = np.zeros((image_side, feature_side))
    for pixel in range(image_side):
        for cell, weight in taps(pixel, feature_side, image_side).items():
            matrix[pixel, cell] = weight
    return matrix
