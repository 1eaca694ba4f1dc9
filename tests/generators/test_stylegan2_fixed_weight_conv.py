"""Convolutions with fixed weights, by matrix products and by PyTorch's convolution, against PyTorch's own gradient."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from draggan_widget.generators.stylegan2 import fixed_weight_conv
from draggan_widget.generators.stylegan2.fixed_weight_conv import Convolution, FixedWeights
from draggan_widget.generators.stylegan2.resample import upsampled_conv

TAPS = {1: [1], 2: [1, 1], 3: [1, 2, 1], 4: [1, 3, 3, 1], 5: [1, 4, 6, 4, 1], 6: [1, 5, 10, 10, 5, 2]}
SIZES = ((4, 4), (5, 3), (9, 8))
BELOW = {"products": 10**6, "convolutions": 0}


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(up: bool, taps: list[int]) -> FixedWeights:
    line = torch.tensor(taps, dtype=torch.float64)
    return FixedWeights(drawn(0, 3, 2, 3, 3), torch.outer(line, line) / line.sum() ** 2, up)


def plain(convolution: Convolution, x: Tensor) -> Tensor:
    """The convolution, by PyTorch alone."""
    if not convolution.fixed.up:
        return F.conv2d(x, convolution.fixed.weight, padding=convolution.margin)
    return upsampled_conv(x, convolution.fixed.weight.transpose(0, 1), convolution.fixed.kernel, None, convolution.size)


def check(convolution: Convolution, x: Tensor) -> None:
    """Values and adjoint, also of maps that are zero but for a part, or all over."""
    due = plain(convolution, x.requires_grad_())
    torch.testing.assert_close(convolution.forward(x.detach()), due, atol=1e-12, rtol=1e-9)
    height, width = due.shape[2:]
    for top, left in itertools.product(range(0, height + 1, 2), range(0, width + 1, 3)):
        for tall, wide in ((height, width), (1, 2), (3, 1), (0, 0)):
            lit = torch.zeros_like(due)
            lit[:, :, top : top + tall, left : left + wide] = 1
            y = drawn(1, *due.shape) * lit
            (gradient,) = torch.autograd.grad(due, x, y, retain_graph=True)
            torch.testing.assert_close(convolution.adjoint(y, x), gradient, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", BELOW)
def test_a_convolution_and_its_adjoint_are_pytorch_s(way: str, size: tuple[int, int], monkeypatch):
    monkeypatch.setattr(fixed_weight_conv, "MATMUL_UP_TO", BELOW[way])
    for margin in (0, 1):
        check(Convolution(layer(False, TAPS[4]), margin, None), drawn(2, 2, 2, *size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("way", BELOW)
def test_a_doubling_convolution_and_its_adjoint_are_pytorch_s(way: str, taps: int, size: tuple[int, int], monkeypatch):
    monkeypatch.setattr(fixed_weight_conv, "MATMUL_UP_TO", BELOW[way])
    height, width = size
    for framed in (None, (2 * height - 6, 2 * width - 4)):
        if framed is None or min(framed) > 0:
            check(Convolution(layer(True, TAPS[taps]), 0, framed), drawn(2, 2, 2, *size))


def inputs() -> tuple[Tensor, ...]:
    """x, style, factors, bias and noise of a doubling layer."""
    shapes = ((2, 2, 4, 4), (2,), (3,), (3,), (2, 1, 8, 8))
    return tuple(drawn(seed, *shape).requires_grad_() for seed, shape in enumerate(shapes, start=3))


@pytest.mark.parametrize("slope", [0.2, 0.0])
@pytest.mark.parametrize("way", BELOW)
def test_a_styled_convolution_has_the_gradient_of_all_it_is_given(way: str, slope: float, monkeypatch):
    monkeypatch.setattr(fixed_weight_conv, "MATMUL_UP_TO", BELOW[way])
    convolution = Convolution(layer(True, TAPS[4]), 0, None, slope)
    assert torch.autograd.gradcheck(convolution.styled, inputs())


def test_second_derivatives_are_refused():
    x, *others = inputs()
    found = Convolution(layer(True, TAPS[4]), 0, None).styled(x, *others)
    (gradient,) = torch.autograd.grad(found.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
