"""Windows of a MobileStyleGAN's blocks equal the whole map, and so do drags by them."""

import itertools

import numpy as np
import pytest
import torch
from generators.test_windows import check_only_windows, draws_of_windows, window_in
from generators.tiny import random_ws, tiny_generator
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.engine.step import DragStep
from draggan_widget.generators import windows as planning
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.mobilestylegan.network import Network
from draggan_widget.generators.windows import plans
from draggan_widget.geometry import Window

CHANNELS = (16, 16, 8, 8, 4)
WIDE = (64, 64, 64, 32, 16)
_generators: dict[torch.dtype, MobileStyleGAN] = {}


def generator_of(dtype: torch.dtype) -> MobileStyleGAN:
    if dtype not in _generators:
        _generators[dtype] = tiny_generator(CHANNELS, dtype)
    return _generators[dtype]


def check_equal(block: int, windows: tuple[Window, ...], lowest: int, double: bool) -> None:
    """Values and gradient, computed from block `lowest` on by windows, against cuts of the whole map."""
    generator, bound = (generator_of(torch.float64), 1e-10) if double else (generator_of(torch.float32), 1e-5)
    steps = next(way for way in plans(generator.network.pyramid, block, windows) if way.lowest == lowest)
    ws = random_ws(generator, 1)
    one, other = ws.clone().requires_grad_(), ws.clone().requires_grad_()
    found, whole = generator.network.windows(one, steps, windows), generator.features(other, block)
    due = whole.cut(windows)
    assert (found.block, found.size, found.windows, found.picture) == (block, due.size, windows, None)
    limit = bound * max(1.0, float(whole.whole.detach().abs().max()))
    for mine, right in zip(found.values, due.values, strict=True):
        torch.testing.assert_close(mine, right, atol=limit, rtol=0)
    source = torch.Generator().manual_seed(2)
    weights = [torch.randn(v.shape, generator=source, dtype=torch.float64).to(ws.dtype) for v in due.values]
    gradients = [
        torch.autograd.grad(sum((w * v).sum() for w, v in zip(weights, held.values, strict=True)), latent)[0]
        for held, latent in ((found, one), (due, other))
    ]
    torch.testing.assert_close(*gradients, atol=bound * max(1.0, float(gradients[1].abs().max())), rtol=0)


@pytest.mark.slow
@given(st.integers(1, 4), st.integers(1, 4), draws_of_windows, st.booleans())
@settings(deadline=None, max_examples=80)
def test_windows_equal_the_whole_map(block: int, depth: int, draws, double: bool):
    size = generator_of(torch.float64).block_size(block)
    check_equal(block, tuple(window_in(*size, four) for four in draws), max(1, block + 1 - depth), double)


@pytest.mark.parametrize("lowest", [1, 2, 3, 4])
def test_windows_in_every_corner_equal_the_whole_map(lowest: int):
    corners = itertools.product((0, 59), (0, 60))
    check_equal(4, tuple(Window(y, x, 5, 4) for y, x in corners), lowest, double=True)


def test_a_wide_generator_asked_for_windows_gives_them_without_the_whole_map(monkeypatch: pytest.MonkeyPatch):
    generator = tiny_generator(WIDE)
    check_only_windows(generator, random_ws(generator), monkeypatch)


def test_windows_that_do_not_pay_are_cut_from_the_whole_map():
    generator = tiny_generator(WIDE)
    windows = (Window(0, 0, 63, 64), Window(40, 20, 5, 5))
    assert not generator.windows_pay(4, windows)
    ws = random_ws(generator)
    found, whole = generator.features(ws, 4, windows), generator.features(ws, 4)
    assert found.windows == windows
    assert all(torch.equal(a, b) for a, b in zip(found.values, whole.cut(windows).values, strict=True))


def test_no_windows_are_none_and_one_that_extends_beyond_the_map_is_refused():
    generator = generator_of(torch.float32)
    assert generator.features(random_ws(generator), 4, ()).values == ()
    with pytest.raises(ValueError, match=r"^Window\(y=60, .*\) extends beyond block 4 of tiny, a map of Window"):
        generator.features(random_ws(generator), 4, [Window(60, 0, 5, 5)])


def test_for_the_published_widths_one_and_five_points_pay_and_very_many_do_not():
    pyramid = planning.Pyramid((4, 4), (512,) * 5 + (256, 128, 64), taps=2, separable=True)

    def found(count: int) -> planning.Plan | None:
        return planning.plan(pyramid, 4, tuple(Window(n // 8 * 7, n % 8 * 7, 6, 6) for n in range(count)))

    one, five = found(1), found(5)
    assert one is not None
    assert five is not None
    assert one.lowest <= five.lowest <= 4
    assert planning.cost_of(pyramid, one) < 0.25 * planning.whole_cost(pyramid, 4)
    assert found(64) is None


class Whole(MobileStyleGAN):
    """A generator that always computes the whole map."""

    def windows_pay(self, block, windows):
        return False


def edit_of(points: int) -> Edit:
    handles = [(0.0, 0.0), (127.0, 40.0), (60.25, 127.0), (64.0, 30.5), (90.0, 90.0)][:points]
    return Edit(handles, [(min(max(x + 14, 4), 123), min(max(y - 11, 4), 123)) for x, y in handles])


def first_steps(generator: MobileStyleGAN, edit: Edit, count: int) -> list[DragStep]:
    config = DragConfig.for_generator(generator)
    return list(itertools.islice(drag(generator, random_ws(generator, 5), edit, config), count))


@pytest.mark.slow
@pytest.mark.parametrize("points", [1, 2, 5])
@pytest.mark.usefixtures("always")
def test_with_windows_a_drag_takes_the_same_steps(points: int, monkeypatch: pytest.MonkeyPatch):
    generator = tiny_generator(WIDE)
    whole = Whole(generator.network, {}, {}, "whole")
    computed, windowed = [], Network.windows
    monkeypatch.setattr(Network, "windows", lambda *args: (computed.append(args[-1]), windowed(*args))[1])
    mine, due = (first_steps(way, edit_of(points), 20) for way in (generator, whole))
    assert len(mine) == len(due)
    assert len(computed) == len(mine) - 1 > 3
    for one, other in zip(mine, due, strict=True):
        assert one.handles == other.handles
        assert one.loss == (None if other.loss is None else pytest.approx(other.loss, rel=1e-4))
        moved = float((other.ws - due[0].ws).norm())
        assert float((one.ws - other.ws).norm()) <= 1e-2 * moved


@pytest.mark.usefixtures("always")
def test_pictures_and_previews_of_a_step_without_a_map_are_those_of_its_latent():
    generator = tiny_generator((64, 64, 64, 32))
    config = DragConfig.for_generator(generator).replace(block=3)
    steps = drag(generator, random_ws(generator, 5), Edit([(30.0, 30.0)], [(44.0, 20.0)]), config)
    next(steps)
    step = next(steps)
    assert step.current.get() is None
    with torch.no_grad():
        whole = generator.features(step.ws, 3)
    picture = np.asarray(step.picture())
    assert torch.equal(step.preview(), generator.preview(whole, step.ws))
    assert step.current.get() is not None
    assert np.array_equal(np.asarray(step.picture()), picture)


def test_several_latents_are_drawn_as_each_alone():
    generator = generator_of(torch.float32)
    ws = random_ws(generator, 3, batch=3)
    alone = [generator.image(ws[n : n + 1]) for n in range(3)]
    assert torch.equal(generator.image(ws), torch.cat(alone))
