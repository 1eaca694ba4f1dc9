"""Up-sampling of maps by two with a small filter (Karras et al. 2019, 2020: "blurred" up-sampling).

Up-sampling by two puts a zero after every value along both axes, pads, and convolves with the filter times 4, so that
the mean is kept. Differs from that description: 1. no zeros are ever stored; 2. a 3 x 3 convolution of the doubled map
becomes one transposed convolution, followed by the filter.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

GAIN = 4.0  # three of four values are zeros before the filter


def arranged(x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
    """The same map with its channels side by side in memory on a CPU: filters of large maps then take half the time."""
    return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else x


def upsample(
    x: Float[Tensor, "batch channels h w"], taps: Float[Tensor, "t t"], size: tuple[int, int] | None = None
) -> Float[Tensor, "batch channels _ _"]:
    """The map at twice its size; with `size`, `x` is a frame and the result has that size (`upsampled_conv`)."""
    channels, length = x.shape[1], len(taps)
    full = F.conv_transpose2d(arranged(x), depthwise(taps, channels), stride=2, groups=channels)
    if size is not None:
        return _cut(full, length - 1 + _first(length), size)
    before = length - 1 - (length + 1) // 2  # rows of the full result that the padding would leave out
    return _cut(full, before, (2 * x.shape[2], 2 * x.shape[3]))


def upsampled_conv(
    x: Float[Tensor, "batch channels h w"],
    weight: Float[Tensor, "channels out 3 3"],
    kernel: Float[Tensor, "out 1 t t"],
    bias: Float[Tensor, " out"] | None = None,
    size: tuple[int, int] | None = None,
) -> Float[Tensor, "batch out _ _"]:
    """A true 3 x 3 convolution (flipped kernel) of the doubled map; nothing is cut off between the two.

    Args:
        x: the map; with `size`, frames of it: all values that outputs of that size, starting at an even row and an even
            column, read (`windows.reach`).
        weight: of the convolution.
        kernel: `depthwise` of the flipped filter.
        bias: added to the result.
        size: (height, width) of the result where `x` holds frames.
    """
    spread = F.conv_transpose2d(x, weight, stride=2)
    return filtered(spread, kernel, margins((x.shape[2], x.shape[3]), kernel.shape[2], size), bias)


def margins(held: tuple[int, int], length: int, size: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """Zeros to add around the transposed convolution of a map of size `held`: left, right, top, below.

    With `size` the map is a frame, which gives more than `size`: rows and columns to leave out are negative numbers.
    """
    if size is None:
        before, after = (length - 1) // 2, length // 2 - 1
        return before, after, before, after
    front = 1 + _first(length)  # the outermost values lack a neighbour
    below, right = (side + length + front - 2 - 2 * had for side, had in zip(size, held, strict=True))
    return -front, right, -front, below


def filtered(
    spread: Float[Tensor, "batch channels h w"],
    kernel: Float[Tensor, "channels 1 t t"],
    around: tuple[int, int, int, int],
    bias: Float[Tensor, " channels"] | None = None,
) -> Float[Tensor, "batch channels _ _"]:
    """The map with these margins, filtered."""
    channels, margin = spread.shape[1], around[0]
    if around == (margin,) * 4 and margin >= 0:
        return F.conv2d(spread, kernel, bias, padding=margin, groups=channels)
    return F.conv2d(F.pad(spread, around), kernel, bias, groups=channels)


def filtered_back(
    y: Float[Tensor, "batch channels h w"],
    mirrored: Float[Tensor, "channels 1 t t"],
    around: tuple[int, int, int, int],
) -> Float[Tensor, "batch channels _ _"]:
    """The adjoint of `filtered`; `mirrored` is its kernel flipped along both axes."""
    channels, reach, margin = y.shape[1], mirrored.shape[2] - 1, around[0]
    if around == (margin,) * 4 and 0 <= margin <= reach:
        return F.conv2d(y, mirrored, padding=reach - margin, groups=channels)
    left, right, top, below = around
    return F.pad(F.conv2d(y, mirrored, padding=reach, groups=channels), (-left, -right, -top, -below))


def _first(taps: int) -> int:
    """Rows of a frame's transposed convolution before the first row that an even output reads."""
    return ((taps - 1) // 2 + 1) % 2


def depthwise(taps: Float[Tensor, "t t"], channels: int) -> Float[Tensor, "channels 1 t t"]:
    """The filter times the gain of up-sampling, repeated for each channel."""
    return (GAIN * taps).expand(channels, 1, -1, -1)


def _cut(x: Tensor, before: int, size: tuple[int, int]) -> Tensor:
    """`size` rows and columns from index `before` on, zeros outside the map."""
    below, right = (side + before - held for side, held in zip(size, x.shape[2:], strict=True))
    return F.pad(x, (-before, right, -before, below))
