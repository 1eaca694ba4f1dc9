"""ws to features and the picture (Karras et al. 2020, figure 2 and 7).

Differs from the paper: 1. it can stop at any block, and go on from there; 2. it can compute windows of a block only,
exactly (`Synthesis.windows`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.errors import Cancelled
from draggan_widget.generators.feature_map import FeatureMap, batch_of
from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.layers import FOLD_ABOVE, Bypass, StyledConv, ToRGB
from draggan_widget.generators.stylegan2.resample import filter_of, upsample
from draggan_widget.generators.windowed_blocks import Compute, by_parts, reread
from draggan_widget.generators.windows import Part, Plan, Pyramid, chain, tiles
from draggan_widget.geometry import Window

Noises = Sequence[Tensor | None]  # before its strength, for each convolution in order; None for none
HALF_ABOVE = FOLD_ABOVE  # px of a map above which a picture may be drawn in half precision; drags read those below
TILE_ABOVE = 256 * 256  # px of a map above which pictures are drawn by tiles; measured, as below
TILE = 256  # px: side of a tile of the picture; 128 and 512 take longer
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
        y = y if part is None else reread(y, part, part.rings, self.size)
        if self.skip is None:
            return self.conv1(y, ws[:, row + 1], noises[row + 1], windows=outputs)
        beside = self.skip(x, HALVES, None if inner is None else (inner[0].height, inner[0].width))
        beside = beside if part is None else reread(beside, part, part.outputs, self.size)
        return self.conv1(y, ws[:, row + 1], noises[row + 1], HALVES, outputs) + beside

    def rgb(self, x: Tensor, ws: Float[Tensor, "1 num_ws w_dim"]) -> Tensor | None:
        """What this block adds to the picture; None where only the last block draws."""
        row = self.first_row + (1 if self.conv0 is None else 2)  # shared with the next block's first convolution
        return None if self.torgb is None else self.torgb(x, ws[:, row])

    def drawn(self, picture: Tensor | None, own: Tensor | None) -> Tensor | None:
        """The picture after this block, from that before it and what it adds."""
        return own if picture is None or own is None else own.add_(upsample(picture, self.resample_filter))


class Synthesis(nn.Module):
    """Every block."""

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.pyramid = Pyramid(config.start_size, config.channels, len(config.resample_filter))
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
            with torch.no_grad():
                picture = module.drawn(picture, module.rgb(x.detach(), ws))
        assert x is not None
        return Drawn(block, x, picture)

    def windows(
        self, ws: Float[Tensor, "1 num_ws w_dim"], noises: Noises, plan: Plan, wanted: Sequence[Window]
    ) -> FeatureMap:
        """`wanted` windows of a block as planned: exact, values and gradient, up to rounding."""
        drawn = self.run(ws, noises, plan.lowest - 1)
        *_, held = by_parts(FeatureMap.of(drawn.block, drawn.x.squeeze(0)), plan.stages, self._compute(ws, noises))
        return held.cut(wanted)

    def halved(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        noises: Noises,
        start: Drawn | None,
        dtype: torch.dtype,
        cancelled: Callable[[], bool] | None = None,
    ) -> Drawn:
        """The last block of at most `HALF_ABOVE` px with its features in `dtype`, for a picture to go on from.

        Raises:
            Cancelled: `cancelled` answered True before a block.
        """
        last = self._last_of(HALF_ABOVE)
        drawn = self.run(ws, noises, last, start if start is not None and start.block <= last else None, cancelled)
        return replace(drawn, x=drawn.x.to(dtype))

    def _last_of(self, pixels: int) -> int:
        """The last block whose map has at most so many px; 0 where none has."""
        sizes = enumerate(map(self.pyramid.size, range(len(self.pyramid.channels))))
        return max([0, *(block for block, size in sizes if math.prod(size) <= pixels)])

    def picture(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        noises: Noises,
        start: Drawn | None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "1 colours height width"]:
        """The picture; blocks too large for the processor's cache are computed by tiles of it.

        They are computed in the dtype of the features it starts from.

        Raises:
            Cancelled: `cancelled` answered True before a block or a tile.
        """
        blocks = [block for block in self.children() if isinstance(block, Block)]
        drawn = self.run(ws, noises, self._last_of(TILE_ABOVE), start, cancelled)
        picture, tiled = drawn.picture, blocks[drawn.block + 1 :]
        if tiled:
            own = {b.number: ws.new_empty(1, len(b.torgb.bias), *b.size) for b in tiled if b.torgb is not None}
            held = FeatureMap.of(drawn.block, drawn.x.squeeze(0))
            for tile in tiles(tiled[-1].size, TILE):
                if cancelled is not None and cancelled():
                    raise Cancelled(f"the picture was dropped before {tile}: nobody waits for it")
                stages = chain(self.pyramid, drawn.block, tile)
                for block, found in zip(tiled, by_parts(held, stages, self._compute(ws, noises)), strict=True):
                    colours = block.rgb(batch_of(found.values[0]), ws)
                    if colours is not None:
                        (at,) = found.windows
                        own[block.number][:, :, at.rows, at.columns] = colours
            for block in tiled:
                picture = block.drawn(picture, own.get(block.number))
        assert picture is not None
        return picture

    def _compute(self, ws: Tensor, noises: Noises) -> Compute:
        blocks = list(self.children())
        return lambda block, frames, part: blocks[block](frames, ws, noises, part)
