"""The synthesis network: from ws to features and the picture (Karras et al. 2020, figures 2 and 7).

Differs from the paper: 1. it can stop at any block and resume from there; 2. it can compute windows of a block alone,
exactly (`Synthesis.windows`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.checkpoints.stylegan2.resample_filter import filter_matrix
from draggan_widget.errors import Cancelled
from draggan_widget.generators.feature_map import FeatureMap, batch_of
from draggan_widget.generators.stylegan2.layers import FOLD_ABOVE, Bypass, StyledConv, ToRGB, empty_parameter
from draggan_widget.generators.stylegan2.resample import upsample
from draggan_widget.generators.windowed_blocks import Compute, by_parts, reread
from draggan_widget.generators.windows import Part, Plan, Pyramid, chain, tiles
from draggan_widget.geometry import Window

Noises = Sequence[Tensor | None]  # noise of each convolution in order, not yet times its strength; None for no noise
HALF_ABOVE = FOLD_ABOVE  # px of a map above which a picture may be drawn in half precision; drags read smaller maps
TILE_ABOVE = 256 * 256  # px of a map above which pictures are drawn by tiles; measured, as below
TILE = 256  # px: side of a tile of the picture; 128 and 512 take longer
BRANCH_GAIN = 0.5**0.5  # of either branch of a "resnet" block, so that their sum keeps its size


@dataclass(frozen=True)
class PartialSynthesis:
    """What a synthesis has computed up to some block.

    Attributes:
        block: the last block computed.
        x: features of that block.
        picture: the picture that the blocks up to it have drawn; None where only the last block draws.
    """

    block: int
    x: Float[Tensor, "1 channels height width"]
    picture: Float[Tensor, "1 colours height width"] | None


class Block(nn.Module):
    """All layers of one size."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, block: int):
        super().__init__()
        self.register_buffer("resample_filter", filter_matrix(config.resample_filter))
        self.number, self.size = block, config.block_size(block)
        self.first_row = max(2 * block - 1, 0)  # of ws
        name, shapes = f"synthesis.{config.block_name(block)}", config.tensor_shapes
        first = f"{name}.const" in shapes
        self.const = empty_parameter(config, f"{name}.const") if first else None
        self.conv0 = None if first else StyledConv(config, f"{name}.conv0", self.size, up=True)
        self.conv1 = StyledConv(config, f"{name}.conv1", self.size, up=False)
        self.torgb = ToRGB(config, f"{name}.torgb") if f"{name}.torgb.weight" in shapes else None
        self.skip = Bypass(config, f"{name}.skip") if f"{name}.skip.weight" in shapes else None

    def forward(
        self, x: Tensor | None, ws: Float[Tensor, "1 num_ws w_dim"], noises: Noises, part: Part | None = None
    ) -> Tensor:
        """The block's features from those of the block before, None for the first.

        With `part`, the features in its outputs, each one sample of the batch; `x` then holds its frames.
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
        beside = self.skip(x, BRANCH_GAIN, None if inner is None else (inner[0].height, inner[0].width))
        beside = beside if part is None else reread(beside, part, part.outputs, self.size)
        return self.conv1(y, ws[:, row + 1], noises[row + 1], BRANCH_GAIN, outputs) + beside

    def rgb(self, x: Tensor, ws: Float[Tensor, "1 num_ws w_dim"]) -> Tensor | None:
        """What this block adds to the picture; None for a block that draws nothing."""
        row = self.first_row + (1 if self.conv0 is None else 2)  # shared with the next block's first convolution
        return None if self.torgb is None else self.torgb(x, ws[:, row])

    def drawn(self, picture: Tensor | None, own: Tensor | None) -> Tensor | None:
        """The picture after this block: the picture before it, up-sampled, and what this block adds (`own`)."""
        return own if picture is None or own is None else own.add_(upsample(picture, self.resample_filter))


class Synthesis(nn.Module):
    """All blocks."""

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.pyramid = Pyramid(config.start_size, config.channels, len(config.resample_filter))
        for block in range(config.num_blocks):
            self.add_module(config.block_name(block), Block(config, block))

    def convs(self) -> list[StyledConv]:
        """All 3 x 3 convolutions, in order of their rows of ws."""
        return [module for module in self.modules() if isinstance(module, StyledConv)]

    def run(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        noises: Noises,
        last: int,
        start: PartialSynthesis | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> PartialSynthesis:
        """Compute the blocks up to `last`, from the first block or from `start`.

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
        return PartialSynthesis(block, x, picture)

    def windows(
        self, ws: Float[Tensor, "1 num_ws w_dim"], noises: Noises, plan: Plan, wanted: Sequence[Window]
    ) -> FeatureMap:
        """The `wanted` windows of a block, computed as planned; values and gradient are exact up to rounding."""
        drawn = self.run(ws, noises, plan.lowest - 1)
        *_, held = by_parts(FeatureMap.of(drawn.block, drawn.x.squeeze(0)), plan.stages, self._compute(ws, noises))
        return held.cut(wanted)

    def halved(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        noises: Noises,
        start: PartialSynthesis | None,
        dtype: torch.dtype,
        cancelled: Callable[[], bool] | None = None,
    ) -> PartialSynthesis:
        """The blocks whose maps have at most `HALF_ABOVE` px, the features in `dtype`: the start of a picture.

        Raises:
            Cancelled: `cancelled` answered True before a block.
        """
        last = self._last_of(HALF_ABOVE)
        drawn = self.run(ws, noises, last, start if start is not None and start.block <= last else None, cancelled)
        return replace(drawn, x=drawn.x.to(dtype))

    def _last_of(self, pixels: int) -> int:
        """The last block whose map has at most that many px; 0 where none has."""
        sizes = enumerate(map(self.pyramid.size, range(len(self.pyramid.channels))))
        return max([0, *(block for block, size in sizes if math.prod(size) <= pixels)])

    def picture(
        self,
        ws: Float[Tensor, "1 num_ws w_dim"],
        noises: Noises,
        start: PartialSynthesis | None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "1 colours height width"]:
        """The picture; blocks too large for the processor's cache are computed tile by tile.

        The blocks above `start` are computed in the dtype of its features.

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
