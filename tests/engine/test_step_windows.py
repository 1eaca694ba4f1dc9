"""A drag that computes windows of the feature map only takes the same steps."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine import test_against_oracle
from engine.helpers import settings as settings_of
from engine.test_against_oracle import CASES
from generators.test_stylegan2 import made, random_ws
from generators.tiny_stylegan2 import plain_config
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.engine.motion import motion_loss
from draggan_widget.engine.references import follow_edit
from draggan_widget.engine.step_windows import step_windows
from draggan_widget.engine.tracking import track
from draggan_widget.errors import ConfigError
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.generators.stylegan2.synthesis import Synthesis
from draggan_widget.geometry import unit_vector

CHANNELS = {64: [6, 6, 6, 6, 4], 128: [6, 6, 6, 6, 6, 4], 256: [6, 6, 6, 6, 6, 4, 4]}


class WindowedBlob(BlobGenerator):
    """The blob, of which windows always pay."""

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.asked: list = []

    def windows_pay(self, block, windows):
        return True

    def features(self, ws, block, windows=None):
        self.asked.append(windows)
        return super().features(ws, block, windows)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_with_windows_twenty_steps_equal_the_slow_oracle(case: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(test_against_oracle, "BlobGenerator", WindowedBlob)
    test_against_oracle.test_twenty_steps_equal_the_slow_oracle(case, monkeypatch)


def step_reads_its_windows(generator: WindowedBlob, handle, edit_target, config: DragConfig, moved, angle) -> None:
    """Reading outside the windows raises."""
    edit, size = Edit((handle,), (edit_target,)), generator.image_size
    whole = generator.features(generator.ws_at(*handle), config.block)
    references = follow_edit(None, edit, whole, config, size)
    windows = step_windows(generator, references, edit, config)
    assert windows is not None
    held = whole.cut(windows)
    point = references.points[0]
    track(held, point, config, size)
    (x, y), r2 = point.position, config.tracking_radius
    reached = (
        x + min(max(round(moved[0] * r2), -int(x)), int(size[1] - 1 - x)),
        y + min(max(round(moved[1] * r2), -int(y)), int(size[0] - 1 - y)),
    )
    there = dataclasses.replace(point, position=reached)
    d = unit_vector((0.0, 0.0), (np.cos(angle), np.sin(angle)))
    for from_start in (False, True):
        motion_loss(held, there, (d[0] * config.step_length, d[1] * config.step_length), config, size, from_start)


fractions = st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.7, 0.99])


@pytest.mark.slow
@given(
    st.tuples(st.integers(0, 62), st.integers(0, 62), fractions, fractions),
    st.sampled_from(["default", "paper", "official"]),
    st.sampled_from([2.0, 2.5, 3.0, 4.0]),
    st.sampled_from([0, 1, 4, 7]),
    st.sampled_from([1.0, 0.3, 0.5, 2.0]),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    st.sampled_from([0.0, 0.5, 1.0, 1.5]),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=150)
def test_no_step_reads_outside_its_windows(place, preset, r1, r2, step_length, moved, turn, block):
    generator = WindowedBlob()
    config = DragConfig.for_generator(generator, preset).replace(
        block=block, supervision_radius=r1, tracking_radius=r2, step_length=step_length
    )
    handle = (place[0] + place[2], place[1] + place[3])
    step_reads_its_windows(generator, handle, (30.0, 30.0), config, moved, turn * np.pi)


def test_the_windows_of_a_drag_keep_their_size():
    generator = WindowedBlob()
    edit = Edit(((24.3, 30.0), (60.0, 2.0)), ((42.0, 37.0), (40.0, 20.0)))
    list(itertools.islice(drag(generator, generator.ws_at(25.0, 29.0), edit, settings_of(generator)), 20))
    first, *others = generator.asked
    assert first is None
    assert len(others) == 19
    assert len({(w.height, w.width) for windows in others for w in windows}) == 1
    assert {len(windows) for windows in others} == {2}


def test_a_handle_given_in_whole_numbers_has_the_same_windows():
    asked = []
    for number in (int, float):
        generator = WindowedBlob()
        edit = Edit(((number(24), number(30)),), ((number(42), number(37)),))
        list(itertools.islice(drag(generator, generator.ws_at(25.0, 29.0), edit, settings_of(generator)), 3))
        asked.append(generator.asked)
    assert asked[0] == asked[1]


def stylegan2(side: int) -> StyleGAN2:
    return made(plain_config(channels=CHANNELS[side]))


def points(count: int, side: int) -> Edit:
    """Handles all over the picture, corners and borders first, and targets a way off."""
    source = np.random.RandomState(count)
    handles = [(0.0, 0.0), (side - 1.0, side // 3), (side // 2, side - 1.0)][: count if count < 5 else 3]
    while len(handles) < count:
        handles.append((float(source.randint(side)), float(source.randint(side)) + 0.25))
    targets = [(min(max(x + 14, 4), side - 5), min(max(y - 11, 4), side - 5)) for x, y in handles]
    return Edit(handles, targets)


class WholeStyleGAN2(StyleGAN2):
    """Never by windows."""

    def windows_pay(self, block, windows):
        return False


@pytest.mark.parametrize("preset", ["default", "official"])
@pytest.mark.parametrize("count", [1, 2, 5, 20])
@pytest.mark.parametrize("side", [64, *(pytest.param(side, marks=pytest.mark.slow) for side in (128, 256))])
@pytest.mark.filterwarnings("ignore:preset .official. supervises block 5")
@pytest.mark.usefixtures("always", "unchecked")
def test_with_windows_a_stylegan2_takes_the_same_twenty_steps(side: int, count: int, preset: str, monkeypatch):
    generator = stylegan2(side)
    config, ws = DragConfig.for_generator(generator, preset), random_ws(generator, 5)
    computed, windowed = [], Synthesis.windows
    monkeypatch.setattr(Synthesis, "windows", lambda *args: (computed.append(args[-1]), windowed(*args))[1])
    ways = (generator, WholeStyleGAN2(generator.network, "whole"))
    mine, due = (list(itertools.islice(drag(way, ws, points(count, side), config), 20)) for way in ways)
    assert len(mine) == len(due) == 20
    assert len(computed) == 19
    for one, other in zip(mine, due, strict=True):
        assert one.handles == other.handles
        assert one.loss == (None if other.loss is None else pytest.approx(other.loss, rel=1e-4))
        moved = float((other.ws - due[0].ws).norm())
        assert float((one.ws - other.ws).norm()) <= 1e-2 * moved


def test_pictures_previews_and_features_are_those_of_the_step():
    generator = stylegan2(128)
    edit = points(1, 128)
    config = DragConfig.for_generator(generator)
    steps = drag(generator, random_ws(generator, 5), edit, config)
    next(steps)
    step = next(steps)
    assert step.current.get() is None
    with torch.no_grad():
        whole = generator.features(step.ws, config.block)
    picture = np.asarray(step.picture())
    assert torch.equal(step.preview(), generator.preview(whole, step.ws))
    assert step.current.get() is not None
    assert torch.equal(step.features(config.block).whole, whole.whole)
    assert np.array_equal(np.asarray(step.picture()), picture)
    next(steps)
    assert step.current.get() is None
    with pytest.raises(ConfigError, match=r"^step 1 is no longer the current one"):
        step.preview()
    assert np.array_equal(np.asarray(step.picture()), picture)


def test_without_a_preview_no_whole_map_is_computed():
    generator = WindowedBlob()
    steps = list(
        itertools.islice(drag(generator, generator.ws_at(25.0, 29.0), points(1, 64), settings_of(generator)), 6)
    )
    assert len(generator.asked) == 6
    assert steps[-1].preview() is steps[-1].preview() or True
    assert generator.asked.count(None) == 2  # the start, and the preview: once


def test_a_changed_edit_is_followed_as_on_the_whole_map():
    runs = []
    for kind in (WindowedBlob, BlobGenerator):
        generator = kind()
        steps = drag(generator, generator.ws_at(25.0, 29.0), points(1, 64), settings_of(generator))
        taken = [next(steps) for _ in range(4)]
        moved = Edit(taken[-1].edit.handles, ((20.0, 40.0),))
        taken += [steps.send(moved), next(steps)]
        more = Edit((*moved.handles, (50.0, 50.0)), (*moved.targets, (40.0, 44.0)))
        taken += [steps.send(more), next(steps)]
        mask = np.ones((64, 64), bool)
        mask[:, 40:] = False
        taken += [steps.send(Edit(more.handles, more.targets, mask)), next(steps)]
        taken += [steps.send(Edit(more.handles[1:], more.targets[1:])), next(steps), next(steps)]
        runs.append(taken)
    for one, other in zip(*runs, strict=True):
        assert one.handles == other.handles
        torch.testing.assert_close(one.ws, other.ws, atol=1e-6, rtol=0)


def test_a_moved_target_costs_no_second_synthesis():
    generator = WindowedBlob()
    steps = drag(generator, generator.ws_at(25.0, 29.0), points(1, 64), settings_of(generator))
    taken = [next(steps) for _ in range(3)]
    steps.send(Edit(taken[-1].edit.handles, ((20.0, 40.0),)))
    assert len(generator.asked) == 4


def test_what_is_resumed_needs_no_whole_map():
    generator = WindowedBlob()
    config = settings_of(generator)
    step = list(itertools.islice(drag(generator, generator.ws_at(25.0, 29.0), points(1, 64), config), 3))[-1]
    generator.asked.clear()
    next(drag(generator, step.ws, step.edit, config, resume=step.references))
    assert None not in generator.asked
    generator.asked.clear()
    next(drag(generator, step.ws, step.edit, config.replace(block=2), resume=step.references))
    assert generator.asked == [None]


def test_a_fixed_part_needs_the_whole_map():
    generator = WindowedBlob()
    mask = np.zeros((64, 64), bool)
    mask[:32] = True
    edit = Edit(((24.0, 30.0),), ((42.0, 37.0),), mask)
    list(itertools.islice(drag(generator, generator.ws_at(25.0, 29.0), edit, settings_of(generator)), 4))
    assert generator.asked == [None] * 4
