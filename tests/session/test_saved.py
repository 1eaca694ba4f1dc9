"""A saved session opened again makes the same drag."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from analytic import BlobGenerator, PairGenerator
from session.helpers import EDIT, OTHER, opened, until

from draggan_widget import DragRecord, DragSession, Edit
from draggan_widget.errors import ExportError
from draggan_widget.export.comparison import compare
from draggan_widget.export.edit_file import load_edit, save_edit
from draggan_widget.session import events
from draggan_widget.session.session import controller_of


def same(again: DragRecord, record: DragRecord) -> None:
    """Bit for bit the same steps."""
    assert [(s.index, s.ended, s.edit) for s in again] == [(s.index, s.ended, s.edit) for s in record]
    np.testing.assert_array_equal(again.ws, record.ws)
    np.testing.assert_array_equal(again.handles, record.handles)


def again(session: DragSession, path: Path) -> DragSession:
    """The session saved and loaded."""
    session.save(path)
    return DragSession.load(path, session.generator)


def test_a_drag_to_its_end_is_made_again(tmp_path: Path):
    with opened() as session:
        record = session.run()
        assert record[-1].ended == "arrived"
        with again(session, tmp_path / "edit.json") as other:
            assert (len(other.record), other.edit, other.seed, other.config) == (0, EDIT, None, session.config)
            same(other.run(), record)
            assert other.status == "idle"


def test_a_start_from_a_seed_is_named_by_it(tmp_path: Path):
    with DragSession(BlobGenerator(), 7, truncation_psi=0.5) as session:
        session.edit = EDIT
        record = session.run()
        with again(session, tmp_path / "edit.json") as other:
            assert (other.seed, other.truncation_psi, other.label) == (7, 0.5, None)
            assert json.loads((tmp_path / "edit.json").read_text())["start"]["ws"] is None
            same(other.run(), record)


def test_a_given_start_is_held_bit_for_bit(tmp_path: Path):
    generator = BlobGenerator()
    ws = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1)) * 1e-3
    with DragSession(generator, ws=ws) as session, again(session, tmp_path / "edit.json") as other:
        assert torch.equal(other.ws, ws)


def test_an_edit_changed_on_the_way_is_sent_at_the_same_step(tmp_path: Path):
    with opened() as session:
        session.step(5)
        session.edit = OTHER
        record = session.run()
        assert [step.edit == OTHER for step in record][:8] == [False] * 6 + [True] * 2
        with again(session, tmp_path / "edit.json") as other:
            told = []
            other.subscribe(told.append)
            assert other.edit == EDIT
            same(other.run(), record)
            assert other.edit == OTHER
            assert sum(isinstance(event, events.EditChanged) for event in told) == 1


def test_an_edit_changed_while_the_worker_runs_is_sent_at_the_same_step(tmp_path: Path):
    here, there = Edit([(31.0, 31.0)], [(44.5, 36.5)]), Edit([(31.0, 31.0)], [(20.5, 40.5)])  # reached by no whole px
    with opened(edit=here, stop_distance=0, rest_distance=0.0, max_steps=60, stall_steps=1000) as session:
        session.on_step(lambda step: controller_of(session).change_edit(there if step.index % 20 == 10 else here))
        record = session.run()
        assert sum(len(segment.edits) for segment in load_edit(session.save(tmp_path / "edit.json")).segments) == 7
        with DragSession.load(tmp_path / "edit.json", session.generator) as other:
            same(other.run(), record)


def test_points_added_with_a_mask_on_the_way_are_sent_at_the_same_step(tmp_path: Path):
    generator = PairGenerator()
    mask = np.zeros((64, 64), dtype=bool)
    mask[:40] = True
    more = Edit([*EDIT.handles, (31.5, 47.5)], [*EDIT.targets, (31.5, 50.5)], mask)
    with opened(generator, max_steps=30) as session:
        session.step(4)
        session.edit = more
        record = session.run()
        with again(session, tmp_path / "edit.json") as other:
            same(other.run(), record)


def test_a_drag_resumed_after_its_end_is_made_again(tmp_path: Path):
    with opened() as session:
        session.run()
        session.edit = OTHER
        record = session.run()
        assert len(record.starts) == 2
        with again(session, tmp_path / "edit.json") as other:
            same(other.run(), record)
            assert other.record.starts == record.starts


def test_a_drag_resumed_from_an_older_step_is_made_again(tmp_path: Path):
    with opened() as session:
        session.step(12)
        session.go_to(6)
        session.edit = OTHER
        record = session.run()
        assert record.starts == [0, 7]
        with again(session, tmp_path / "edit.json") as other:
            same(other.run(), record)


def test_a_drag_that_was_stopped_stops_there_again_and_then_resumes_with_the_same_adam(tmp_path: Path):
    with opened() as session:
        session.step(8)
        with again(session, tmp_path / "edit.json") as other:
            same(other.run(), session.record)
            assert other.current.ended is None
            same(other.run(), session.run())
            assert other.current.ended == "arrived"
            assert other.record.starts == [0]


def test_points_changed_after_the_last_step_stand_after_the_replay(tmp_path: Path):
    with opened() as session:
        session.step(8)
        session.edit = OTHER
        with again(session, tmp_path / "edit.json") as other:
            other.run()
            assert (other.edit, other.handles) == (OTHER, session.handles)
            same(other.run(), session.run())


def test_a_replay_may_be_made_step_by_step_and_stopped(tmp_path: Path):
    with opened() as session:
        session.run()
        session.edit = OTHER
        record = session.run()
        first = record.starts[1]
        with again(session, tmp_path / "edit.json") as other:
            other.step(2)
            assert len(other.record) == 3
            other.step(first - 3)
            assert (len(other.record), other.current.ended) == (first, "arrived")
            same(other.run(), record)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"learning_rate": 2e-3, "max_steps": 4}, {"learning_rate": 1e-3, "max_steps": 9}),
        ({"max_steps": 4}, {"max_steps": 2}),
        ({"latent_space": "W", "max_steps": 4}, {"latent_space": "W+", "max_steps": 4}),
    ],
)
def test_each_drag_is_made_again_with_its_own_settings(tmp_path: Path, before: dict, after: dict):
    generator = BlobGenerator()
    with opened(generator, **before) as session:
        session.run()
        session.config = session.config.replace(**after)
        record = session.run()
        assert len(record.starts) == 2
        with again(session, tmp_path / "edit.json") as other:
            same(other.run(), record)
            assert other.config == session.config
            assert [step.config for step in other.record] == [step.config for step in record]
    record.save(tmp_path / "record.npz")
    save_edit(DragRecord.load(tmp_path / "record.npz", generator), tmp_path / "other.json")
    with DragSession.load(tmp_path / "other.json", generator) as other:
        same(other.run(), record)


def test_settings_changed_after_the_last_drag_are_those_of_the_loaded_session(tmp_path: Path):
    with opened(max_steps=3) as session:
        record = session.run()
        session.config = session.config.replace(max_steps=7)
        with again(session, tmp_path / "edit.json") as other:
            assert other.config.max_steps == 7
            same(other.run(), record)


@pytest.mark.parametrize("made", [0, 1, 4, 7])
def test_a_loaded_session_saved_under_the_same_name_loses_nothing(tmp_path: Path, made: int):
    path = tmp_path / "edit.json"
    with opened() as session:
        session.step(4)
        session.edit = OTHER
        session.step(6)
        session.edit = EDIT  # stands after the last step
        saved = load_edit(session.save(path))
    with DragSession.load(path, session.generator) as other:
        if made:
            other.step(made)
        other.save(path)
    assert load_edit(path).result == saved.result
    with DragSession.load(path, session.generator) as other:
        same(other.run(), session.record)
        assert other.edit == session.edit


@pytest.mark.parametrize("when", ["before", "paused", "run"])
def test_a_loaded_session_that_left_its_recorded_way_is_saved_as_it_stands(tmp_path: Path, when: str):
    path = tmp_path / "edit.json"
    with opened() as session:
        session.step(8)
        session.save(path)
    with DragSession.load(path, session.generator) as other:
        if when != "before":
            other.step(3)
        other.edit = OTHER
        if when == "run":
            other.step(2)
        saved = load_edit(other.save(path))
        assert saved.edit == OTHER
        assert sum(segment.count for segment in saved.segments) == len(other.record)


def test_an_edit_while_a_replay_runs_leads_on_from_there(tmp_path: Path):
    mine = Edit([(31.0, 31.0)], [(31.0, 20.0)])
    with opened() as session:
        session.step(5)
        session.edit = OTHER
        session.run()
        with again(session, tmp_path / "edit.json") as other:
            other.step(2)
            other.edit = mine
            record = other.run()
            assert [step.edit for step in record[3:]] == [mine] * (len(record) - 3)
            assert record[-1].ended == "arrived"


@pytest.mark.parametrize("change", ["edit", "config", "seed", "reset"])
def test_a_change_before_the_replay_makes_it_an_ordinary_session(tmp_path: Path, change: str):
    with opened() as session:
        session.step(5)
        with again(session, tmp_path / "edit.json") as other:
            if change == "edit":
                other.edit = OTHER
            elif change == "config":
                other.config = other.config.replace(max_steps=40)
            elif change == "seed":
                other.new_seed(3)
                other.edit = EDIT
            else:
                other.reset()
            assert other.run()[-1].ended is not None


def test_undo_after_a_replay_goes_back_to_its_start(tmp_path: Path):
    with opened() as session:
        session.step(5)
        with again(session, tmp_path / "edit.json") as other:
            other.run()
            assert other.undo()
            assert (len(other.record), other.edit) == (0, EDIT)


def test_a_session_without_a_drag_is_saved_with_its_points(tmp_path: Path):
    with opened() as session, again(session, tmp_path / "edit.json") as other:
        assert load_edit(tmp_path / "edit.json").result is None
        assert (other.edit, other.handles) == (EDIT, EDIT.handles)
        same(other.run(), session.run())


def test_a_replay_that_parts_from_the_saved_result_is_measured(tmp_path: Path):
    with opened() as session:
        session.run()
        saved = load_edit(session.save(tmp_path / "edit.json"))
        assert saved.result is not None
        assert compare(saved.result, session.record).largest == 0
        with opened(edit=OTHER) as other:
            found = compare(saved.result, other.run())
        (x, y), (u, v) = session.handles[0], other.handles[0]
        assert found.largest == pytest.approx(((x - u) ** 2 + (y - v) ** 2) ** 0.5)


def test_other_weights_are_warned_of(tmp_path: Path):
    class One(BlobGenerator):
        sha256 = "ab" * 32  # pyright: ignore[reportAssignmentType]

    class Other(BlobGenerator):
        name = "another blob"
        sha256 = "cd" * 32  # pyright: ignore[reportAssignmentType]

    with opened(One()) as session:
        session.run()
        path = session.save(tmp_path / "edit.json")
    DragSession.load(path, One()).close()
    text = (
        f"{path} was made with blob (sha256 of its weights abababababab...), and another blob has other weights "
        "(cdcdcdcdcdcd...): the drag will differ"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(text)}$"):
        DragSession.load(path, Other()).close()


def test_a_generator_of_other_sizes_is_refused(tmp_path: Path):
    with opened() as session:
        path = session.save(tmp_path / "edit.json")
    with pytest.raises(ExportError) as caught:
        DragSession.load(path, BlobGenerator(side=128))
    assert str(caught.value) == (
        f"{path} was made with blob, whose pictures (height, width) are (64, 64); those of blob are (128, 128); load "
        "it with the generator it was made with"
    )


def test_a_start_that_does_not_fit_names_the_file(tmp_path: Path):
    with DragSession(BlobGenerator(), 7) as session:
        path = session.save(tmp_path / "edit.json")
    content = json.loads(path.read_text())
    content["start"]["truncation_psi"] = 9
    path.write_text(json.dumps(content))
    with pytest.raises(ExportError) as caught:
        DragSession.load(path, BlobGenerator())
    assert str(caught.value) == (
        f"{path} does not fit blob: truncation_psi is 9.0; expected a number from -2 to 2 (1: none, 0.7: usual)"
    )


def test_an_edit_outside_the_picture_is_refused(tmp_path: Path):
    with opened() as session:
        path = session.save(tmp_path / "edit.json")
    content = json.loads(path.read_text())
    content["edit"]["targets"] = [[70, 3]]
    path.write_text(json.dumps(content))
    with pytest.raises(ExportError) as caught:
        DragSession.load(path, BlobGenerator())
    assert str(caught.value) == (
        f"{path} does not fit blob: target 1 at (70, 3) is outside the 64 x 64 image; move it inside"
    )


def test_a_record_without_its_beginning_says_what_is_not_made_again(tmp_path: Path):
    with opened() as session:
        session.run()
        record = DragRecord(session.record.about, session.record[4:])
    saved = load_edit(save_edit(record, tmp_path / "edit.json"))
    assert saved.result is not None
    assert saved.result.not_reproduced == (
        "the record begins at step 4 of its drag: a replay begins there, with the handles where they were first put, "
        "new references and a new Adam state",
    )


def test_saving_while_the_worker_drags_writes_the_steps_so_far(tmp_path: Path):
    with opened(learning_rate=1e-7, max_steps=10**6, stall_steps=10**6) as session:
        session.start()
        until(lambda: len(session.record) > 2)
        path = session.save(tmp_path / "edit.json")
        session.stop()
        session.wait()
        with DragSession.load(path, session.generator) as other:
            count = len(other.run())
            assert 2 < count <= len(session.record)
            np.testing.assert_array_equal(other.record.ws, session.record.ws[:count])
