"""Drags whose answer is known."""

import itertools

import numpy as np
import pytest
import torch
from analytic import GAIN, BlobGenerator, PairGenerator
from engine.helpers import EDIT, START, BrokenGenerator, FadingGenerator, FrozenGenerator, run, settings
from torch import Tensor

from draggan_widget import DragConfig, Edit, FeatureMap, drag
from draggan_widget.engine.adam import Adam
from draggan_widget.engine.config import REMEDY
from draggan_widget.errors import ConfigError, DragError, DragganError, EditError

BOUND = 1.75  # image px: the stop distance of 1, and half the diagonal of the tracker's grid


def off(generator: BlobGenerator, ws: Tensor, x: float, y: float) -> float:
    """Image px from the blob to where it should be."""
    return float(torch.linalg.vector_norm(generator.centre(ws) - torch.tensor([x, y])))


@pytest.mark.parametrize("space", ["W", "W+"])
@pytest.mark.parametrize("target", [(42.0, 37.0), (10.0, 30.0), (30.0, 12.0), (26.0, 30.0), (24.5, 55.0)])
def test_the_blob_goes_where_its_handle_is_sent(space: str, target: tuple[float, float]):
    generator = BlobGenerator()
    steps = run(generator, Edit((START,), (target,)), latent_space=space)
    assert steps[-1].ended == "arrived"
    assert steps[-1].distances[0] <= 1.0
    assert off(generator, steps[-1].ws, *target) < BOUND
    assert [step.index for step in steps] == list(range(len(steps)))
    assert [step.ended for step in steps[:-1]] == [None] * (len(steps) - 1)


def test_a_handle_beside_the_centre_moves_the_blob_by_as_much():
    generator = BlobGenerator()
    steps = run(generator, Edit(((21.0, 34.0),), ((37.0, 40.0),)))
    assert steps[-1].ended == "arrived"
    assert off(generator, steps[-1].ws, 24.0 + 16, 30.0 + 6) < BOUND


def test_a_picture_that_is_not_square_is_dragged_along_its_longer_side():
    generator = BlobGenerator(wide=2)
    steps = run(generator, Edit(((30.0, 30.0),), ((100.0, 33.0),)), start=(30.0, 30.0))
    assert steps[-1].ended == "arrived"
    assert off(generator, steps[-1].ws, 100.0, 33.0) < BOUND


def test_several_points_pull_together():
    generator = BlobGenerator()
    handles = ((22.0, 28.0), (27.0, 30.0), (24.0, 34.0))
    steps = run(generator, Edit(handles, tuple((x + 15, y - 6) for x, y in handles)))
    assert steps[-1].ended == "arrived"
    assert off(generator, steps[-1].ws, 39.0, 24.0) < BOUND


def test_points_that_pull_apart_settle_in_between_and_stall():
    generator = BlobGenerator()
    steps = run(generator, Edit(((23.0, 30.0), (25.0, 30.0)), ((13.0, 30.0), (35.0, 30.0))))
    assert steps[-1].ended == "stalled"
    assert off(generator, steps[-1].ws, *START) < 4.0


@pytest.mark.parametrize("held", [False, True])
def test_a_point_that_stays_put_holds_its_place_while_another_moves(held: bool):
    generator = PairGenerator()
    start = torch.zeros(1, generator.num_ws, generator.w_dim)
    first, second = ((31.5, 31.5), (47.0, 31.5)), ((31.5, 47.5), (31.5, 47.5))
    edit = Edit((first[0], second[0]), (first[1], second[1])) if held else Edit((first[0],), (first[1],))
    last = list(drag(generator, start, edit, settings(generator)))[-1]
    assert last.ended == "arrived"
    assert off(generator, last.ws, *first[1]) < BOUND
    carried = float((generator.second_centre(last.ws) - torch.tensor(second[0])).norm())
    assert carried < BOUND if held else carried > 5.0


def test_a_handle_equal_to_its_target_is_left_alone():
    generator = BlobGenerator()
    steps = run(generator, Edit((START,), (START,)))
    assert [step.ended for step in steps] == ["arrived"]
    assert torch.equal(steps[0].ws, generator.ws_at(*START))


