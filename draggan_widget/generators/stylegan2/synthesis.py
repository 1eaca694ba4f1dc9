"""ws to features and the picture (Karras et al. 2020, figure 2 and 7).

Differs from the paper: 1. it can stop at any block, and go on from there; 2. it can compute windows of a block only,
exactly (`Synthesis.windows`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.errors import Cancelled
from draggan_widget.generators.generator import FeatureMap
from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.layers import Bypass, StyledConv, ToRGB
from draggan_widget.generators.stylegan2.resample import filter_of, upsample
from draggan_widget.generators.windows import Part, Plan
from draggan_widget.geometry import Window

Noises = Sequence[Tensor | None]  # before its strength, for each convolution in order; None for none
HALVES = 0.5**0.5  # of the two ways through a "resnet" block, so that their sum keeps its size


@dataclass(frozen=True)
class Drawn:
    """How far a synthesis came.

    Attributes:
        block: the last block computed.
        x: its features.
        picture: what the blocks up to it have drawn; None where only the last block draws.
    """

    block: int
    x: Float[Tensor, "1 channels height width"]
    picture: Float[Tensor, "1 colours height width"] | None


class Block(nn.Module):
    """All layers of one size."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, block: int):
        super().__init__()
        self.register_buffer("resample_filter", filter_of(config.resample_filter))
        self.number, self.size = block, config.block_size(block)
        self.first_row = max(2 * block - 1, 0)  # of ws
        first, last = block == 0, block == config.num_blocks - 1
        height, width = config.start_size
        self.const = nn.Parameter(torch.empty(config.channels[0], height, width)) if first else None
        self.conv0 = None if first else StyledConv(config, block, up=True)
        self.conv1 = StyledConv(config, block, up=False)
        self.torgb = ToRGB(config, block) if last or config.architecture == "skip" else None
        self.skip = Bypass(config, block) if config.architecture == "resnet" and not first else None

    def forward(
        self, x: Tensor | None, ws: Float[Tensor, "1 num_ws w_dim"], noises: Noises, part: Part | None = None
    ) -> Tensor:
        """The block's features from those of the block before, None for the first.

        With `part` its outputs, one a sample of the batch, from the frames it needs of the block before.
        """
        row = self.first_row
        if self.conv0 is None:
            assert self.const is not None
            return self.conv1(self.const[None], ws[:, row], noises[row])
        assert x is not None
        inner, outputs = (None, None) if part is None else (part.inner, part.outputs)
        y = self.conv0(x, ws[:, row], noises[row], windows=inner)
        y = y if part is None else self._read(y, part, part.rings)
        if self.skip is None:
            return self.conv1(y, ws[:, row + 1], noises[row + 1], windows=outputs)
        beside = self.skip(x, HALVES, None if inner is None else (inner[0].height, inner[0].width))
        beside = beside if part is None else self._read(beside, part, part.outputs)
        return self.conv1(y, ws[:, row + 1], noises[row + 1], HALVES, outputs) + beside

    def _read(self, values: Tensor, part: Part, windows: Sequence[Window]) -> Tensor:
        """A window, perhaps sticking out of the map, of each of the inner ones."""
        held = zip(values, part.inner, windows, strict=True)
        return torch.stack([FeatureMap(self.number, self.size, (at,), (x,)).padded(window) for x, at, window in held])

    @torch.no_grad()
    def draw(self, picture: Tensor | None, x: Tensor, ws: Float[Tensor, "1 num_ws w_dim"]) -> Tensor | None:
        """The picture after this block, without a graph."""
        if self.torgb is None:
            return None
        row = self.first_row + (1 if self.conv0 is None else 2)  # shared with the next block's first convolution
        own = self.torgb(x.detach(), ws[:, row])
        return own if picture is None else own.add_(upsample(picture, self.resample_filter))


class Synthesis(nn.Module):
    """Every block."""

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        for block in range(config.num_blocks):
            self.add_module(config.block_name(block), Block(config, block))

    def convs(self) -> list[StyledConv]:
        """Every convolution, in order of the rows of ws."""
        return [module for module in self.modules() if isinstance(module, StyledConv)]

    def run(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        noises: Noises,
        last: int,
        start: Drawn | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Drawn:
        """Up to block `last`, from the beginning or from what was computed before.

        Raises:
            Cancelled: `cancelled` answered True before a block.
        """
        blocks = list(self.children())
        block, x, picture = (-1, None, None) if start is None else (start.block, start.x, start.picture)
        while block < last:
            if cancelled is not None and cancelled():
                raise Cancelled(f"the picture was dropped before block {block + 1}: nobody waits for it")
            block += 1
            module = blocks[block]
            assert isinstance(module, Block)
            x = module(x, ws, noises)
            picture = module.draw(picture, x, ws)
        assert x is not None
        return Drawn(block, x, picture)

    def windows(
        self, ws: Float[Tensor, "1 num_ws w_dim"], noises: Noises, plan: Plan, wanted: Sequence[Window]
    ) -> FeatureMap:
        """`wanted` windows of a block as planned: exact, values and gradient, up to rounding."""
        blocks = list(self.children())
        drawn = self.run(ws, noises, plan.lowest - 1)
        held = FeatureMap.of(drawn.block, drawn.x[0])
        for number, parts in enumerate(plan.stages, start=plan.lowest):
            block = blocks[number]
            assert isinstance(block, Block)
            found = [block(torch.stack([held.padded(f) for f in part.frames]), ws, noises, part) for part in parts]
            windows = tuple(window for part in parts for window in part.outputs)
            held = FeatureMap(number, block.size, windows, tuple(x for values in found for x in values))
        return held.cut(wanted)
