"""Start, stop, step and resume."""

import threading

import numpy as np
import pytest
from analytic import BlobGenerator
from session.helpers import BOUND, EDIT, OTHER, FailingBlob, Gate, Listener, endless, opened, running, same, until

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.loop import drag
from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import EditError
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of


def uninterrupted(edit: Edit = EDIT) -> DragRecord:
    with opened(edit=edit) as session:
        return session.run()


def test_run_moves_the_blob_to_its_target():
    with opened() as session:
        record = session.run()
        assert record is session.record
        assert record[-1].ended == "arrived"
        centre = session.generator.centre(session.ws)
        assert np.hypot(float(centre[0]) - 44.0, float(centre[1]) - 36.0) < 3.0
        assert session.current is record[-1]
        assert session.handles == record[-1].handles
        assert session.status == "idle"


def test_run_gives_what_the_bare_drag_gives():
    generator = BlobGenerator()
    config = DragConfig.for_generator(generator)
    bare = DragRecord(steps=list(drag(generator, generator.ws_at(31, 31), EDIT, config)))
    assert same(uninterrupted(), bare)


def test_a_stopped_drag_resumes_bit_for_bit_as_if_never_stopped():
    whole, gate = uninterrupted(), Gate()
    with opened() as session:
        session.on_step(gate)
        for _ in range(3):
            session.start()
            gate.reached()
            session.stop()
            gate.pass_one()
            assert session.wait(BOUND)
        gate.open()
        session.run()
        assert [step.index for step in session.record] == list(range(len(whole)))
        assert session.record.starts == [0]
        assert same(session.record, whole)


@pytest.mark.parametrize("sizes", [[1, 1, 1], [4], [2, 3]])
def test_single_steps_then_run_give_the_same_as_run(sizes):
    whole = uninterrupted()
    with opened() as session:
        for made, size in zip(np.cumsum(sizes), sizes, strict=True):
            assert session.step(size).index == made
            assert len(session.record) == made + 1
        assert same(session.run(), whole)


def test_a_step_asked_for_after_the_end_begins_a_new_drag_with_the_old_anchors():
    with opened() as session:
        session.run()
        steps, references = len(session.record), session.current.references
        session.edit = OTHER
        session.step()
        assert session.record.starts == [0, steps]
        assert session.current.references.start is references.start
        np.testing.assert_array_equal(session.current.references.points[0].feature, references.points[0].feature)


def test_no_step_begins_after_a_stop_was_seen():
    gate = Gate()
    with opened() as session:
        session.on_step(gate)
        session.start()
        gate.reached()
        calls = session.generator.calls
        session.stop()
        gate.open()
        assert session.wait(BOUND)
        assert session.generator.calls == calls
        assert len(session.record) == 1


def test_stopping_at_rest_and_twice_changes_nothing():
    with opened() as session:
        session.stop()
        session.step(2)
        session.stop()
        session.stop()
        assert session.step().index == 3


def test_starting_twice_makes_one_drag():
    gate = Gate()
    with opened() as session:
        heard = Listener(session)
        session.on_step(gate)
        session.start()
        gate.reached()
        session.start()
        gate.open()
        session.run()
        heard.wait_for(events.Ended)
        assert session.record.starts == [0]
        assert heard.kinds().count("Started") == 1


def test_the_status_goes_from_idle_to_running_and_back_and_ends_closed():
    gate, seen = Gate(), []
    session = opened()
    session.subscribe(lambda event: seen.append((type(event).__name__, session.status)))
    assert session.status == "idle"
    session.on_step(gate)
    controller_of(session).begin(1)
    gate.reached()
    assert session.status == "running"
    gate.open()
    session.wait(BOUND)
    until(lambda: len(seen) == 4)
    assert seen == [("Started", "running"), ("Stepped", "running"), ("Stepped", "running"), ("Ended", "idle")]
    session.close()
    assert session.status == "closed"


@pytest.mark.parametrize(
    ("ask", "reason", "words"),
    [
        (lambda s: s.run(), "arrived", "Every point has reached its target."),
        (lambda s: s.step(2), "stopped", "Stopped. Start resumes the drag."),
    ],
)
def test_an_end_says_why_in_words(ask, reason, words):
    with opened() as session:
        heard = Listener(session)
        ask(session)
        ended = heard.wait_for(events.Ended)
        assert (ended.reason, ended.message, ended.step) == (reason, words, session.record[-1])


def test_reaching_the_cap_says_so_and_run_begins_a_new_drag():
    with opened(max_steps=3) as session:
        heard = Listener(session)
        assert session.run()[-1].ended == "cap"
        assert heard.wait_for(events.Ended).message.startswith("The step cap was reached")
        session.run()
        assert session.record.starts == [0, 4]
        assert len(session.record) == 8


def test_waiting_with_a_timeout_says_whether_the_drag_ended():
    with running(endless()) as session:
        assert session.wait(0.01) is False
        assert session.status == "running"
        session.stop()
        assert session.wait(BOUND) is True
        assert session.wait() is True