@pytest.mark.parametrize("point", [0, 1])
def test_a_point_within_the_stop_distance_is_not_supervised(point: int):
    """The near point alone would pull down; only the far one pulls, to the right."""
    generator = BlobGenerator()
    near, far = ((24.0, 33.0), (24.0, 33.9)), ((24.0, 30.0), (44.0, 30.0))
    pairs = [far, near] if point else [near, far]
    edit = Edit(tuple(p for p, _ in pairs), tuple(t for _, t in pairs))
    first, second = itertools.islice(drag(generator, generator.ws_at(*START), edit, settings(generator)), 2)
    alone = Edit((far[0],), (far[1],))
    _, due = itertools.islice(drag(generator, generator.ws_at(*START), alone, settings(generator)), 2)
    assert torch.equal(second.ws, due.ws)
    assert second.loss == due.loss
    assert not torch.equal(second.ws, first.ws)


def test_a_fixed_picture_moves_less():
    generator = BlobGenerator()
    fixed = np.zeros((64, 64), bool)
    fixed[:4, :4] = True  # a corner may move: nothing is there
    free, held = run(generator), run(generator, Edit(EDIT.handles, EDIT.targets, fixed), max_steps=60)
    ways = [off(generator, steps[-1].ws, *START) for steps in (free, held)]
    assert free[-1].ended == "arrived"
    assert held[-1].ended != "arrived"
    assert ways[1] < 0.5 * ways[0]


def test_a_heavier_mask_weight_holds_more():
    generator = BlobGenerator()
    edit = Edit(EDIT.handles, EDIT.targets, np.zeros((64, 64), bool))
    moved = [
        off(generator, run(generator, edit, mask_weight=weight, max_steps=40)[-1].ws, *START)
        for weight in (0.0, 1.0, 20.0)
    ]
    assert moved[0] > moved[1] > moved[2]


def test_a_mask_that_leaves_everything_free_is_no_mask():
    generator = BlobGenerator()
    steps = run(generator, Edit(EDIT.handles, EDIT.targets, np.ones((64, 64), bool)))
    assert all(torch.equal(a.ws, b.ws) for a, b in zip(steps, run(generator), strict=True))


@pytest.mark.parametrize("space", ["W", "W+"])
def test_the_same_drag_twice_is_the_same_bit_for_bit(space: str):
    mask = np.ones((64, 64), bool)
    mask[:, 50:] = False
    edit = Edit(((22.0, 28.0), (27.0, 33.5)), ((38.0, 32.0), (43.0, 37.5)), mask)
    first, second = (run(BlobGenerator(), edit, latent_space=space) for _ in range(2))
    assert len(first) == len(second) > 5
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.ws, b.ws)
        assert (a.handles, a.loss, a.tracking_error, a.ended) == (b.handles, b.loss, b.tracking_error, b.ended)


def test_the_first_step_is_the_untouched_start():
    generator = BlobGenerator()
    start = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1)) * 0.1
    first = next(drag(generator, start, EDIT, settings(generator)))
    assert torch.equal(first.ws, start)
    assert first.ws.data_ptr() != start.data_ptr()
    assert (first.index, first.loss, first.ended, first.handles) == (0, None, None, EDIT.handles)
    assert first.tracking_error == (0.0,)


def test_without_settings_a_drag_takes_those_for_its_generator():
    generator = BlobGenerator()
    steps, due = list(drag(generator, generator.ws_at(*START), EDIT)), run(BlobGenerator())
    assert steps[0].config == DragConfig.for_generator(generator)
    assert [step.handles for step in steps] == [step.handles for step in due]
    assert torch.equal(steps[-1].ws, due[-1].ws)


def test_the_caller_s_latent_is_left_as_it_was():
    generator = BlobGenerator()
    start = generator.ws_at(*START)
    before = start.clone()
    list(drag(generator, start, EDIT, settings(generator)))
    assert torch.equal(start, before)
    assert not start.requires_grad


@pytest.mark.parametrize("space", ["W", "W+"])
def test_only_the_drag_rows_move_and_w_moves_them_alike(space: str):
    generator = BlobGenerator()
    start = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(2)) * 0.1
    centre = generator.centre(start)
    edit = Edit(((float(centre[0]), float(centre[1])),), ((45.0, 40.0),))
    moved = list(drag(generator, start, edit, settings(generator, latent_space=space)))[-1].ws - start
    assert moved[:, :2].abs().max() > 0.05
    assert torch.equal(moved[:, 2:], torch.zeros(1, 2, 8))
    torch.testing.assert_close(moved[:, 0], moved[:, 1])  # the blob asks the same of both rows


