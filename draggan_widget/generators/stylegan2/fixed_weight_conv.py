"""Modulated 3 x 3 convolutions whose weights stay as they are, forward and backward, each written by hand.

Differs from what autograd would do: 1. small maps, for each of which a convolution would copy all weights, are
multiplied by the weights as matrices (`products`); 2. of those only the part whose gradient is not zero goes backward:
a step supervises a smaller part of a window than it tracks in; 3. the filter behind an up-sampling convolution goes
backward as a filter; 4. weights get no gradient.
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

from draggan_widget.generators.stylegan2.matmul_conv import channels_first, channels_last, gathered, scattered
from draggan_widget.generators.stylegan2.resample import arranged, depthwise, filtered, filtered_back, margins

SLOPE = 0.2  # of every leaky ReLU
PRODUCTS_BELOW = 1000  # px of all maps of a batch up to which products are faster on a CPU; measured


@dataclass(frozen=True)
class Frozen:
    """What follows from a layer's weights alone, each made on first use.

    Attributes:
        weight: as the layer has it, without a graph.
        taps: the up-sampling filter.
        up: whether the map is doubled first.
    """

    weight: Float[Tensor, "channels_out channels_in 3 3"]
    taps: Float[Tensor, "t t"]
    up: bool

    @cached_property
    @torch.inference_mode(False)
    def squares(self) -> Float[Tensor, "channels_out channels_in"]:
        """Of each pair of channels summed over the kernel: the norms of demodulation need no more."""
        return torch.einsum("oikl,oikl->oi", self.weight, self.weight)

    @cached_property
    @torch.inference_mode(False)
    def given(self) -> Float[Tensor, "_ _ 3 3"]:
        """As PyTorch's convolution takes it, (in, out, 3, 3) in an up-sampling layer; copied at each call if not so."""
        return arranged(self.weight.transpose(0, 1) if self.up else self.weight)

    @cached_property
    @torch.inference_mode(False)
    def forth(self) -> Float[Tensor, "9 channels_in channels_out"]:
        """A matrix for each cell of the kernel."""
        return self.weight.permute(2, 3, 1, 0).flatten(0, 1).contiguous()

    @cached_property
    @torch.inference_mode(False)
    def back(self) -> Float[Tensor, "9 channels_out channels_in"]:
        """The same matrices transposed: a product with them so takes a fifth less time."""
        return self.weight.permute(2, 3, 0, 1).flatten(0, 1).contiguous()

    @cached_property
    @torch.inference_mode(False)
    def kernel(self) -> Float[Tensor, "channels_out 1 t t"]:
        """The up-sampling filter, one a channel."""
        return depthwise(self.taps.flip(0, 1), len(self.weight)).contiguous()

    @cached_property
    @torch.inference_mode(False)
    def mirrored(self) -> Float[Tensor, "channels_out 1 t t"]:
        """The same for its adjoint."""
        return depthwise(self.taps, len(self.weight)).contiguous()


