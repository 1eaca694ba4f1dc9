"""Modulated 3 x 3 convolutions whose weights get no gradient; forward and backward pass are written by hand.

Differs from what autograd would do: 1. small maps, for each of which a convolution would copy all weights, are computed
by matrix products (`matmul_conv`); 2. for small maps the backward pass computes only the part whose gradient is not
zero: a step supervises a smaller part of a window than it tracks in; 3. the backward pass of the filter after an
up-sampling convolution is a filter, too.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input

from draggan_widget.checkpoints.stylegan2.config import SLOPES
from draggan_widget.generators.stylegan2.matmul_conv import (
    channels_first,
    channels_last,
    matmul_conv,
    matmul_conv_transpose,
)
from draggan_widget.generators.stylegan2.resample import arranged, depthwise, filtered, filtered_back, margins

MATMUL_UP_TO = 1000  # px of all maps of a batch up to which matrix products are faster on a CPU; measured


@dataclass(frozen=True)
class FixedWeights:
    """A layer's weights and the values that depend on them alone, each computed on first use.

    Attributes:
        weight: the layer's weights, without a graph.
        taps: the up-sampling filter.
        up: whether the map is doubled first.
    """

    weight: Float[Tensor, "channels_out channels_in 3 3"]
    taps: Float[Tensor, "t t"]
    up: bool

    @cached_property
    def squares(self) -> Float[Tensor, "channels_out channels_in"]:
        """Squared weights summed over the kernel, from which demodulation computes its norms."""
        return torch.einsum("oikl,oikl->oi", self.weight, self.weight)

    @cached_property
    def conv_weight(self) -> Float[Tensor, "_ _ 3 3"]:
        """The weights in the order in which PyTorch's convolution does not copy them; (in, out, 3, 3) if `up`."""
        return arranged(self.weight.transpose(0, 1) if self.up else self.weight)

    @cached_property
    def matrices(self) -> Float[Tensor, "9 channels_in channels_out"]:
        """The weights as one matrix for each cell of the kernel."""
        return self.weight.permute(2, 3, 1, 0).flatten(0, 1).contiguous()

    @cached_property
    def transposed_matrices(self) -> Float[Tensor, "9 channels_out channels_in"]:
        """The same matrices transposed in memory: products with them then take a fifth less time."""
        return self.weight.permute(2, 3, 0, 1).flatten(0, 1).contiguous()

    @cached_property
    def kernel(self) -> Float[Tensor, "channels_out 1 t t"]:
        """The flipped up-sampling filter, repeated for each channel."""
        return depthwise(self.taps.flip(0, 1), len(self.weight)).contiguous()

    @cached_property
    def mirrored(self) -> Float[Tensor, "channels_out 1 t t"]:
        """The kernel of its adjoint."""
        return depthwise(self.taps, len(self.weight)).contiguous()