def test_w_plus_moves_each_row_by_its_own_gradient():
    class Weighted(BlobGenerator):
        def centre(self, ws: Tensor) -> Tensor:
            weights = torch.tensor([1.0, 0.0])
            return torch.tensor([31.5, 31.5]) + GAIN * (ws[0, :2, :2] * weights[:, None]).sum(dim=0)

    generator = Weighted()
    rows = run(generator, latent_space="W+")[-1].ws - generator.ws_at(*START)
    assert rows[0, 0].abs().max() > 0.05
    assert torch.equal(rows[0, 1], torch.zeros(8))
    together = run(generator, latent_space="W")[-1].ws - generator.ws_at(*START)
    torch.testing.assert_close(together[0, 0], together[0, 1])


def test_each_step_shows_the_handles_of_its_own_picture():
    generator = BlobGenerator()
    for step in run(generator):
        x, y = step.handles[0]
        assert off(generator, step.ws, x, y) < 0.75


def test_a_drag_that_ran_its_steps_ends_at_the_cap():
    steps = run(BlobGenerator(), max_steps=5)
    assert [step.ended for step in steps] == [None] * 5 + ["cap"]


def test_a_cap_of_zero_gives_the_start_alone():
    assert [step.ended for step in run(BlobGenerator(), max_steps=0)] == ["cap"]


def test_a_picture_that_does_not_change_stalls_after_the_stall_steps():
    generator = FrozenGenerator()
    steps = run(generator, stall_steps=12)
    assert len(steps) == 13
    assert steps[-1].ended == "stalled"
    assert torch.equal(steps[-1].ws, steps[0].ws)


def test_a_blob_that_fades_is_lost_after_the_lost_steps():
    """Maps 0 to 11 are good; the fifth bad one in a row is map 16."""
    steps = run(FadingGenerator(good=12), Edit((START,), ((60.0, 60.0),)), learning_rate=1e-4)
    assert steps[-1].ended == "lost"
    assert steps[-1].index == 16
    assert steps[-1].tracking_error[0] == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("ended", "changes"), [("arrived", {}), ("cap", {"max_steps": 3})])
def test_nothing_is_computed_after_the_last_step(ended: str, changes: dict, monkeypatch: pytest.MonkeyPatch):
    taken = []
    step_of_adam = Adam.step
    monkeypatch.setattr(Adam, "step", lambda self, *a: (taken.append(1), step_of_adam(self, *a))[1])
    generator = BlobGenerator()
    steps = drag(generator, generator.ws_at(*START), EDIT, settings(generator, **changes))
    seen = []
    for step in steps:
        assert len(taken) == len(seen)  # step n comes after n steps of Adam
        seen.append(step)
    assert seen[-1].ended == ended
    assert len(taken) == len(seen) - 1
    assert generator.calls == len(seen)
    with pytest.raises(StopIteration):
        next(steps)


def test_one_map_serves_tracking_and_supervision_of_a_step():
    generator = BlobGenerator()
    steps = run(generator)
    assert generator.calls == len(steps)
    assert generator.drawn == 0


def test_nan_from_the_generator_is_an_error_that_names_the_step_and_keeps_those_before():
    generator = BrokenGenerator(good=4)
    steps = drag(generator, generator.ws_at(*START), EDIT, settings(generator))
    seen = [next(steps) for _ in range(4)]
    with pytest.raises(DragError) as caught:
        next(steps)
    assert str(caught.value) == (
        "the feature map of step 4 holds NaN or infinity; the latent of step 3 is kept: "
        "go on from it with a lower learning_rate"
    )
    assert [step.index for step in seen] == [0, 1, 2, 3]
    assert all(step.ws.isfinite().all() for step in seen)


def test_a_gradient_that_is_not_finite_is_an_error_even_where_the_loss_is():
    class Steep(BlobGenerator):
        def _maps(self, ws: Tensor, height: int, width: int) -> Tensor:
            maps = super()._maps(ws, height, width)
            return maps + 0 * (ws - ws.detach()).abs().sqrt().sum()  # value 0, slope 0 * infinity

    generator = Steep()
    with pytest.raises(DragError, match="^the loss or gradient of step 0 holds NaN or infinity; "):
        run(generator)