@dataclass(frozen=True)
class Convolution:
    """A frozen layer's convolution of whole maps or of frames.

    Attributes:
        frozen: its weights.
        margin: px of zeros around a map that is not doubled.
        size: of the windows that a doubled frame is for (`resample.upsampled_conv`); None where it is the whole map.
    """

    frozen: Frozen
    margin: int
    size: tuple[int, int] | None

    def styled(
        self,
        x: Float[Tensor, "n channels_in h w"],
        style: Float[Tensor, " channels_in"],
        factors: Float[Tensor, " channels_out"],
        bias: Float[Tensor, " channels_out"],
        noise: Float[Tensor, "..."],
    ) -> Float[Tensor, "n channels_out _ _"]:
        """leaky_relu(factors * convolution(style * x) + bias + noise), differentiable once in all of them."""
        found = _Styled.apply(self, x, style, factors, bias, noise)
        assert isinstance(found, Tensor)
        return found

    def forth(self, x: Float[Tensor, "n channels_in h w"]) -> Float[Tensor, "n channels_out _ _"]:
        """The convolution alone."""
        frozen, margin = self.frozen, self.margin
        if not frozen.up:
            if _by_products(x):
                x = F.pad(x, (margin,) * 4) if margin else x
                return channels_first(gathered(channels_last(x), frozen.forth, 1))
            return F.conv2d(x, frozen.given, padding=margin)
        if _by_products(x):
            spread = channels_first(scattered(channels_last(x), frozen.forth, 2))
        else:
            spread = F.conv_transpose2d(x, frozen.given, stride=2)
        return filtered(spread, frozen.kernel, self._margins(x))

    def back(
        self, y: Float[Tensor, "n channels_out _ _"], x: Float[Tensor, "n channels_in h w"]
    ) -> Float[Tensor, "n channels_in h w"]:
        """The adjoint, for the convolution of a map like x."""
        frozen = self.frozen
        if _by_products(x):
            return self._doubled_back(y, x) if frozen.up else self._plain_back(y, x)
        if frozen.up:
            return F.conv2d(filtered_back(y, frozen.mirrored, self._margins(x)), frozen.given, stride=2)
        return conv2d_input(x.shape, frozen.given, y, padding=self.margin)

    def _plain_back(self, y: Tensor, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = _touched(y)
        part = scattered(channels_last(y[:, :, top:bottom, left:right]), self.frozen.back, 1)
        return _placed(channels_first(part), top - self.margin, left - self.margin, _size(x))

    def _doubled_back(self, y: Tensor, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = _touched(y)
        before_x, _, before_y, _ = self._margins(x)
        mirrored, (height, width) = self.frozen.mirrored, _size(x)
        spread = filtered_back(arranged(y[:, :, top:bottom, left:right]), mirrored, (0, 0, 0, 0))
        top, left = top - before_y, left - before_x  # of what it covers of the spread map
        row, tall = _read(top, spread.shape[2], height)
        column, wide = _read(left, spread.shape[3], width)
        cells = _placed(spread, top - 2 * row, left - 2 * column, (2 * tall + 1, 2 * wide + 1))
        return _placed(channels_first(gathered(channels_last(cells), self.frozen.back, 2)), row, column, _size(x))

    def _margins(self, x: Tensor) -> tuple[int, int, int, int]:
        return margins(_size(x), len(self.frozen.taps), self.size)


class _Styled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, by: Convolution, x: Tensor, style: Tensor, factors: Tensor, bias: Tensor, noise: Tensor
    ) -> Tensor:
        found = by.forth(arranged(x * style[:, None, None]))
        y = torch.addcmul(bias[:, None, None], found, factors[:, None, None]).add_(noise)
        y = F.leaky_relu_(y, SLOPE)
        ctx.save_for_backward(x, style, factors, found, y)
        ctx.by, ctx.noise = by, noise.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, style, factors, found, y = ctx.saved_tensors
        ahead = torch.ops.aten.leaky_relu_backward(arranged(grads[0]), y, SLOPE, True)  # from the result
        of_bias = ahead.sum((0, 2, 3)) if ctx.needs_input_grad[4] else None
        of_noise = ahead.sum_to_size(ctx.noise) if ctx.needs_input_grad[5] else None
        of_factors = (ahead * found).sum((0, 2, 3))
        back = ctx.by.back(ahead.mul_(factors[:, None, None]), x)
        of_style = (back * x).sum((0, 2, 3))
        return None, back.mul_(style[:, None, None]), of_style, of_factors, of_bias, of_noise


def _by_products(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.shape[0] * x.shape[2] * x.shape[3] <= PRODUCTS_BELOW


def _touched(y: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and behind the last row, and column, with a value that is not zero; one of each where all are."""
    lit = (y != 0).any(dim=1).any(dim=0)
    rows, columns = (lit.any(dim=axis).nonzero().flatten().tolist() for axis in (1, 0))
    return ((rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)) if rows else ((0, 1), (0, 1))


def _read(start: int, length: int, held: int) -> tuple[int, int]:
    """First of a map's `held` rows that spread to any of `length` from `start` on, and how many do."""
    first, last = max((start - 1) // 2, 0), min((start + length - 1) // 2, held - 1)
    return first, last - first + 1


def _placed(part: Tensor, top: int, left: int, size: tuple[int, int]) -> Tensor:
    """A map of zeros with a part at a place; what sticks out is left out."""
    below, right = size[0] - top - part.shape[2], size[1] - left - part.shape[3]
    return F.pad(part, (left, right, top, below)) if any((left, right, top, below)) else part


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]
