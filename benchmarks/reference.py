"""The reference step that ours is timed against, from the method's description (Pan et al. 2023, section 3.2).

Each step modulates the weights, builds a graph through the whole picture and the weights, enlarges the feature map to
the picture's size, and draws the picture. Everything else is made fast: one modulating product for each weight, biases
inside the convolutions, in-place activations, channels-last memory.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from draggan_widget import DragConfig, Edit
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.generators.stylegan2.layers import StyledConv, ToRGB
from draggan_widget.generators.stylegan2.synthesis import Block

GAIN = 2**0.5


class Reference:
    """A drag, step by step, with the official constants."""

    def __init__(self, generator: StyleGAN2, ws: Tensor, edit: Edit, config: DragConfig):
        self.generator, self.edit, self.config = generator, edit, config
        self.weights = [arranged(conv) for conv in generator.network.synthesis.convs()]
        self.leaf, self.rest = ws[:, :6].clone().requires_grad_(), ws[:, 6:]
        self.adam = torch.optim.Adam([self.leaf], lr=config.learning_rate)
        self.handles = [(int(x), int(y)) for x, y in edit.handles]
        self.fixed = None if edit.mask is None else torch.from_numpy(~edit.mask).to(ws)
        self.start: Tensor | None = None

    def step(self) -> None:
        """Make one step: draw, track, supervise, update the latent."""
        side, config = self.generator.resolution, self.config
        features, picture = self.synthesis(torch.cat([self.leaf, self.rest], 1))
        large = F.interpolate(features, size=(side, side), mode="bilinear")
        still = large.detach()
        if self.start is None:
            self.start = still
            self.known = [still[0, :, y, x] for x, y in self.handles]
        self.handles = [self.tracked(still, *pair) for pair in zip(self.handles, self.known, strict=True)]
        (picture.detach()[0] * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu()
        loss = torch.stack(
            [self.motion(large, *pair) for pair in zip(self.handles, self.edit.targets, strict=True)]
        ).sum()
        if self.fixed is not None:
            loss = loss + config.mask_weight * ((large - self.start) * self.fixed).abs().mean()
        for held in (self.leaf, *self.weights):
            held.grad = None
        loss.backward()
        self.adam.step()

    def tracked(self, still: Tensor, handle: tuple[int, int], known: Tensor) -> tuple[int, int]:
        """The px of the search square whose feature is nearest to the known one."""
        (x, y), reach = handle, int(self.config.tracking_radius)
        left, top = max(x - reach, 0), max(y - reach, 0)
        square = still[0, :, top : y + reach + 1, left : x + reach + 1]
        best = int(torch.linalg.vector_norm(square - known[:, None, None], dim=0).argmin())
        row, column = divmod(best, square.shape[2])
        return left + column, top + row

    def motion(self, large: Tensor, handle: tuple[int, int], target: tuple[float, float]) -> Tensor:
        """Motion supervision of one point over the official disc."""
        side = self.generator.resolution
        line = torch.linspace(0, side, side)
        away = (line - handle[0]).square()[None] + (line - handle[1]).square()[:, None]
        rows, columns = (away < self.config.supervision_radius**2).nonzero(as_tuple=True)
        path = torch.tensor(target) - torch.tensor(handle)
        x, y = (path / path.norm()).tolist()
        places = (torch.stack([columns + x, rows + y], 1) / (side - 1) * 2 - 1).to(large)
        moved = F.grid_sample(large, places[None, None], align_corners=True)[0, :, 0]
        return (large.detach()[0][:, rows, columns] - moved).abs().mean()

    def synthesis(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        """The features of the supervised block, and the picture of the "skip" architecture."""
        row, noises = 0, self.generator._noises
        x = features = picture = torch.empty(0)
        for block in self.generator.network.synthesis.children():
            assert isinstance(block, Block)
            assert isinstance(block.torgb, ToRGB)
            if block.conv0 is None:
                assert isinstance(block.const, nn.Parameter)
                x = block.const[None].contiguous(memory_format=torch.channels_last)
            else:
                x = convolution(block.conv0, self.weights[row], x, ws[:, row], noises[row])
                row += 1
            x = convolution(block.conv1, self.weights[row], x, ws[:, row], noises[row])
            row += 1
            features = x if block.number == self.config.block else features
            style = block.torgb.affine(ws[:, row])[0] * x.shape[1] ** -0.5
            own = F.conv2d(x, block.torgb.weight * style[:, None, None], block.torgb.bias)
            picture = own if block.conv0 is None else own + doubled(picture, block.resample_filter)
        return features, picture


def arranged(conv: StyledConv) -> Tensor:
    """A layer's weight in the layout of PyTorch's convolution, which takes a gradient."""
    weight = conv.weight.detach()
    weight = weight.transpose(0, 1) if conv.up else weight
    return weight.clone(memory_format=torch.channels_last).requires_grad_()


def convolution(layer: StyledConv, weight: Tensor, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
    """One styled convolution with the given weight: modulated, demodulated, with the gain of the activation."""
    style, bias = layer.affine(w)[0], GAIN * layer.bias
    squares = weight.square().sum(dim=(2, 3))
    if layer.up:
        norms = (style.square() @ squares + 1e-8).rsqrt()
        weight = weight * (GAIN * style[:, None] * norms)[:, :, None, None]
        x = F.conv_transpose2d(x, weight, stride=2)
        x = F.conv2d(x, filters(layer.resample_filter, len(bias)), bias, padding=1, groups=len(bias))
    else:
        norms = (squares @ style.square() + 1e-8).rsqrt()
        weight = weight * (GAIN * norms[:, None] * style)[:, :, None, None]
        x = F.conv2d(x, weight, bias, padding=1)
    if noise is not None:
        x = x.add_(noise * (GAIN * layer.noise_strength))
    return F.leaky_relu_(x, 0.2)


def doubled(picture: Tensor, taps: Tensor) -> Tensor:
    """Double the size: zeros between the values, then the filter."""
    _, colours, height, width = picture.shape
    spread = picture.new_zeros(1, colours, height, 2, width, 2)
    spread[:, :, :, 0, :, 0] = picture
    padded = F.pad(spread.reshape(1, colours, 2 * height, 2 * width), [2, 1, 2, 1])
    return F.conv2d(padded, filters(taps, colours), groups=colours)


def filters(taps: Tensor, channels: int) -> Tensor:
    """The up-sampling filter, repeated for each channel."""
    return (4 * taps).expand(channels, 1, -1, -1)
