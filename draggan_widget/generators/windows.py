"""Plans for computing windows of a block: the windows of the lower blocks they need, and whether that saves work.

A block doubles the map below it by an up-sampling convolution and a filter, then convolves 3 x 3 once more. Values
outside a map are zero, so a window at a border needs only what lies inside. This module is geometry: it has no tensors.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from draggan_widget.geometry import Window

Size = tuple[int, int]  # height, width
CALL = 56  # px: cost of one more convolution, in px computed by it; fitted by `python -m benchmarks.windows`
ALONE = 750  # products: cost per value of a separable convolution's depthwise half; larger values fit about as well
PAYS = 0.75  # largest cost of windows relative to the whole map: plans were timed up to it; the whole map also draws
PLANS = 256  # number of plans kept: a handle that stays needs the same windows again


@dataclass(frozen=True)
class Pyramid:
    """The numbers of a synthesis whose blocks double the map.

    Attributes:
        start_size: (height, width) of block 0.
        channels: channels of each block's features.
        taps: length of the up-sampling filter; 2 where each cell becomes four px, which a 3 x 3 convolution then reads.
        separable: whether each convolution is a depthwise one followed by a pointwise one; the first convolution of a
            block then reads a quarter of the channels.
    """

    start_size: Size
    channels: tuple[int, ...]
    taps: int
    separable: bool = False

    def size(self, block: int) -> Size:
        """(height, width) of a block's map."""
        return self.start_size[0] * 2**block, self.start_size[1] * 2**block


@dataclass(frozen=True)
class Part:
    """Windows of one size of one block, computed together.

    Attributes:
        outputs: the windows of the block's map that are computed.
        rings: for each output, the window that the block's last convolution reads; may extend beyond the map.
        inner: for each ring, the window that the block's first convolution computes; corners and sizes are even.
        frames: for each inner window, the window that the first convolution reads of the map below; may extend beyond
            that map.
        below: for each frame, a window inside the map below that covers what of it lies there; all of one size.
    """

    outputs: tuple[Window, ...]
    rings: tuple[Window, ...]
    inner: tuple[Window, ...]
    frames: tuple[Window, ...]
    below: tuple[Window, ...]


@dataclass(frozen=True)
class Plan:
    """How windows of a block are computed: the blocks below `lowest` whole, the others by parts.

    Attributes:
        lowest: the lowest block of which only windows are computed.
        stages: the parts of each block from there on.
    """

    lowest: int
    stages: tuple[tuple[Part, ...], ...]


def check_inside(windows: Iterable[Window], size: Size, of: str) -> None:
    """Refuse windows that extend beyond a map.

    Args:
        windows: the windows.
        size: (height, width) of the map.
        of: what the map belongs to, for the error.

    Raises:
        ValueError: a window extends beyond the map.
    """
    whole = Window(0, 0, *size)
    for window in windows:
        if not whole.contains(window):
            raise ValueError(f"{window} extends beyond {of}, a map of {whole}")


