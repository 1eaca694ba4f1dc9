"""Windows of a StyleGAN2's blocks: what they need below, what they cost, and that they equal the whole map."""

import itertools
from typing import Any

import pytest
import torch
from generators.test_stylegan2 import made, random_ws
from generators.tiny_stylegan2 import plain_config
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget.generators import windows as planning
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.generators.windows import (
    Part,
    Plan,
    Pyramid,
    chain,
    cost_of,
    merged,
    plan,
    plans,
    reach,
    stage,
    tiles,
    whole_cost,
)
from draggan_widget.geometry import Window

TAPS = {1: [1], 2: [1, 1], 3: [1, 2, 1], 4: [1, 4, 2, -1], 5: [1, 4, 6, 4, 1], 6: [1, 5, 10, 10, 5, 2]}
SIDE = 64  # of the top block's map
NARROW = {"channels": [4, 4, 4, 3, 3]}
Numbers = st.integers(0, 10_000)


def window_in(height: int, width: int, draws: tuple[int, int, int, int]) -> Window:
    """A window inside a map, drawn so that borders and corners occur."""
    tall, wide = 1 + draws[0] % min(height, 14), 1 + draws[1] % min(width, 14)
    return Window(draws[2] % (height - tall + 1), draws[3] % (width - wide + 1), tall, wide)


draws_of_windows = st.lists(st.tuples(Numbers, Numbers, Numbers, Numbers), min_size=1, max_size=4)


def covered(windows: tuple[Window, ...]) -> set[tuple[int, int]]:
    return {(y, x) for w in windows for y in range(w.y, w.y + w.height) for x in range(w.x, w.x + w.width)}


# What an output reads, counted


def outputs_reading(cell: int, side: int, taps: int) -> set[int]:
    """Outputs of the doubled map, along an axis, that one cell of the map below reaches, by a plain convolution."""
    line = torch.zeros(1, 1, 1, side, dtype=torch.float64)
    line[..., cell] = 1.0
    spread = torch.nn.functional.conv_transpose1d(line[0], torch.ones(1, 1, 3, dtype=torch.float64), stride=2)
    before, after = (taps - 1) // 2, taps // 2 - 1
    ones = torch.ones(1, 1, taps, dtype=torch.float64)
    doubled = torch.nn.functional.conv1d(torch.nn.functional.pad(spread, (before, after)), ones)[0, 0]
    assert len(doubled) == 2 * side
    return set(doubled.nonzero()[:, 0].tolist())


@pytest.mark.parametrize("taps", range(1, 9))
def test_a_frame_holds_every_cell_its_outputs_read_and_begins_and_ends_with_one(taps: int):
    side = 12
    readers = [outputs_reading(cell, side, taps) for cell in range(side)]
    for start, length in itertools.product(range(0, 2 * side, 2), range(2, 9, 2)):
        if start + length > 2 * side:
            continue
        first, count = reach(start, length, taps)
        due = [cell for cell in range(side) if readers[cell] & set(range(start, start + length))]
        assert first <= due[0]
        assert due[-1] <= first + count - 1
        assert due[0] == max(first, 0)
        assert due[-1] == min(first + count, side) - 1


start_sizes = st.sampled_from([(4, 4), (4, 2), (3, 5), (1, 1), (7, 2)])


@given(start_sizes, st.integers(1, 8), st.integers(1, 4), draws_of_windows)
@settings(deadline=None, max_examples=60)
def test_a_stage_covers_what_is_wanted_and_its_parts_fit_together(start_size, taps, block, draws):
    pyramid = Pyramid(start_size, (8,) * 5, taps)
    height, width = pyramid.size(block)
    wanted = tuple(window_in(height, width, four) for four in draws)
    parts = stage(pyramid, block, wanted)
    outputs = [window for part in parts for window in part.outputs]
    assert all(any(held.contains(window) for held in outputs) for window in wanted)
    for part in parts:
        check_part(part, pyramid, block)


def check_part(part: Part, pyramid: Pyramid, block: int) -> None:
    whole, small = Window(0, 0, *pyramid.size(block)), Window(0, 0, *pyramid.size(block - 1))
    for row in zip(part.outputs, part.rings, part.inner, part.frames, part.below, strict=True):
        output, ring, inner, frame, below = row
        assert whole.contains(output)
        assert (ring.y, ring.x, ring.height, ring.width) == (
            output.y - 1,
            output.x - 1,
            output.height + 2,
            output.width + 2,
        )
        assert inner.contains(ring.inside(pyramid.size(block)))
        assert whole.contains(inner)
        assert inner.y % 2 == inner.x % 2 == inner.height % 2 == inner.width % 2 == 0
        assert (frame.y, frame.height) == reach(inner.y, inner.height, pyramid.taps)
        assert (frame.x, frame.width) == reach(inner.x, inner.width, pyramid.taps)
        assert below.contains(frame.inside(pyramid.size(block - 1)))
        assert small.contains(below)
    for windows in (part.outputs, part.rings, part.inner, part.frames, part.below):
        assert len({(w.height, w.width) for w in windows}) == 1


