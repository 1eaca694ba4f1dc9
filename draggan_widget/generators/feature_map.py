"""Feature maps: the values of one block, and reading them at image positions.

A position is read as if the map had been upsampled to image size (bilinear, align_corners=False), as the official
engine does. Upsampling and sampling are both linear and separable, so the values on a grid of positions are A_y F A_x^T
with a few nonzero weights in each row of A: only the crop under the positions is read, and the result is exact (Pan et
al. 2023, section 3.2).
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from draggan_widget.geometry import Window, image_to_feature


@dataclass(frozen=True)
class FeatureMap:
    """Synthesis activations of one block: the whole map, or some windows of it.

    Attributes:
        block: index of the block; block 0 is the smallest.
        size: (height, width) of the whole map, feature px.
        windows: the part of the map that each of `values` covers.
        values: one (channels, window height, window width) tensor for each window.
        picture: the picture that the blocks up to this one have drawn, without a graph; None unless every block adds to
            the picture and the whole map was computed.
    """

    block: int
    size: tuple[int, int]
    windows: tuple[Window, ...]
    values: tuple[Float[Tensor, "channels _ _"], ...]  # each window has its own height and width
    picture: Float[Tensor, "colours _ _"] | None = None

    @classmethod
    def of(
        cls, block: int, values: Float[Tensor, "channels height width"], picture: Tensor | None = None
    ) -> "FeatureMap":
        """The feature map that holds all values of a block."""
        height, width = values.shape[1:]
        return cls(block, (height, width), (Window(0, 0, height, width),), (values,), picture)

    @property
    def is_whole(self) -> bool:
        """Whether the whole map is held, as one window."""
        return self.windows == (Window(0, 0, *self.size),)

    @property
    def whole(self) -> Float[Tensor, "channels height width"]:
        """The whole map; ValueError when only windows of it are held."""
        return self.read(Window(0, 0, *self.size))

    def read(self, window: Window) -> Float[Tensor, "channels height width"]:
        """The values of `window`, from a held window that covers it; ValueError when none does."""
        for held, values in zip(self.windows, self.values, strict=True):
            if held == window:
                return values
            if held.contains(window):
                y, x = window.y - held.y, window.x - held.x
                rows, columns = slice(y, y + window.height), slice(x, x + window.width)
                if values.stride(0) != 1:
                    return values[:, rows, columns]
                return values.permute(1, 2, 0)[rows, columns].permute(2, 0, 1)  # its gradient keeps this order
        raise ValueError(f"{window} of block {self.block} is not held; held are {self.windows}")

    def padded(self, window: Window) -> Float[Tensor, "channels height width"]:
        """The values of a window that may extend beyond the map; values outside the map are zero."""
        held = window.inside(self.size)
        top, left = held.y - window.y, held.x - window.x
        below, right = window.height - held.height - top, window.width - held.width - left
        values = self.read(held)
        return F.pad(batch_of(values), (left, right, top, below))[0] if any((top, left, below, right)) else values

    def cut(self, windows: Sequence[Window]) -> "FeatureMap":
        """The same map reduced to `windows`, each inside a held one."""
        return dataclasses.replace(self, windows=tuple(windows), values=tuple(self.read(w) for w in windows))

    def detach(self) -> "FeatureMap":
        """The same values without their graph."""
        return dataclasses.replace(self, values=tuple(v.detach() for v in self.values))


def batch_of(x: Float[Tensor, "channels height width"]) -> Float[Tensor, "1 channels height width"]:
    """The map as a batch of one whose strides tell PyTorch the order in memory (channels first or last)."""
    return x[None] if x.stride(0) != 1 else x.permute(1, 2, 0)[None].permute(0, 3, 1, 2)


def taps(position: float, feature_side: int, image_side: int) -> dict[int, float]:
    """Weight of each feature cell in the value at `position` (image px) along one axis.

    The value mixes the two upsampled pixels around the position; each of these mixes the two cells around it. Positions
    outside the picture read its edge.
    """
    inside = min(max(position, 0.0), image_side - 1.0)
    low = math.floor(inside)
    weights: dict[int, float] = {}
    for pixel, pixel_weight in ((low, 1.0 - (inside - low)), (low + 1, inside - low)):
        if pixel_weight == 0.0:
            continue
        cell = max(image_to_feature(pixel, feature_side, image_side), 0.0)
        first = min(math.floor(cell), feature_side - 1)
        fraction = cell - first
        for index, weight in ((first, 1.0 - fraction), (min(first + 1, feature_side - 1), fraction)):
            weights[index] = weights.get(index, 0.0) + weight * pixel_weight
    return {index: weight for index, weight in weights.items() if weight != 0.0}


def _weights(positions: Sequence[float], feature_side: int, image_side: int) -> tuple[int, list[list[float]]]:
    """The first cell used, and the dense weight matrix (positions x cells from the first one used)."""
    rows = [taps(position, feature_side, image_side) for position in positions]
    first = min(min(row) for row in rows)
    count = max(max(row) for row in rows) - first + 1
    return first, [[row.get(first + cell, 0.0) for cell in range(count)] for row in rows]


def read_grid(
    features: FeatureMap, xs: Sequence[float], ys: Sequence[float], image_size: tuple[int, int]
) -> Float[Tensor, "channels ys xs"]:
    """Values at every (x, y) of the grid xs x ys.

    Args:
        features: a map, or windows of it of which one covers all cells under the grid.
        xs: x of the columns, image px, in any order.
        ys: y of the rows, image px, in any order.
        image_size: (height, width) of the picture in px.

    Returns:
        The values, channels x len(ys) x len(xs).

    Raises:
        ValueError: no held window covers the grid.
    """
    height, width = features.size
    first_row, row_weights = _weights(ys, height, image_size[0])
    first_column, column_weights = _weights(xs, width, image_size[1])
    crop = features.read(Window(first_row, first_column, len(row_weights[0]), len(column_weights[0])))
    rows = torch.tensor(row_weights, dtype=crop.dtype, device=crop.device)
    columns = torch.tensor(column_weights, dtype=crop.dtype, device=crop.device)
    return torch.matmul(torch.matmul(rows, crop), columns.T)


def read_point(
    features: FeatureMap, point: tuple[float, float], image_size: tuple[int, int]
) -> Float[Tensor, " channels"]:
    """The feature vector at one (x, y) in image px."""
    return read_grid(features, [point[0]], [point[1]], image_size)[:, 0, 0]