def test_steps_and_run_wait_for_a_drag_under_way():
    with running(endless()) as session:
        stopping = threading.Timer(0.05, session.stop)
        stopping.start()
        record = session.run()
        assert record.starts == [0]
        assert session.status == "idle"


def test_a_drag_without_points_is_refused_with_what_to_do():
    with DragSession(BlobGenerator()) as session:
        with pytest.raises(EditError) as caught:
            session.start()
        assert str(caught.value) == (
            "there are no points to drag; press on the picture, drag and let go, or set session.edit"
        )
        assert session.status == "idle"
        assert not session.can_undo


def test_a_generator_that_fails_stops_the_drag_and_keeps_the_last_latent():
    with opened(FailingBlob(at=4)) as session:
        heard = Listener(session)
        with pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
            session.run()
        assert isinstance(session.last_error, RuntimeError)
        assert len(session.record) == 3
        assert session.ws is session.record[-1].ws
        assert session.status == "idle"
        assert heard.wait_for(events.Failed).error is session.last_error
        assert session.run()[-1].ended == "arrived"
        assert session.last_error is None


def test_waiting_raises_what_stopped_the_drag():
    with opened(FailingBlob(at=2)) as session:
        session.start()
        with pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
            session.wait(BOUND)


def test_two_sessions_on_one_generator_at_once_give_serial_results():
    serial = [uninterrupted(EDIT), uninterrupted(OTHER)]
    generator = BlobGenerator()
    with opened(generator) as one, opened(generator, OTHER) as other:
        one.start()
        other.start()
        one.wait(BOUND)
        other.wait(BOUND)
        assert same(one.record, serial[0])
        assert same(other.record, serial[1])


def test_a_cell_may_draw_while_the_worker_steps():
    with running(endless()) as session:
        expected = np.asarray(session.picture())
        for _ in range(20):
            assert np.abs(np.asarray(session.picture()).astype(int) - expected).max() <= 1
            assert session.features(2).whole.shape[1:] == (16, 16)


def test_picture_and_features_show_the_current_step():
    with opened() as session:
        before = np.asarray(session.picture())
        session.run()
        after = np.asarray(session.picture())
        assert before.shape == after.shape == (64, 64, 3)
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(after, session.record[-1].pixels())
        assert session.features().block == session.config.block == 3
        assert session.features(1).size == (8, 8)
        assert not session.features().whole.requires_grad


def test_the_record_says_how_it_was_made():
    with DragSession(BlobGenerator(), 5, truncation_psi=0.5) as session:
        about = session.record.about
        assert (about["generator"], about["family"]) == ("blob", "analytic")
        assert (about["seed"], about["truncation_psi"]) == (5, 0.5)
        assert about["config"] == vars(session.config)
        assert set(about["versions"]) == {"draggan-widget", "torch", "numpy"}
        session.config = session.config.replace(max_steps=7)
        assert session.record.about["config"]["max_steps"] == 7
        session.new_seed(9)
        assert session.record.about["seed"] == 9


def test_the_record_says_with_which_settings_its_steps_were_made():
    with opened() as session:
        session.step(2)
        before = session.config
        session.config = before.replace(learning_rate=0.01)
        assert session.record.about["config"] == vars(before)
        session.step(2)
        assert session.record.about["config"]["learning_rate"] == 0.01
        assert [step.config for step in session.record] == [before] * 3 + [session.config] * 3
        session.go_to(1)
        assert session.record.about["config"] == vars(before)


def test_other_settings_hold_for_the_next_drag():
    with opened() as session:
        session.step(2)
        session.config = session.config.replace(max_steps=1)
        session.run()
        assert session.record.starts == [0, 3]
        assert session.record[-1].ended == "cap"


def test_a_session_says_what_it_is():
    with DragSession(BlobGenerator(), 3) as session:
        assert repr(session) == "DragSession(blob, seed 3, 0 points, 0 steps, idle)"
    with opened() as given:
        given.step()
    assert repr(given) == "DragSession(blob, a given latent, 1 point, 2 steps, closed)"


@pytest.mark.parametrize("preset", ["paper", "official"])
def test_other_settings_between_two_drags_go_on_from_the_tracked_handles(preset):
    """Another block and another radius: references of the old ones would not fit."""
    with opened(BlobGenerator(side=256)) as session:
        session.step(3)
        handles, ws = session.handles, session.ws
        session.config = DragConfig.for_generator(session.generator, preset)
        assert session.config.block != 3
        first = len(session.record)
        session.step(2)
        assert session.record[first].ws.equal(ws)
        pairs = zip(np.ravel(session.record[first].handles), np.ravel(handles), strict=True)
        moved = max(abs(now - then) for now, then in pairs)
        assert moved <= session.config.tracking_radius
        assert session.edit.handles == EDIT.handles
        session.config = session.config.replace(supervision_radius=9.0, confidence_gate=0.0)
        session.step(2)