def reach(start: int, length: int, taps: int) -> tuple[int, int]:
    """First cell and number of cells that the up-sampling convolution reads along an axis.

    Source: the transposed convolution adds value i to 2 i, 2 i + 1 and 2 i + 2; the filter then reads from
    (taps - 1) // 2 before an output to taps // 2 after it.

    Args:
        start: the first of the outputs; even.
        length: number of outputs.
        taps: length of the filter.
    """
    first = (start - (taps - 1) // 2 - 1) // 2
    last = (start + length - 1 + taps // 2) // 2
    return first, last - first + 1


def part_of(pyramid: Pyramid, block: int, outputs: Sequence[Window]) -> Part:
    """The part that computes windows of one size inside a block's map."""
    rings = tuple(Window(w.y - 1, w.x - 1, w.height + 2, w.width + 2) for w in outputs)
    inner = _equal(rings, pyramid.size(block), 2)
    frames = tuple(_frame(window, pyramid.taps) for window in inner)
    return Part(tuple(outputs), rings, inner, frames, _equal(frames, pyramid.size(block - 1), 1))


def merged(windows: Iterable[Window], pyramid: Pyramid, block: int) -> tuple[Window, ...]:
    """The windows, any two of them replaced by one around both where that one costs no more than the two."""
    kept: list[Window] = []
    waiting = list(windows)[::-1]
    while waiting:
        window = waiting.pop()
        for other in kept:
            both = _around(window, other)
            if _work(both, pyramid, block) <= _work(window, pyramid, block) + _work(other, pyramid, block):
                kept.remove(other)
                waiting.append(both)
                break
        else:
            kept.append(window)
    return tuple(kept)


def stage(pyramid: Pyramid, block: int, windows: Sequence[Window]) -> tuple[Part, ...]:
    """The parts that cover `windows` of a block: separate or merged windows, whichever cost less."""
    apart = _parts(pyramid, block, tuple(dict.fromkeys(windows)))
    together = _parts(pyramid, block, merged(windows, pyramid, block))
    return min(apart, together, key=lambda parts: _stage_cost(pyramid, block, parts))


def plans(pyramid: Pyramid, block: int, windows: Sequence[Window]) -> Iterator[Plan]:
    """All plans for `windows` of a block, from windows of this block alone to windows of every block but the first."""
    stages: tuple[tuple[Part, ...], ...] = ()
    wanted = windows
    for lowest in range(block, 0, -1):
        stages = (stage(pyramid, lowest, wanted), *stages)
        wanted = [window for part in stages[0] for window in part.below]
        yield Plan(lowest, stages)


def chain(pyramid: Pyramid, below: int, window: Window) -> tuple[tuple[Part], ...]:
    """The parts that one window of the last block needs, for every block above `below`."""
    stages: tuple[tuple[Part], ...] = ()
    for block in range(len(pyramid.channels) - 1, below, -1):
        part = part_of(pyramid, block, [window])
        stages, (window,) = ((part,), *stages), part.below
    return stages


def tiles(size: Size, side: int) -> Iterator[Window]:
    """Windows with sides of at most `side` px that cover a map without overlap."""
    for y, x in itertools.product(range(0, size[0], side), range(0, size[1], side)):
        yield Window(y, x, min(side, size[0] - y), min(side, size[1] - x))


@lru_cache(PLANS)
def plan(pyramid: Pyramid, block: int, windows: tuple[Window, ...]) -> Plan | None:
    """The cheapest plan for `windows` of a block; None where the whole map is about as cheap."""
    best = min(plans(pyramid, block, windows), key=lambda candidate: cost_of(pyramid, candidate), default=None)
    return best if best is not None and cost_of(pyramid, best) < PAYS * whole_cost(pyramid, block) else None


def cost_of(pyramid: Pyramid, planned: Plan) -> float:
    """Multiplications of a plan, including its whole blocks; reading a convolution's weights counts as `CALL` px."""
    blocks = enumerate(planned.stages, start=planned.lowest)
    return whole_cost(pyramid, planned.lowest - 1) + sum(_stage_cost(pyramid, block, parts) for block, parts in blocks)


def whole_cost(pyramid: Pyramid, block: int) -> float:
    """Multiplications of the whole maps up to a block; reading a convolution's weights counts as `CALL` px."""
    total = (CALL + math.prod(pyramid.size(0))) * _products(pyramid, 0)[1]
    for number in range(1, block + 1):
        first, second = _products(pyramid, number)
        below, own = math.prod(pyramid.size(number - 1)), math.prod(pyramid.size(number))
        total += first * (CALL + below) + second * (CALL + own)
    return total


def _stage_cost(pyramid: Pyramid, block: int, parts: tuple[Part, ...]) -> float:
    first, second = _products(pyramid, block)  # a separable convolution takes time for the px it reads
    read = [(_pixels(p.frames), _pixels(p.rings if pyramid.separable else p.outputs)) for p in parts]
    return sum(first * (CALL + below) + second * (CALL + own) for below, own in read)


def _work(window: Window, pyramid: Pyramid, block: int) -> float:
    """Multiplications of one window in one block, wherever the window lies."""
    first, second = _products(pyramid, block)
    height, width = (reach(0, side + 3 - (side + 1) % 2, pyramid.taps)[1] for side in (window.height, window.width))
    edge = 2 if pyramid.separable else 0
    return first * height * width + second * (window.height + edge) * (window.width + edge)


def _products(pyramid: Pyramid, block: int) -> tuple[int, int]:
    """Multiplications per px of a block's two convolutions; of the first, per cell of the map below."""
    before, after = pyramid.channels[max(block - 1, 0)], pyramid.channels[block]
    if pyramid.separable and block > 0:
        return before * (ALONE + after), after * (ALONE + after)
    return 9 * before * after, 9 * after * after


def _pixels(windows: tuple[Window, ...]) -> int:
    return len(windows) * windows[0].height * windows[0].width


def _parts(pyramid: Pyramid, block: int, windows: tuple[Window, ...]) -> tuple[Part, ...]:
    """One part for all windows of one size."""
    ordered = sorted(windows, key=_size)
    return tuple(part_of(pyramid, block, tuple(equal)) for _, equal in itertools.groupby(ordered, key=_size))


def _size(window: Window) -> Size:
    return window.height, window.width


def _around(one: Window, other: Window) -> Window:
    y, x = min(one.y, other.y), min(one.x, other.x)
    height = max(one.y + one.height, other.y + other.height) - y
    return Window(y, x, height, max(one.x + one.width, other.x + other.width) - x)


def _frame(window: Window, taps: int) -> Window:
    (y, height), (x, width) = reach(window.y, window.height, taps), reach(window.x, window.width, taps)
    return Window(y, x, height, width)


def _equal(windows: Sequence[Window], size: Size, step: int) -> tuple[Window, ...]:
    """The windows cut to the map, then widened to one size; corners and size are multiples of `step`."""
    ys, height = _equal_axis([(w.y, w.height) for w in windows], size[0], step)
    xs, width = _equal_axis([(w.x, w.width) for w in windows], size[1], step)
    return tuple(Window(y, x, height, width) for y, x in zip(ys, xs, strict=True))


def _equal_axis(spans: Sequence[tuple[int, int]], side: int, step: int) -> tuple[list[int], int]:
    starts = [max(start, 0) // step * step for start, _ in spans]
    ends = [min(start + length, side) for start, length in spans]
    length = -(-max(end - start for start, end in zip(starts, ends, strict=True)) // step) * step
    return [min(start, side - length) for start in starts], length
