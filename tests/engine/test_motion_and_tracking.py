import dataclasses
import itertools

import numpy as np
import pytest
import torch
from engine import oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget import DragConfig, FeatureMap
from draggan_widget.engine.motion import _exact_axis, motion_loss
from draggan_widget.engine.references import take_reference
from draggan_widget.engine.tracking import track

SIZE = (32, 48)  # a map of 8 x 12 under it


def random_map(seed: int) -> FeatureMap:
    return FeatureMap.of(1, torch.randn(4, 8, 12, generator=torch.Generator().manual_seed(seed)).double())


def upsampled(features: FeatureMap) -> torch.Tensor:
    whole = features.whole[None]
    return torch.nn.functional.interpolate(whole, size=SIZE, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize(
    ("radius", "pixels"),
    [(0.5, 1), (1.0, 1), (1.1, 5), (1.5, 9), (2.0, 9), (2.1, 13), (3.0, 25), (6.0, 109)],
)
def test_a_disc_holds_the_whole_steps_strictly_inside_its_radius(radius: float, pixels: int):
    _, steps = _exact_axis(20.0, radius, 64)
    wide = range(-9, 10)
    assert sum(x * x + y * y < radius**2 for x, y in itertools.product(steps, steps)) == pixels
    assert pixels == sum(x * x + y * y < radius**2 for x, y in itertools.product(wide, wide))


points = st.tuples(st.floats(0.0, 47.0), st.floats(0.0, 31.0))


@settings(deadline=None, max_examples=40)
@given(
    origin=points,
    position=points,
    radius=st.sampled_from((0.5, 2.0, 3.0, 5.0)),  # at 5 the border holds the whole steps (3, 4)
    gated=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_motion_loss_of_any_point_equals_the_slow_oracle(origin, position, radius, gated, seed):
    start, now = random_map(seed), random_map(seed + 100)
    reference = take_reference(start, origin, radius, SIZE)
    point = dataclasses.replace(reference, position=position)
    target = (position[0] + 3.0, position[1] - 4.0)
    config = DragConfig(supervision_radius=radius, step_length=1.0)
    fast = motion_loss(now, point, (0.6, -0.8), config, SIZE, gated)
    slow = oracle.supervise(upsampled(now), position, target, origin, upsampled(start) if gated else None, config)
    assert float(fast) == pytest.approx(float(slow), abs=1e-10)


@settings(deadline=None, max_examples=40)
@given(origin=points, position=points, radius=st.integers(0, 5), seed=st.integers(0, 99))
def test_tracking_any_point_equals_the_slow_oracle(origin, position, radius, seed):
    start, now = random_map(seed), random_map(seed + 100)
    reference = take_reference(start, origin, 2.0, SIZE)
    config = DragConfig(tracking_radius=radius)
    found = track(now, dataclasses.replace(reference, position=position), config, SIZE)
    place, error = oracle.track(upsampled(now).numpy(), position, reference.feature.numpy(), config)
    assert found.position == place
    assert found.error == pytest.approx(error, abs=1e-10)


@pytest.mark.parametrize("shift", [(0, 0), (4, 0), (-4, 4), (0, -8), (8, 8)])
def test_a_map_moved_by_whole_cells_is_found_exactly(shift: tuple[int, int]):
    """A map repeated round its edges: away from them the moved map is the same picture elsewhere."""
    start = random_map(3)
    moved = FeatureMap.of(1, start.whole.roll((shift[1] // 4, shift[0] // 4), dims=(1, 2)))
    point = take_reference(start, (24.0, 15.0), 2.0, SIZE)
    found = track(moved, point, DragConfig(tracking_radius=8), SIZE)
    assert found.position == (24.0 + shift[0], 15.0 + shift[1])
    assert found.error == pytest.approx(0.0, abs=1e-12)
    assert found.feature is point.feature


def test_the_gradient_runs_only_through_the_moved_disc():
    """With the step inside one flat cell nothing changes where only sg[F(q)] is read."""
    values = random_map(5).whole.requires_grad_()
    features = FeatureMap.of(1, values)
    point = take_reference(features.detach(), (8.0, 8.0), 1.0, SIZE)
    loss = motion_loss(features, point, (12.0, 0.0), DragConfig(supervision_radius=1.0), SIZE, False)
    (gradient,) = torch.autograd.grad(loss, values)
    columns = gradient.abs().sum(dim=(0, 1)).nonzero().flatten().tolist()
    assert columns == [4, 5]  # image px 20 lies between the cells at 17.5 and 21.5


def test_a_handle_on_the_outer_half_of_a_border_pixel_is_tracked_from_its_centre():
    reference = take_reference(random_map(7), (-0.5, 31.5), 2.0, SIZE)
    assert reference.origin == (-0.5, 31.5)
    assert reference.position == (0.0, 31.0)
    assert torch.equal(reference.feature, take_reference(random_map(7), (0.0, 31.0), 2.0, SIZE).feature)
    assert reference.patch.shape == (4, 3, 3)
    assert reference.error == 0.0


def test_the_middle_of_the_patch_is_the_feature():
    reference = take_reference(random_map(8), (20.3, 11.8), 3.0, SIZE)
    assert reference.patch.shape == (4, 5, 5)
    torch.testing.assert_close(reference.patch[:, 2, 2], reference.feature)


def test_a_reference_without_any_feature_gives_a_finite_error():
    dark = FeatureMap.of(1, torch.zeros(4, 8, 12))
    point = take_reference(dark, (20.0, 11.0), 2.0, SIZE)
    assert track(dark, point, DragConfig(tracking_radius=3), SIZE).error == 0.0


@settings(deadline=None, max_examples=40)
@given(origin=points, position=points, share=st.sampled_from((0.3, 1.0)), seed=st.integers(0, 99))
def test_tracking_without_a_share_of_the_mean_equals_the_slow_oracle_on_what_is_left(origin, position, share, seed):
    start, now, mean = random_map(seed), random_map(seed + 100), random_map(seed + 200)
    reference = take_reference(start, origin, 2.0, SIZE)
    config = DragConfig(tracking_radius=4, mean_removal=share)
    found = track(now, dataclasses.replace(reference, position=position), config, SIZE, mean)
    left = reference.feature.numpy() - share * oracle.read(upsampled(mean).numpy(), *reference.taken_at)
    place, _ = oracle.track((upsampled(now) - share * upsampled(mean)).numpy(), position, left, config)
    assert found.position == place
    away = oracle.read(upsampled(now).numpy(), *place) - reference.feature.numpy()
    assert found.error == pytest.approx(np.linalg.norm(away) / reference.feature.norm().item(), abs=1e-10)


def test_what_every_picture_has_at_a_place_holds_the_tracker_back_unless_it_is_taken_off():
    """A patch moves by 8 px over a pattern that stays."""
    stays = 3 * random_map(11).whole
    moves = torch.zeros(4, 8, 12, dtype=torch.double)
    moves[:, 3:6, 4:7] = random_map(12).whole[:, 3:6, 4:7]
    start = FeatureMap.of(1, stays + moves)
    now = FeatureMap.of(1, stays + moves.roll(2, dims=2))
    point = take_reference(start, (21.0, 17.0), 2.0, SIZE)
    plain = track(now, point, DragConfig(tracking_radius=12), SIZE)
    without = track(now, point, DragConfig(tracking_radius=12, mean_removal=1.0), SIZE, FeatureMap.of(1, stays))
    assert without.position == (29.0, 17.0)
    assert plain.position[0] < 29.0
