"""3 x 3 convolutions of small maps as matrix products, with one matrix for each cell of the kernel.

PyTorch's convolution copies its weights into another order at each call, which takes longer than the convolution of a
small map. The maps here have their channels last.
"""

from jaxtyping import Float
from torch import Tensor, matmul

CELLS = tuple((row, column) for row in range(3) for column in range(3))  # of a kernel


def matmul_conv(
    x: Float[Tensor, "n h w before"], matrices: Float[Tensor, "9 before after"], step: int
) -> Float[Tensor, "n _ _ after"]:
    """The convolution with stride `step`, without padding."""
    cells = x.unfold(1, 3, step).unfold(2, 3, step).permute(0, 1, 2, 4, 5, 3)
    rows = cells.reshape(-1, 9 * x.shape[3])
    return (rows @ matrices.flatten(0, 1)).view(*cells.shape[:3], -1)


def matmul_conv_transpose(
    x: Float[Tensor, "n h w before"], matrices: Float[Tensor, "9 before after"], step: int
) -> Float[Tensor, "n _ _ after"]:
    """The transposed convolution with stride `step`.

    With transposed matrices it is the adjoint of `matmul_conv`.
    """
    n, height, width, channels = x.shape
    parts = matmul(x.reshape(-1, channels), matrices).view(9, n, height, width, -1)
    tall, wide = step * (height - 1) + 1, step * (width - 1) + 1
    summed = x.new_zeros(n, tall + 2, wide + 2, parts.shape[4])
    for (row, column), part in zip(CELLS, parts, strict=True):
        summed[:, row : row + tall : step, column : column + wide : step].add_(part)
    return summed


def channels_last(x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n h w channels"]:
    """The map with its channels last, in memory too."""
    return x.permute(0, 2, 3, 1).contiguous()


def channels_first(x: Float[Tensor, "n h w channels"]) -> Float[Tensor, "n channels h w"]:
    """The map with its channels first; it shares the memory."""
    return x.permute(0, 3, 1, 2)
