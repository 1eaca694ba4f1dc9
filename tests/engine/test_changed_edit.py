"""send(edit) and resume: what is kept and what is taken anew."""

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine.helpers import EDIT, START, run, settings

from draggan_widget import Edit, drag
from draggan_widget.engine import supervision
from draggan_widget.engine.references import follow_edit
from draggan_widget.errors import EditError


def begun(steps: int = 6, edit: Edit = EDIT, **changes):
    """A drag after some steps, and its newest step."""
    generator = BlobGenerator()
    pulled = drag(generator, generator.ws_at(*START), edit, settings(generator, **changes))
    for _ in range(steps):
        step = next(pulled)
    return generator, pulled, step


def test_a_moved_target_changes_the_direction_and_nothing_else():
    generator, pulled, before = begun()
    after = pulled.send(Edit(EDIT.handles, ((20.0, 55.0),)))
    assert after.index == before.index + 1
    assert after.targets == ((20.0, 55.0),)
    assert after.references.start is before.references.start
    assert after.references.points[0].feature is before.references.points[0].feature
    assert after.references.points[0].patch is before.references.points[0].patch
    last = list(pulled)[-1]
    assert last.ended == "arrived"
    assert float((generator.centre(last.ws) - torch.tensor([20.0, 55.0])).norm()) < 1.75


def test_a_moved_target_keeps_adam(monkeypatch: pytest.MonkeyPatch):
    made = []
    adam = supervision.Adam
    monkeypatch.setattr(supervision, "Adam", lambda *a, **k: made.append(adam(*a, **k)) or made[-1])
    _, pulled, _ = begun(steps=4)
    pulled.send(Edit(EDIT.handles, ((20.0, 55.0),)))
    assert len(made) == 1
    assert int(made[0].steps) == 4


def test_the_same_edit_sent_again_changes_nothing():
    _, pulled, _ = begun()
    _, quiet, _ = begun()
    assert torch.equal(pulled.send(Edit(EDIT.handles, EDIT.targets)).ws, next(quiet).ws)


def test_a_new_handle_takes_its_reference_from_the_current_map():
    generator, pulled, before = begun()
    held = generator.features(before.ws, 3)
    new = (30.0, 26.0)
    after = pulled.send(Edit((*EDIT.handles, new), (*EDIT.targets, (50.0, 40.0))))
    due = follow_edit(None, Edit((new,), (new,)), held, settings(generator), (64, 64)).points[0]
    assert len(after.handles) == 2
    assert after.references.points[0].feature is before.references.points[0].feature
    assert torch.equal(after.references.points[1].feature, due.feature)
    assert torch.equal(after.references.points[1].patch, due.patch)
    assert not torch.equal(due.feature, before.references.points[0].feature)
    assert after.references.start is before.references.start


def test_a_handle_taken_elsewhere_is_a_new_point():
    generator, pulled, before = begun()
    taken = (before.handles[0][0] + 2.0, before.handles[0][1])
    after = pulled.send(Edit((taken,), EDIT.targets))
    due = follow_edit(None, Edit((taken,), (taken,)), before.features(3), settings(generator), (64, 64)).points[0]
    assert torch.equal(after.references.points[0].feature, due.feature)
    assert after.references.points[0].origin == taken


def test_a_deleted_point_drops_and_the_others_keep_their_anchors():
    edit = Edit(((22.0, 28.0), (27.0, 33.0), (24.0, 30.0)), ((50.0, 30.0), (55.0, 35.0), (52.0, 32.0)))
    _, pulled, before = begun(edit=edit)
    after = pulled.send(Edit(edit.handles[::2], edit.targets[::2]))
    assert len(after.handles) == len(after.distances) == len(after.tracking_error) == 2
    kept = [before.references.points[0], before.references.points[2]]
    assert [point.origin for point in after.references.points] == [point.origin for point in kept]
    assert all(a.feature is b.feature for a, b in zip(after.references.points, kept, strict=True))


