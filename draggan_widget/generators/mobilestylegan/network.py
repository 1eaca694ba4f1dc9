"""MobileStyleGAN's two networks in plain PyTorch.

Source: Belousov 2021, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis".
Differs from the published graphs: 1. demodulation and the constant factors behind the style affines are folded into
the weights, as the file already does for demodulation; 2. the inverse Haar transform is a butterfly and a pixel
shuffle instead of eight transposed convolutions; 3. every style affine has its own row of `ws`.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.errors import Cancelled
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.windowed_blocks import by_parts, reread
from draggan_widget.generators.windows import Part, Plan, Pyramid, chain
from draggan_widget.geometry import Window

SLOPE = 0.2  # of every leaky ReLU
MAPPING_GAIN = 2**0.5  # after every leaky ReLU of the mapping
MAPPING_LAYERS = 8
STRIP_BLOCKS = 2  # blocks at the top that `picture` draws in strips
STRIP_ROWS = 16  # rows of a strip, counted in the map that the strips start from; measured on two cores


@dataclass(frozen=True)
class MobileStyleGANConfig:
    """Sizes of one network.

    Attributes:
        channels: channels of each block's features, from 4 x 4 upward.
        z_dim: length of z.
        w_dim: length of one row of ws.
    """

    channels: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64)
    z_dim: int = 512
    w_dim: int = 512

    @property
    def num_ws(self) -> int:
        """Rows of ws, one for each style affine: first convolution, three in each further block, output."""
        return 3 * len(self.channels) - 1

    @property
    def resolution(self) -> int:
        """Side of the picture, px: twice that of the last block's map."""
        return 2 ** (len(self.channels) + 2)


