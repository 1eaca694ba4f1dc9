"""The StyleGAN2 of `draggan_widget` as a network to train: batches of pictures, in half precision if asked for.

The weights live in the package's own `Network`, so that the shipped network is the trained one. The package's layers
compute one latent at a time; here the same layers compute a batch, which only training needs.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from draggan_widget.checkpoints.stylegan2.config import SLOPES, StyleGAN2Config
from draggan_widget.generators.stylegan2.generator import Network
from draggan_widget.generators.stylegan2.layers import EPSILON, GAIN, StyledConv, ToRGB
from draggan_widget.generators.stylegan2.resample import depthwise, upsample, upsampled_conv
from draggan_widget.generators.stylegan2.synthesis import Block

SLOPE = SLOPES["lrelu"]


def initial_network(config: StyleGAN2Config, seed: int) -> Network:
    """A network with StyleGAN2's random initial weights, and a constant made of waves.

    The first convolution weighs the channels of the constant by w. A weighted sum of waves of all directions and phases
    moves with its weights; a weighted sum of noise does not.
    """
    source = torch.Generator().manual_seed(seed)
    network = Network(config).requires_grad_(True)
    for name, tensor in network.named_parameters():
        with torch.no_grad():
            if name.endswith("const"):
                tensor.copy_(waves(*tensor.shape))
            elif name.endswith("affine.bias"):
                tensor.fill_(1.0)
            elif name.endswith("bias"):
                tensor.zero_()
            else:
                multiplier = config.mapping_lr_multiplier if name.startswith("mapping.fc") else 1.0
                tensor.copy_(torch.randn(tensor.shape, generator=source) / multiplier)
    carry_z(network)
    return network


@torch.no_grad()
def carry_z(network: Network) -> None:
    """Set the mapping's first columns so that they carry z to w unchanged, each entry as a pair of opposite signs.

    A leaky ReLU loses nothing of such a pair, so w holds z from the start, beside the learned columns.

    Raises:
        ValueError: a layer has fewer than twice `z_dim` columns.
    """
    count = 2 * network.config.z_dim
    for name, layer in network.mapping.named_children():
        if layer.weight.shape[0] < count:
            raise ValueError(f"{name} is {layer.weight.shape[0]} wide; expected twice z_dim, {count}, or more")
        gain = GAIN * layer.weight.shape[1] ** -0.5 * network.config.mapping_lr_multiplier
        own = layer.weight[:count]
        own.zero_()
        if name == "fc0":
            for sign, offset in ((1, 0), (-1, 1)):
                own[torch.arange(offset, count, 2), torch.arange(count // 2)] = sign / gain
        else:  # x = (a - b) / 1.2 of a = leaky(x) and b = leaky(-x)
            places = torch.arange(count // 2)
            for row, sign in ((2 * places, 1), (2 * places + 1, -1)):
                own[row, 2 * places] = sign / (1 + SLOPE) / gain
                own[row, 2 * places + 1] = -sign / (1 + SLOPE) / gain


def zero_carried_gradients(network: Network) -> None:
    """Set the gradients of the weights of `carry_z` to zero: these do not learn, and w keeps z entry by entry."""
    count = 2 * network.config.z_dim
    for layer in network.mapping.children():
        for parameter in layer.parameters():
            assert parameter.grad is not None
            parameter.grad[:count] = 0


def waves(channels: int, height: int, width: int) -> Tensor:
    """(channels, height, width): products of cosines and sines, the longest waves first; shorter ones are weaker."""
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    found = []
    limit = 1 + math.isqrt(channels)
    pairs = sorted(((i, j) for i in range(limit) for j in range(limit)), key=lambda pair: pair[0] ** 2 + pair[1] ** 2)
    for i, j in pairs:
        for along, across in (
            (torch.cos, torch.cos),
            (torch.cos, torch.sin),
            (torch.sin, torch.cos),
            (torch.sin, torch.sin),
        ):
            wave = along(math.pi * i * y)[:, None] * across(math.pi * j * x)[None, :]
            size = wave.square().mean().sqrt()
            if size > 1e-3:
                found.append(wave / size / math.sqrt(1 + i**2 + j**2))
    return torch.stack(found[:channels])


def synthesise(network: Network, w: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Generate pictures (batch, 3, height, width) in [-1, 1].

    Args:
        network: network to compute.
        w: latents, (batch, w_dim) or (batch, num_ws, w_dim).
        dtype: type in which the convolutions are computed.
    """
    ws = w[:, None].expand(-1, network.config.num_ws, -1) if w.dim() == 2 else w
    x, picture = None, None
    for block in network.synthesis.children():
        assert isinstance(block, Block)
        row = block.first_row
        if block.const is not None:
            x = block.const.to(dtype).expand(len(ws), -1, -1, -1)
        else:
            assert block.conv0 is not None
            x = convolve(block.conv0, x, ws[:, row])
            row += 1
        x = convolve(block.conv1, x, ws[:, row])
        if block.torgb is not None:
            own = to_rgb(block.torgb, x, ws[:, row + 1])
            picture = own if picture is None else own + upsample(picture, block.resample_filter)
    assert picture is not None
    return picture


def convolve(layer: StyledConv, x: Tensor, w: Tensor) -> Tensor:
    """One styled convolution without noise."""
    style = layer.affine(w)
    norms = style.square() @ layer.weight.square().sum((2, 3)).t()
    factors = (norms + EPSILON).rsqrt() * GAIN
    x = (x * style[:, :, None, None].to(x.dtype)).contiguous(memory_format=torch.channels_last)
    weight = layer.weight.to(x.dtype)
    if layer.up:
        kernel = depthwise(layer.resample_filter.flip(0, 1).to(x.dtype), len(weight))
        x = upsampled_conv(x, weight.transpose(0, 1), kernel)
    else:
        x = F.conv2d(x, weight, padding=1)
    x = torch.addcmul((layer.bias * GAIN)[:, None, None].to(x.dtype), x, factors[:, :, None, None].to(x.dtype))
    return F.leaky_relu(x, SLOPE)


def to_rgb(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    """Contribution of a block to the picture, in float32."""
    style = layer.affine(w) * layer.weight.shape[1] ** -0.5
    x = (x * style[:, :, None, None].to(x.dtype)).contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, layer.weight.to(x.dtype)).float() + layer.bias[:, None, None]