# Merging and choosing


def test_windows_that_overlap_much_become_one_and_distant_ones_stay():
    pyramid = Pyramid((4, 4), (8,) * 6, 4)
    near = (Window(10, 10, 9, 9), Window(11, 12, 9, 9))
    assert merged(near, pyramid, 5) == (Window(10, 10, 10, 11),)
    far = (Window(10, 10, 9, 9), Window(100, 12, 9, 9))
    assert merged(far, pyramid, 5) == far
    assert merged((*far, Window(101, 12, 9, 9)), pyramid, 5) == (far[0], Window(100, 12, 10, 9))
    assert merged((far[0],) * 3, pyramid, 5) == far[:1]


@given(draws_of_windows)
@settings(deadline=None, max_examples=30)
def test_merged_windows_cover_the_same_at_no_more_work(draws):
    pyramid = Pyramid((4, 4), (8,) * 5, 4)
    windows = tuple(window_in(SIDE, SIDE, four) for four in draws)
    found = merged(windows, pyramid, 4)
    assert covered(windows) <= covered(found)
    assert sum(planning._work(w, pyramid, 4) for w in found) <= sum(planning._work(w, pyramid, 4) for w in windows)


def planned(points: int, side: int = 11, block: int = 5) -> Plan | None:
    """The plan for that many points, spread over the map of an official generator."""
    across = 8
    corners = [(2 + 15 * (n // across), 2 + 14 * (n % across)) for n in range(points)]
    return plan(Pyramid((4, 4), (512,) * 5 + (256,), 4), block, tuple(Window(*yx, side, side) for yx in corners))


def test_more_points_begin_later_and_many_take_the_whole_map():
    one, five, twenty = planned(1), planned(5), planned(20)
    assert one is not None
    assert five is not None
    assert twenty is not None
    assert one.lowest <= five.lowest <= twenty.lowest <= 5
    pyramid = Pyramid((4, 4), (512,) * 5 + (256,), 4)
    costs = [cost_of(pyramid, way) for way in (one, five, twenty)]
    assert costs == sorted(costs)
    assert costs[-1] < whole_cost(pyramid, 5)
    assert planned(64) is None
    assert planned(1, side=112) is None


def test_a_window_of_the_whole_map_and_one_of_block_0_are_the_whole_map():
    pyramid = Pyramid((4, 4), (8,) * 5, 4)
    assert plan(pyramid, 4, (Window(0, 0, 64, 64),)) is None
    assert plan(pyramid, 0, (Window(0, 0, 1, 1),)) is None


# Equal to the whole map


def check_equal(generator: StyleGAN2, block: int, windows: tuple[Window, ...], lowest: int, bound: float) -> None:
    """Values and gradient, computed from block `lowest` on by windows, against cuts of the whole map."""
    pyramid = Pyramid(generator.config.start_size, generator.config.channels, len(generator.config.resample_filter))
    steps = next(way for way in plans(pyramid, block, windows) if way.lowest == lowest)
    ws = random_ws(generator, 1)
    one, other = ws.clone().requires_grad_(), ws.clone().requires_grad_()
    synthesis, noises = generator.network.synthesis, generator._noises
    found = synthesis.windows(one, noises, steps, windows)
    due = generator.features(other, block).cut(windows)
    assert (found.block, found.size, found.windows, found.picture) == (block, due.size, windows, None)
    source = torch.Generator().manual_seed(2)
    weights = [torch.randn(v.shape, generator=source, dtype=torch.float64).to(ws.dtype) for v in due.values]
    for mine, right in zip(found.values, due.values, strict=True):
        torch.testing.assert_close(mine, right, atol=bound * max(1.0, float(right.detach().abs().max())), rtol=0)
    gradients = [
        torch.autograd.grad(sum((w * v).sum() for w, v in zip(weights, held.values, strict=True)), latent)[0]
        for held, latent in ((found, one), (due, other))
    ]
    torch.testing.assert_close(*gradients, atol=bound * max(1.0, float(gradients[1].abs().max())), rtol=0)
    with torch.no_grad():
        again = synthesis.windows(ws, noises, steps, windows)
    for mine, right in zip(again.values, due.values, strict=True):
        torch.testing.assert_close(
            mine, right.detach(), atol=bound * max(1.0, float(right.detach().abs().max())), rtol=0
        )


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_tiles_make_up_a_map(height: int, width: int, side: int):
    found = tuple(tiles((height, width), side))
    assert sum(w.height * w.width for w in found) == height * width == len(covered(found))


@given(draws_of_windows, st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_a_chain_s_parts_read_what_those_below_them_give(draws, below: int):
    pyramid = Pyramid((4, 4), (8,) * 5, 4)
    window = window_in(SIDE, SIDE, draws[0])
    stages = chain(pyramid, below, window)
    assert len(stages) == 4 - below
    assert stages[-1][0].outputs == (window,)
    assert all(low.outputs == high.below for (low,), (high,) in itertools.pairwise(stages))


KINDS: dict[str, dict[str, Any]] = {
    **{f"{taps} taps": {"resample_filter": filter} for taps, filter in TAPS.items()},
    **{f"{t} taps, resnet": {"resample_filter": f, "architecture": "resnet"} for t, f in TAPS.items()},
    "orig": {"architecture": "orig"},
    "clamped resnet": {"architecture": "resnet", "conv_clamp": 0.8},
    "no noise": {"use_noise": False, "conv_clamp": 0.8},
    "upright": {"start_size": [4, 2]},
    "across, resnet": {"start_size": [3, 5], "architecture": "resnet"},
    "one cell": {"start_size": [1, 1]},
}
_generators: dict[tuple[str, torch.dtype], StyleGAN2] = {}


def generator_of(kind: str, dtype: torch.dtype) -> StyleGAN2:
    if (kind, dtype) not in _generators:
        _generators[kind, dtype] = made(plain_config(**{**NARROW, **KINDS[kind]}), dtype)
    return _generators[kind, dtype]


@pytest.mark.slow
@given(st.sampled_from(sorted(KINDS)), st.integers(1, 4), st.integers(1, 4), draws_of_windows, st.booleans())
@settings(deadline=None, max_examples=60)
def test_windows_equal_the_whole_map(kind: str, block: int, depth: int, draws, double: bool):
    generator = generator_of(kind, torch.float64 if double else torch.float32)
    windows = tuple(window_in(*generator.block_size(block), four) for four in draws)
    check_equal(generator, block, windows, max(1, block + 1 - depth), 1e-10 if double else 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_in_every_corner_equal_the_whole_map(kind: str):
    generator = generator_of(kind, torch.float64)
    height, width = generator.block_size(4)
    tall, wide = min(5, height), min(4, width)
    corners = list(itertools.product((0, height - tall), (0, width - wide)))
    for lowest in (1, 3):
        check_equal(generator, 4, tuple(Window(y, x, tall, wide) for y, x in corners), lowest, 1e-10)


@pytest.mark.parametrize("mode", ["random", "none"])
def test_with_other_noise_windows_equal_the_whole_map(mode: str):
    generator = made(plain_config(**NARROW), torch.float64).with_noise(mode, 3)
    check_equal(generator, 4, (Window(0, 50, 9, 14), Window(30, 31, 9, 9)), 2, 1e-10)


def check_only_windows(generator: Generator, ws: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two windows of a 64-px block are right, and no convolution sees the whole map."""
    windows = (Window(0, 0, 5, 5), Window(40, 20, 5, 5))
    assert generator.windows_pay(4, windows)
    due = generator.features(ws, 4).cut(windows)
    sides, convolve = [], torch.nn.functional.conv2d

    def watched(x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        sides.append(x.shape[2])
        return convolve(x, *others, **named)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    found = generator.features(ws, 4, windows)
    assert max(sides) < 40
    for one, other in zip(found.values, due.values, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_a_wide_generator_asked_for_windows_gives_them_without_the_whole_map(monkeypatch: pytest.MonkeyPatch):
    generator = made(plain_config(channels=[16, 16, 16, 16, 8]))
    check_only_windows(generator, random_ws(generator), monkeypatch)


def test_windows_that_do_not_pay_are_cut_from_the_whole_map():
    generator = made(plain_config(**NARROW))
    windows = (Window(0, 0, 63, 64), Window(40, 20, 5, 5))
    assert not generator.windows_pay(4, windows)
    ws = random_ws(generator)
    found, whole = generator.features(ws, 4, windows), generator.features(ws, 4)
    assert found.windows == windows
    assert all(torch.equal(a, b) for a, b in zip(found.values, whole.cut(windows).values, strict=True))
    assert found.picture is not None


def test_no_windows_are_none_and_one_that_extends_beyond_the_map_is_refused():
    generator = made(plain_config(**NARROW))
    assert generator.features(random_ws(generator), 4, ()).values == ()
    with pytest.raises(ValueError, match=r"^Window\(y=60, .*\) extends beyond block 4 of tiny, a map of Window"):
        generator.features(random_ws(generator), 4, [Window(60, 0, 5, 5)])


def test_a_map_read_beyond_its_border_is_zero_there():
    held = FeatureMap.of(1, torch.arange(1.0, 10.0).reshape(1, 3, 3))
    found = held.padded(Window(-1, 1, 3, 4))
    assert found.tolist() == [[[0, 0, 0, 0], [2, 3, 0, 0], [5, 6, 0, 0]]]
    assert held.padded(Window(1, 1, 2, 2)).tolist() == [[[5, 6], [8, 9]]]