@dataclass(frozen=True)
class Convolution:
    """A layer's convolution, of whole maps or of frames.

    Attributes:
        fixed: weights of the layer.
        margin: px of zeros around a map that is not doubled.
        size: (height, width) of the windows where frames are doubled (`resample.upsampled_conv`); None for whole maps.
        slope: of the leaky ReLU that follows; 0 for a plain ReLU.
    """

    fixed: FixedWeights
    margin: int
    size: tuple[int, int] | None
    slope: float = SLOPES["lrelu"]

    def styled(
        self,
        x: Float[Tensor, "n channels_in h w"],
        style: Float[Tensor, " channels_in"],
        factors: Float[Tensor, " channels_out"],
        bias: Float[Tensor, " channels_out"],
        noise: Float[Tensor, "..."],
    ) -> Float[Tensor, "n channels_out _ _"]:
        """leaky_relu(factors * convolution(style * x) + bias + noise), once differentiable in all five."""
        found = _StyledConvolution.apply(self, x, style, factors, bias, noise)
        assert isinstance(found, Tensor)
        return found

    def forward(self, x: Float[Tensor, "n channels_in h w"]) -> Float[Tensor, "n channels_out _ _"]:
        """The convolution, without style, factors, bias and noise."""
        fixed, margin = self.fixed, self.margin
        if not fixed.up:
            if _uses_matmul(x):
                x = F.pad(x, (margin,) * 4) if margin else x
                return channels_first(matmul_conv(channels_last(x), fixed.matrices, 1))
            return F.conv2d(x, fixed.conv_weight, padding=margin)
        if _uses_matmul(x):
            spread = channels_first(matmul_conv_transpose(channels_last(x), fixed.matrices, 2))
        else:
            spread = F.conv_transpose2d(x, fixed.conv_weight, stride=2)
        return filtered(spread, fixed.kernel, self._margins(x))

    def adjoint(
        self, y: Float[Tensor, "n channels_out _ _"], x: Float[Tensor, "n channels_in h w"]
    ) -> Float[Tensor, "n channels_in h w"]:
        """The adjoint of the convolution of a map like `x`, applied to `y`."""
        fixed = self.fixed
        if _uses_matmul(x):
            return self._adjoint_up(y, x) if fixed.up else self._adjoint_plain(y, x)
        if fixed.up:
            return F.conv2d(filtered_back(y, fixed.mirrored, self._margins(x)), fixed.conv_weight, stride=2)
        return conv2d_input(x.shape, fixed.conv_weight, y, padding=self.margin)

    def _adjoint_plain(self, y: Tensor, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = _nonzero_box(y)
        part = matmul_conv_transpose(channels_last(y[:, :, top:bottom, left:right]), self.fixed.transposed_matrices, 1)
        return _placed(channels_first(part), top - self.margin, left - self.margin, _size(x))

    def _adjoint_up(self, y: Tensor, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = _nonzero_box(y)
        before_x, _, before_y, _ = self._margins(x)
        mirrored, (height, width) = self.fixed.mirrored, _size(x)
        spread = filtered_back(arranged(y[:, :, top:bottom, left:right]), mirrored, (0, 0, 0, 0))
        top, left = top - before_y, left - before_x  # of `spread` in the transposed convolution of the whole map
        row, tall = _source_rows(top, spread.shape[2], height)
        column, wide = _source_rows(left, spread.shape[3], width)
        cells = _placed(spread, top - 2 * row, left - 2 * column, (2 * tall + 1, 2 * wide + 1))
        part = matmul_conv(channels_last(cells), self.fixed.transposed_matrices, 2)
        return _placed(channels_first(part), row, column, _size(x))

    def _margins(self, x: Tensor) -> tuple[int, int, int, int]:
        return margins(_size(x), len(self.fixed.taps), self.size)


class _StyledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, convolution: Convolution, x: Tensor, style: Tensor, factors: Tensor, bias: Tensor, noise: Tensor
    ) -> Tensor:
        found = convolution.forward(arranged(x * style[:, None, None]))
        y = torch.addcmul(bias[:, None, None], found, factors[:, None, None]).add_(noise)
        y = F.leaky_relu_(y, convolution.slope)
        ctx.save_for_backward(x, style, factors, found, y)
        ctx.convolution, ctx.noise_shape = convolution, noise.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, style, factors, found, y = ctx.saved_tensors
        slope = ctx.convolution.slope
        before = torch.ops.aten.leaky_relu_backward(arranged(grads[0]), y, slope, True)  # True: y is its result
        grad_bias = before.sum((0, 2, 3)) if ctx.needs_input_grad[4] else None
        grad_noise = before.sum_to_size(ctx.noise_shape) if ctx.needs_input_grad[5] else None
        grad_factors = (before * found).sum((0, 2, 3))
        back = ctx.convolution.adjoint(before.mul_(factors[:, None, None]), x)
        grad_style = (back * x).sum((0, 2, 3))
        return None, back.mul_(style[:, None, None]), grad_style, grad_factors, grad_bias, grad_noise


def _uses_matmul(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.shape[0] * x.shape[2] * x.shape[3] <= MATMUL_UP_TO


def _nonzero_box(y: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """(start, end) of the rows, and of the columns, that hold a value other than zero; (0, 1) where none does."""
    lit = (y != 0).any(dim=1).any(dim=0)
    rows, columns = (lit.any(dim=axis).nonzero().flatten().tolist() for axis in (1, 0))
    return ((rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)) if rows else ((0, 1), (0, 1))


def _source_rows(start: int, length: int, held: int) -> tuple[int, int]:
    """First row and number of a map's `held` rows that reach the `length` rows of its doubled map from `start` on."""
    first, last = max((start - 1) // 2, 0), min((start + length - 1) // 2, held - 1)
    return first, last - first + 1


def _placed(part: Tensor, top: int, left: int, size: tuple[int, int]) -> Tensor:
    """A map of zeros that holds `part` at (top, left); values outside the map are dropped."""
    below, right = size[0] - top - part.shape[2], size[1] - left - part.shape[3]
    return F.pad(part, (left, right, top, below)) if any((left, right, top, below)) else part


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]
