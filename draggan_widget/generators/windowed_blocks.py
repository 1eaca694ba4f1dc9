"""Computing parts of the blocks' maps, for any kind of block; `windows.plan` chooses the parts."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.generators.feature_map import FeatureMap, batch_of
from draggan_widget.generators.windows import Part
from draggan_widget.geometry import Window

Compute = Callable[[int, Tensor, Part], Tensor]  # (block, a part's frames, part) -> its outputs; a sample is a window


def by_parts(held: FeatureMap, stages: Sequence[Sequence[Part]], compute: Compute) -> Iterator[FeatureMap]:
    """The feature maps of the blocks above the held one, in order, each holding the outputs of its parts.

    Args:
        held: feature map of the block below the first stage; it holds what that stage's frames read.
        stages: the parts of each block above it.
        compute: computes one part of a block.
    """
    for parts in stages:
        block, size = held.block + 1, (2 * held.size[0], 2 * held.size[1])
        found = [compute(block, batched([held.padded(f) for f in part.frames]), part) for part in parts]
        windows = tuple(window for part in parts for window in part.outputs)
        held = FeatureMap(block, size, windows, tuple(x for values in found for x in unbatched(values)))
        yield held


def reread(
    values: Float[Tensor, "parts channels _ _"], part: Part, windows: Sequence[Window], size: tuple[int, int]
) -> Float[Tensor, "parts channels _ _"]:
    """One of `windows` for each of a part's inner windows, read from its values; zero outside a map of that size."""
    held = zip(unbatched(values), part.inner, windows, strict=True)
    return batched([FeatureMap(0, size, (at,), (x,)).padded(window) for x, at, window in held])


def batched(maps: Sequence[Float[Tensor, "channels h w"]]) -> Float[Tensor, "maps channels h w"]:
    """Maps of one size as one batch, in the memory order they have; a single map is not copied."""
    return torch.cat([batch_of(x) for x in maps]) if len(maps) > 1 else batch_of(maps[0])


def unbatched(maps: Float[Tensor, "maps channels h w"]) -> Sequence[Float[Tensor, "channels h w"]]:
    """The maps of a batch; their gradient keeps the memory order."""
    if maps.stride(1) != 1:
        return maps.unbind()
    return [x.permute(2, 0, 1) for x in maps.permute(0, 2, 3, 1).unbind()]