WRONG = {
    "an edit without points": (
        lambda: (BlobGenerator(), Edit(), {}),
        EditError,
        "the edit has 0 points; expected at least one handle and target; add one",
    ),
    "a handle outside": (
        lambda: (BlobGenerator(), Edit(((64.0, 3.0),), ((1.0, 1.0),)), {}),
        EditError,
        "handle 1 at (64, 3) is outside the 64 x 64 image; move it inside",
    ),
    "a block that is not there": (
        lambda: (BlobGenerator(), EDIT, {"block": 9}),
        ConfigError,
        f"block is 9; blob has blocks 0 to 4; {REMEDY}",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_fit_together_is_refused_at_the_first_step(wrong: str):
    make, kind, message = WRONG[wrong]
    generator, edit, changes = make()
    with pytest.raises(kind) as caught:
        next(drag(generator, generator.ws_at(*START), edit, settings(generator, **changes)))
    assert str(caught.value) == message


def test_a_space_that_the_generator_lacks_is_refused():
    generator = BlobGenerator()
    generator.latent_spaces = ("W",)
    with pytest.raises(ConfigError) as caught:
        run(generator, latent_space="W+")
    assert str(caught.value) == "latent_space is 'W+'; blob has W"


@pytest.mark.parametrize("shape", [(1, 3, 8), (1, 4, 7)])
def test_a_latent_of_another_shape_is_refused(shape: tuple[int, ...]):
    generator = BlobGenerator()
    with pytest.raises(ConfigError) as caught:
        next(drag(generator, torch.zeros(shape), EDIT, settings(generator)))
    assert str(caught.value) == (
        f"ws has shape {shape}; blob expects (1, 4, 8); one of fewer axes, or of one row, fits as ws.expand(1, 4, 8)"
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_latent_that_is_not_finite_is_refused(bad: float):
    generator = BlobGenerator()
    start = generator.ws_at(*START)
    start[0, 3, 7] = bad
    with pytest.raises(DragganError) as caught:
        next(drag(generator, start, EDIT, settings(generator)))
    assert str(caught.value) == (
        "ws holds NaN or infinity; expected finite numbers; start from a seed or another latent"
    )


def test_a_drag_pulled_without_gradients_gives_the_same():
    due = run(BlobGenerator())
    generator = BlobGenerator()
    start = generator.ws_at(*START)
    with torch.no_grad():
        steps = list(drag(generator, start, EDIT, settings(generator)))
    assert [step.handles for step in steps] == [step.handles for step in due]
    assert torch.equal(steps[-1].ws, due[-1].ws)


def test_an_abandoned_drag_can_be_closed_and_another_begun():
    generator = BlobGenerator()
    steps = drag(generator, generator.ws_at(*START), EDIT, settings(generator))
    next(steps)
    kept = next(steps)
    steps.close()
    assert np.array_equal(np.asarray(kept.picture()), kept.pixels())
    assert run(generator)[-1].ended == "arrived"


def test_the_gate_slows_and_pulls_toward_the_start_patch():
    """With a gate of 0 every point off the exact grid is gated: the rate halves, the first move with it."""
    generator = BlobGenerator()
    start, edit = generator.ws_at(24.3, 30.4), EDIT
    plain, gated = (
        list(itertools.islice(drag(generator, start, edit, settings(generator, confidence_gate=gate)), 4))
        for gate in (None, 0.0)
    )
    assert torch.equal(plain[1].ws, gated[1].ws)  # e is 0 at the start
    ways = [(s[2].ws - s[1].ws).abs().max() for s in (plain, gated)]
    assert 0 < ways[1] < 0.7 * ways[0]


def test_the_features_of_a_drag_stay_a_value():
    generator = BlobGenerator()
    step = next(drag(generator, generator.ws_at(*START), EDIT, settings(generator)))
    assert isinstance(step.features(3), FeatureMap)
    assert torch.equal(step.features(3).whole, generator.features(step.ws, 3).whole)
    assert step.features(2).size == (16, 16)
    assert DragConfig.for_generator(generator).block == 3