def test_points_in_another_order_keep_their_anchors():
    edit = Edit(((22.0, 28.0), (27.0, 33.0)), ((50.0, 30.0), (55.0, 35.0)))
    _, pulled, before = begun(edit=edit)
    _, quiet, _ = begun(edit=edit)
    after, due = pulled.send(Edit(edit.handles[::-1], edit.targets[::-1])), next(quiet)
    assert all(
        a.feature is b.feature for a, b in zip(after.references.points, before.references.points[::-1], strict=True)
    )
    assert after.handles == due.handles[::-1]


def test_two_handles_on_one_place_keep_an_anchor_each():
    edit = Edit((START, START), ((42.0, 37.0), (44.0, 37.0)))
    assert run(BlobGenerator(), edit)[-1].ended in ("arrived", "stalled")
    _, _, step = begun(edit=edit)
    assert step.references.points[0].feature is not step.references.points[1].feature


def test_a_changed_mask_counts_from_the_next_step():
    everything = np.zeros((64, 64), bool)
    _, pulled, before = begun()
    _, quiet, _ = begun()
    masked, free = pulled.send(Edit(EDIT.handles, EDIT.targets, everything)), next(quiet)
    assert masked.loss > free.loss
    assert masked.references.start is before.references.start
    assert masked.edit.mask is not None
    freed = pulled.send(EDIT)
    assert freed.loss < masked.loss


def test_progress_is_counted_anew_after_a_change():
    """A drag about to stall goes on when the edit changes; the cap still counts from the start."""
    _, pulled, _ = begun(steps=1, stall_steps=8, max_steps=20, learning_rate=1e-9)
    indices = [next(pulled).index for _ in range(6)]
    step = pulled.send(Edit(EDIT.handles, ((43.0, 38.0),)))
    while step.ended is None:
        step = next(pulled)
    assert indices == [1, 2, 3, 4, 5, 6]
    assert (step.ended, step.index) == ("stalled", 7 + 8)


def test_an_edit_that_does_not_fit_is_refused_when_sent():
    _, pulled, _ = begun()
    with pytest.raises(EditError) as caught:
        pulled.send(Edit(EDIT.handles, ((99.0, 3.0),)))
    assert str(caught.value) == "target 1 at (99, 3) is outside the 64 x 64 image; move it inside"


def test_a_resumed_drag_keeps_the_anchors_of_the_start():
    generator, pulled, before = begun()
    pulled.close()
    again = drag(generator, before.ws, EDIT, settings(generator), resume=before.references)
    first = next(again)
    assert (first.index, first.loss) == (0, None)
    assert torch.equal(first.ws, before.ws)
    assert first.handles == before.handles
    assert first.references.start is before.references.start
    assert first.references.points[0].feature is before.references.points[0].feature
    assert first.references.points[0].patch is before.references.points[0].patch
    assert first.references.points[0].origin == START
    assert first.handles != EDIT.handles
    last = list(again)[-1]
    assert last.ended == "arrived"
    assert last.references.points[0].feature is before.references.points[0].feature
    assert float((generator.centre(last.ws) - torch.tensor([42.0, 37.0])).norm()) < 1.75


def test_a_resumed_drag_takes_a_new_point_from_the_current_map():
    generator, _, before = begun()
    edit = Edit((*EDIT.handles, (30.0, 26.0)), (*EDIT.targets, (48.0, 33.0)))
    first = next(drag(generator, before.ws, edit, settings(generator), resume=before.references))
    assert first.references.points[0].feature is before.references.points[0].feature
    assert first.references.points[1].position == (30.0, 26.0)
    assert first.tracking_error[1] == 0.0


def test_references_of_a_step_are_not_changed_by_later_steps():
    _, pulled, step = begun()
    position, error = step.references.points[0].position, step.references.points[0].error
    list(pulled)
    assert (step.references.points[0].position, step.references.points[0].error) == (position, error)
    assert step.handles == (position,)


def test_the_official_preset_takes_all_references_anew_when_the_number_of_points_changes():
    _, pulled, _ = begun(steps=3, retake_references=True)
    before = next(pulled).references
    moved = pulled.send(Edit(EDIT.handles, ((43.0, 38.0),))).references
    assert moved.points[0].feature is before.points[0].feature
    grown = pulled.send(Edit((*EDIT.handles, (20.0, 20.0)), (*EDIT.targets, (20.0, 25.0)))).references
    assert grown.points[0].feature is not before.points[0].feature
    assert grown.start is not before.start
