"""Blocks computed by parts of their maps, whatever a block is made of: `windows.plan` says which parts."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.generators.feature_map import FeatureMap, batch_of
from draggan_widget.generators.windows import Part
from draggan_widget.geometry import Window

Compute = Callable[[int, Tensor, Part], Tensor]  # a block's outputs of a part from its frames, one window a sample


def by_parts(held: FeatureMap, stages: Sequence[Sequence[Part]], compute: Compute) -> Iterator[FeatureMap]:
    """Each block above the held one: the windows of it that its parts give."""
    for parts in stages:
        block, size = held.block + 1, (2 * held.size[0], 2 * held.size[1])
        found = [compute(block, batched([held.padded(f) for f in part.frames]), part) for part in parts]
        windows = tuple(window for part in parts for window in part.outputs)
        held = FeatureMap(block, size, windows, tuple(x for values in found for x in unbatched(values)))
        yield held


def reread(
    values: Float[Tensor, "parts channels _ _"], part: Part, windows: Sequence[Window], size: tuple[int, int]
) -> Float[Tensor, "parts channels _ _"]:
    """A window, perhaps sticking out of the map of that size, of each of a part's inner ones."""
    held = zip(unbatched(values), part.inner, windows, strict=True)
    return batched([FeatureMap(0, size, (at,), (x,)).padded(window) for x, at, window in held])


def batched(maps: Sequence[Float[Tensor, "channels h w"]]) -> Float[Tensor, "maps channels h w"]:
    """Equal maps as one batch, in the order of memory they have; one alone is not copied."""
    return torch.cat([batch_of(x) for x in maps]) if len(maps) > 1 else batch_of(maps[0])


def unbatched(maps: Float[Tensor, "maps channels h w"]) -> Sequence[Float[Tensor, "channels h w"]]:
    """The maps of a batch; their gradient keeps the order of memory."""
    if maps.stride(1) != 1:
        return maps.unbind()
    return [x.permute(2, 0, 1) for x in maps.permute(0, 2, 3, 1).unbind()]