def style_channels(config: MobileStyleGANConfig) -> list[int]:
    """Channels that each style affine scales, in order of use."""
    counts = [config.channels[0]]
    for before, after in itertools.pairwise(config.channels):
        counts += [before, before // 4, after]
    return [*counts, config.channels[-1]]


def inverse_haar(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch c4 height2 width2"]:
    """Inverse 2-D Haar transform, at twice its orthonormal amplitude: callers halve their input.

    The first quarter of the channels are averages. Three details follow for each average: the first changes sign down
    a column, the second along a row, the third in both directions.
    """
    count = x.shape[1] // 4
    average = x[:, :count]
    down, along, both = x[:, count:].unflatten(1, (count, 3)).unbind(2)
    top, bottom = average + down, average - down
    upper, lower = along + both, along - both
    corners = torch.stack((top + upper, top - upper, bottom + lower, bottom - lower), dim=2)
    return F.pixel_shuffle(corners.flatten(1, 2), 2)


class StyledConv(nn.Module):
    """Scale the channels by a style, convolve, add noise and bias, leaky ReLU."""

    def __init__(self, channels_in: int, channels_out: int, side: int, separable: bool):
        super().__init__()
        self.separable = separable
        if separable:
            self.depthwise = nn.Parameter(torch.empty(channels_in, 1, 3, 3, dtype=torch.float32))
            self.pointwise = nn.Parameter(torch.empty(channels_out, channels_in, dtype=torch.float32))
        else:
            self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 3, 3, dtype=torch.float32))
        self.noise = nn.Parameter(torch.empty(side, side, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(channels_out, dtype=torch.float32))

    def forward(
        self,
        x: Float[Tensor, "parts channels_in _ _"],
        style: Float[Tensor, "batch channels_in 1 1"],
        windows: Sequence[Window] | None = None,
    ) -> Float[Tensor, "parts channels_out _ _"]:
        """One layer, differentiable in `x` and `style`.

        With `windows` it computes these windows of its map, each from one sample of `x`, which holds all that it reads.
        """
        x, padding = x * style, 1 if windows is None else 0
        if self.separable:
            x = F.conv2d(x, self.depthwise, padding=padding, groups=x.shape[1])
            x = F.conv2d(x, self.pointwise[:, :, None, None], self.bias)
        else:
            x = F.conv2d(x, self.weight, self.bias, padding=padding)
        noise = self.noise
        if windows is not None:
            noise = torch.stack([noise[w.rows, w.columns] for w in windows])[:, None]
        return F.leaky_relu(x.add_(noise), SLOPE, inplace=True)


class Network(nn.Module):
    """The mapping and the synthesis network; the parameters have the names of our checkpoint files."""

    w_avg: Tensor

    def __init__(self, config: MobileStyleGANConfig):
        super().__init__()
        self.config = config
        channels = config.channels
        sizes = [config.z_dim] + [config.w_dim] * MAPPING_LAYERS
        self.mapping = nn.ModuleList(nn.Linear(a, b, dtype=torch.float32) for a, b in itertools.pairwise(sizes))
        self.affine = nn.ModuleList(
            nn.Linear(config.w_dim, count, dtype=torch.float32) for count in style_channels(config)
        )
        self.input = nn.Parameter(torch.empty(channels[0], 4, 4, dtype=torch.float32))
        convs = [StyledConv(channels[0], channels[0], 4, separable=False)]
        for block, (before, after) in enumerate(itertools.pairwise(channels), start=1):
            side = 4 * 2**block
            convs += [StyledConv(before // 4, after, side, True), StyledConv(after, after, side, True)]
        self.conv = nn.ModuleList(convs)
        self.to_rgb = nn.Linear(channels[-1], 12, dtype=torch.float32)
        self.register_buffer("w_avg", torch.zeros(config.w_dim, dtype=torch.float32))
        self.pyramid = Pyramid((4, 4), channels, taps=2, separable=True)
        self.requires_grad_(False)

    def map(self, z: Float[Tensor, "batch z_dim"]) -> Float[Tensor, "batch w_dim"]:
        """Map z to w: normalisation and eight leaky linear layers."""
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            x = F.leaky_relu(layer(x), SLOPE) * MAPPING_GAIN
        return x

    def style(self, row: int, ws: Float[Tensor, "batch num_ws w_dim"]) -> Float[Tensor, "batch channels 1 1"]:
        """The factors of the channels that one row of ws gives."""
        return self.affine[row](ws[:, row])[:, :, None, None]

    def block(
        self, block: int, x: Tensor | None, ws: Float[Tensor, "batch num_ws w_dim"], part: Part | None = None
    ) -> Tensor:
        """One block's features from those of the block before (None for the first block).

        With `part`, the features in its outputs, each one sample of the batch; `x` then holds its frames.
        """
        if x is None:
            return self.conv[0](self.input.expand(ws.shape[0], -1, -1, -1), self.style(0, ws))
        row = 3 * block - 2
        x = inverse_haar(x * (0.5 * self.style(row, ws)))
        first, second = self.conv[2 * block - 1], self.conv[2 * block]
        if part is None:
            return second(first(x, self.style(row + 1, ws)), self.style(row + 2, ws))
        x = x[:, :, 1:-1, 1:-1]  # frames hold whole cells; the convolution reads the nearer half of the outermost
        inner: Tensor = first(x, self.style(row + 1, ws), part.inner)
        rings = reread(inner, part, part.rings, self.pyramid.size(block))
        return second(rings, self.style(row + 2, ws), part.outputs)

    def windows(self, ws: Float[Tensor, "1 num_ws w_dim"], plan: Plan, wanted: Sequence[Window]) -> FeatureMap:
        """The `wanted` windows of a block, computed as planned; values and gradient are exact up to rounding."""
        below = plan.lowest - 1
        return self._run_parts(FeatureMap.of(below, self.run(ws, below)[0]), ws, plan.stages).cut(wanted)

    def _run_parts(self, held: FeatureMap, ws: Tensor, stages: Sequence[Sequence[Part]]) -> FeatureMap:
        """The feature map of the last stage, computed by parts from the held block."""
        *_, last = by_parts(held, stages, lambda block, frames, part: self.block(block, frames, ws, part))
        return last

    def run(
        self,
        ws: Float[Tensor, "batch num_ws w_dim"],
        last: int,
        start: tuple[int, Tensor] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Tensor:
        """Features of block `last`, computed from the first block or from `start`, (block, features)."""
        block, x = (-1, None) if start is None else start
        while block < last:
            if cancelled is not None and cancelled():
                raise Cancelled(f"the picture was dropped before block {block + 1}: nobody waits for it")
            block += 1
            x = self.block(block, x, ws)
        assert x is not None
        return x

    def picture(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        start: tuple[int, Tensor] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "1 3 height width"]:
        """The picture; the two largest blocks are drawn in strips small enough for the processor's cache."""
        last = len(self.config.channels) - 1
        whole = max(last - STRIP_BLOCKS, 0 if start is None else start[0])
        held = FeatureMap.of(whole, self.run(ws, whole, start, cancelled)[0])
        side, scale, strips = held.size[0], 2 ** (last - whole), []
        for top in range(0, side, STRIP_ROWS):
            if cancelled is not None and cancelled():
                raise Cancelled(f"the picture was dropped at row {top} of {side}: nobody waits for it")
            rows = min(STRIP_ROWS, side - top)
            strips.append(self._strip(held, Window(top * scale, 0, rows * scale, side * scale), ws))
        return torch.cat(strips, dim=2)

    def _strip(self, held: FeatureMap, window: Window, ws: Tensor) -> Tensor:
        """The part of the picture that shows a window of the last block's map."""
        stages = chain(self.pyramid, held.block, window)
        found = self._run_parts(held, ws, stages) if stages else held
        scaled = found.read(window)[None] * (0.5 * self.style(self.config.num_ws - 1, ws))
        rgb = F.conv2d(scaled, self.to_rgb.weight[:, :, None, None], 0.5 * self.to_rgb.bias)
        return inverse_haar(rgb)
