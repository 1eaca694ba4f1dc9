"""Edits, undo, reset and seeds, at rest and while a drag runs."""

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from session.helpers import (
    BOUND,
    EDIT,
    OTHER,
    Gate,
    Listener,
    edit_of,
    endless,
    opened,
    running,
    until,
)

from draggan_widget.engine.edit import Edit
from draggan_widget.errors import ConfigError
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of

TWO = edit_of([(31.0, 31.0), (40.0, 31.0)], [(44.0, 36.0), (50.0, 31.0)])


def test_an_edit_while_running_takes_effect_at_the_next_step():
    gate = Gate()
    with opened() as session:
        session.on_step(gate)
        session.start()
        gate.reached()
        session.edit = OTHER
        gate.pass_one()
        gate.reached()
        assert [step.edit for step in session.record] == [EDIT, OTHER]
        assert session.record.starts == [0]
        gate.open()
        assert session.run()[-1].ended == "arrived"
        centre = session.generator.centre(session.ws)
        assert np.hypot(float(centre[0]) - 20.0, float(centre[1]) - 40.0) < 3.0


def test_an_edit_made_while_paused_is_pursued_when_the_drag_resumes():
    with opened() as session:
        session.step(3)
        session.edit = OTHER
        assert session.step().edit == OTHER
        assert session.record.starts == [0]
        assert session.run()[-1].ended == "arrived"
        centre = session.generator.centre(session.ws)
        assert np.hypot(float(centre[0]) - 20.0, float(centre[1]) - 40.0) < 3.0


def test_moving_a_target_leaves_the_tracked_handle_where_it_is():
    with opened() as session:
        session.step(5)
        tracked = session.handles
        assert tracked != EDIT.handles
        session.edit = OTHER
        assert session.handles == tracked
        assert session.current.targets == OTHER.targets


def test_a_new_point_stands_where_it_was_put_beside_the_tracked_one():
    with opened() as session:
        session.step(5)
        tracked = session.handles[0]
        session.edit = TWO
        assert session.handles == (tracked, (40.0, 31.0))
        assert session.current.tracking_error[1] == 0.0
        session.edit = edit_of([(40.0, 31.0)], [(50.0, 31.0)])
        assert session.handles == ((40.0, 31.0),)


def test_a_point_added_while_running_is_dragged_too():
    gate = Gate()
    with opened() as session:
        session.on_step(gate)
        session.start()
        gate.reached()
        session.edit = TWO
        assert len(session.handles) == 2
        gate.pass_one()
        gate.reached()
        assert len(session.record[-1].handles) == 2
        gate.open()


def test_deleting_the_last_point_stops_the_drag():
    gate = Gate()
    with opened() as session:
        heard = Listener(session)
        session.on_step(gate)
        session.start()
        gate.reached()
        session.edit = Edit()
        gate.open()
        assert session.wait(BOUND)
        assert heard.wait_for(events.Ended).reason == "stopped"
        assert session.last_error is None
        assert session.handles == ()
        session.edit = OTHER
        assert session.run()[-1].ended == "arrived"


def test_deleting_the_last_point_at_any_moment_stops_the_drag():
    for _ in range(5):
        with running(endless()) as session:
            session.edit = Edit()
            assert session.wait(BOUND)
            assert session.last_error is None


def test_each_change_counts_the_revision_up_and_is_told():
    with opened() as session:
        heard, before = Listener(session), controller_of(session).revision
        assert controller_of(session).change_edit(OTHER) == before + 1
        session.undo()
        session.redo()
        session.new_seed(3)
        session.reset()  # it changes nothing
        assert controller_of(session).revision == before + 4
        assert [event.revision for event in heard.events] == [before + n for n in (1, 2, 3, 4)]
        assert heard.kinds() == ["EditChanged", "StateChanged", "StateChanged", "StateChanged"]


def test_a_quiet_edit_is_not_told():
    with opened() as session:
        heard = Listener(session)
        controller_of(session).change_edit(OTHER, by="browser")
        assert heard.events == []


def test_the_newest_step_and_the_revision_belong_together():
    with running(endless()) as session:
        for number in range(50):
            session.edit = edit_of([(31.0, 31.0)] * (number % 3 + 1), [(40.0, 31.0)] * (number % 3 + 1))
            expected = controller_of(session).revision
            step, revision = controller_of(session).step_and_revision()
            assert revision == expected
            assert len(step.handles) == len(step.edit) == number % 3 + 1


def test_undo_at_rest_goes_back_one_change_at_a_time():
    with opened() as session:
        start = session.ws
        session.run()
        ran = session.ws
        session.edit = OTHER
        assert session.undo()
        assert session.ws is ran
        assert session.edit == EDIT
        assert session.record[-1].ended == "arrived"
        assert session.undo()
        assert session.ws is start
        assert len(session.record) == 0
        assert session.undo()
        assert len(session.edit) == 0
        assert session.undo() is False
        assert not session.can_undo


def test_undo_while_running_goes_back_to_before_the_drag():
    with running(endless()) as session:
        heard = Listener(session)
        assert session.undo()
        assert session.status == "idle"
        assert len(session.record) == 0
        assert torch.equal(session.ws, session.generator.ws_at(31.0, 31.0))
        assert heard.wait_for(events.Ended).reason == "stopped"
        heard.wait_for(events.StateChanged)
        calls = len(session.record)
        session.step()
        assert len(session.record) == calls + 2


def test_undo_after_a_live_edit_goes_back_to_the_moment_of_the_edit():
    gate = Gate()
    with opened() as session:
        session.on_step(gate)
        session.start()
        for _ in range(3):
            gate.reached()
            gate.pass_one()
        gate.reached()
        session.edit = OTHER
        at_edit = session.ws
        for _ in range(3):
            gate.pass_one()
            gate.reached()
        assert session.undo()
        assert (session.edit, session.ws) == (EDIT, at_edit)
        assert len(session.record) == 4
        gate.open()
        until(lambda: session.status == "idle")
        assert len(session.record) == 4
        assert session.run()[-1].ended == "arrived"
        assert session.record.starts == [0, 4]


def test_a_drag_left_by_undo_publishes_nothing_more():
    gate = Gate()
    with opened() as session:
        heard = Listener(session)
        session.on_step(gate)
        session.start()
        gate.reached()
        session.undo()
        session.start()
        gate.open()
        record = session.run()
        assert [step.index for step in record] == list(range(len(record)))
        heard.wait_for(events.Ended, 2)
        assert [event.reason for event in heard.of(events.Ended)] == ["stopped", "arrived"]


def test_reset_goes_back_to_the_start_latent_and_keeps_the_points():
    with opened() as session:
        start = session.ws
        session.run()
        session.reset()
        assert session.ws is start
        assert session.edit == EDIT
        assert session.handles == EDIT.handles
        assert len(session.record) == 0
        assert session.undo()
        assert session.record[-1].ended == "arrived"


def test_reset_while_running_stops_the_drag():
    with running(endless()) as session:
        session.reset()
        assert session.status == "idle"
        assert len(session.record) == 0
        assert session.wait(BOUND)


def test_a_drag_after_a_reset_is_the_same_drag_again():
    with opened() as session:
        first = session.run().ws
        session.reset()
        assert np.array_equal(session.run().ws, first)


def test_a_new_seed_takes_another_latent_and_drops_the_points():
    generator = BlobGenerator()
    with DragSession(generator, 3) as session:
        session.edit = EDIT
        assert session.new_seed() == 4
        assert session.seed == 4
        assert len(session.edit) == 0
        assert torch.equal(session.ws, generator.ws_from_seed(4, 0.7))
        assert session.new_seed(11, truncation_psi=1.0) == 11
        assert session.truncation_psi == 1.0
        assert torch.equal(session.ws, generator.ws_from_seed(11, 1.0))
        assert session.undo()
        assert (session.seed, session.truncation_psi) == (4, 0.7)


def test_the_seed_after_the_last_is_the_first_and_after_a_given_latent_too():
    with DragSession(BlobGenerator(), 2**32 - 1) as session:
        assert session.new_seed() == 0
    with opened() as session:
        assert session.seed is None
        assert session.new_seed() == 0


def test_a_new_seed_while_running_stops_the_drag():
    with running(endless()) as session:
        heard = Listener(session)
        session.new_seed(1)
        assert session.status == "idle"
        assert heard.kinds()[-2:] == ["Ended", "StateChanged"]
        assert session.record.about["seed"] == 1
        assert len(session.record) == 0


def test_reset_after_a_new_seed_goes_back_to_that_seeds_latent():
    with DragSession(BlobGenerator(), 3) as session:
        session.new_seed(8)
        start = session.ws
        session.edit = EDIT
        session.step(2)
        session.reset()
        assert session.ws is start


class Scripted(RuleBasedStateMachine):
    """Any order of changes: undo always gives what was there before the change."""

    @initialize()
    def begin(self) -> None:
        self.session = opened()
        self.session.undo()
        self.before: list[tuple[object, ...]] = []

    def now(self) -> tuple[object, ...]:
        session = self.session
        return (session.ws, session.edit, session.handles, session.seed, tuple(session.record.steps))

    @rule(x=st.integers(0, 63), y=st.integers(0, 63))
    def edit(self, x: int, y: int) -> None:
        edit = edit_of([(31.0, 31.0)], [(float(x), float(y))])
        if edit != self.session.edit:
            self.before.append(self.now())
        self.session.edit = edit

    @rule()
    def reset(self) -> None:
        if len(self.session.record):
            self.before.append(self.now())
        self.session.reset()

    @rule(seed=st.integers(0, 100))
    def new_seed(self, seed: int) -> None:
        if seed != self.session.seed or len(self.session.edit) or len(self.session.record):
            self.before.append(self.now())
        self.session.new_seed(seed)

    @rule(n=st.integers(1, 3))
    def step(self, n: int) -> None:
        if len(self.session.edit):
            self.before.append(self.now())
            self.session.step(n)

    @rule()
    def undo(self) -> None:
        assert self.session.undo() == bool(self.before)
        if self.before:
            assert self.now() == self.before.pop()

    @invariant()
    def handles_and_record_fit(self) -> None:
        assert len(self.session.handles) == len(self.session.edit)
        assert self.session.can_undo == bool(self.before)
        assert self.session.status == "idle"

    def teardown(self) -> None:
        self.session.close()


Scripted.TestCase.settings = settings(deadline=None, max_examples=15, stateful_step_count=12)
test_any_order_of_changes_can_be_undone = Scripted.TestCase


def test_redo_brings_back_what_undo_left():
    with opened() as session:
        session.run()
        steps, ws = len(session.record), session.ws
        session.undo()
        assert len(session.record) == 0
        assert session.redo()
        assert len(session.record) == steps
        assert session.ws is ws
        assert not session.redo()


def test_a_drag_from_an_older_step_starts_a_branch_and_keeps_the_other():
    with opened() as session:
        session.run()
        first = session.record.ws
        session.go_to(3)
        assert len(session.record) == 4
        assert np.array_equal(session.record.ws, first[:4])
        session.edit = OTHER
        session.run()
        assert np.array_equal(session.record.ws[:4], first[:4])
        assert session.record.starts == [0, 4]
        assert session.undo()
        assert session.undo()
        assert session.undo()
        assert np.array_equal(session.record.ws, first)
        assert session.branches == 1


def test_a_step_that_was_not_made_is_refused():
    with opened() as session:
        session.run()
        count = len(session.record)
        words = rf"^position is {count}; the record has {count} steps, counted from 0; expected one of those$"
        with pytest.raises(ConfigError, match=words):
            session.go_to(count)
        assert len(session.record) == count


def test_seed_and_truncation_are_set_like_any_attribute():
    with opened() as session:
        session.seed = 9
        session.truncation_psi = 0.5
        assert (session.seed, session.truncation_psi) == (9, 0.5)
        assert session.ws.equal(session.generator.ws_from_seed(9, 0.5))
        assert session.undo()
        assert session.truncation_psi == 0.7


def test_a_label_needs_a_conditional_generator():
    with pytest.raises(ConfigError, match=r"^label is 3; blob expects None, since it is not conditional$"):
        DragSession(BlobGenerator(), label=3)
    generator = BlobGenerator()
    generator.c_dim = 4
    with pytest.raises(ConfigError, match=r"^label is None; blob expects 0 to 3$"):
        DragSession(generator)
    with DragSession(generator, label=3) as session:
        assert session.label == 3
        session.new_seed(1)
        assert session.label == 3


def test_what_changes_nothing_leaves_redo_possible():
    with opened() as session:
        session.run()
        session.undo()
        assert (session.branches, session.can_reset) == (1, False)
        revision = controller_of(session).revision
        session.reset()
        assert (session.branches, controller_of(session).revision) == (1, revision)
        session.edit = Edit(EDIT.handles, EDIT.targets)
        assert session.branches == 1
        assert session.redo()
        assert session.can_reset
        session.undo()
        session.redo()
        session.go_to(2)
        session.undo()
        session.go_to(-1)
        assert session.branches == 1


def test_the_seed_that_is_there_leaves_redo_possible():
    with DragSession(BlobGenerator(), 3) as session:
        session.new_seed(4)
        session.undo()
        assert session.new_seed(3) == 3
        assert session.branches == 1
        session.edit = EDIT
        session.new_seed(3)
        assert len(session.edit) == 0  # there was a point, so this was a change
        assert session.branches == 0


def test_a_reset_leaves_a_drag_that_has_just_begun():
    with running(endless()) as session:
        assert session.can_reset
        session.reset()
        assert (session.status, session.can_reset) == ("idle", False)


def test_why_a_drag_was_over_holds_for_the_state_that_is_shown():
    arrived = ("arrived", "Every point has reached its target.")
    with opened() as session:
        controller = controller_of(session)
        assert controller.ending() is None
        session.step(2)
        assert controller.ending() == ("stopped", "Stopped. Start resumes the drag.")
        session.run()
        assert controller.ending() == arrived
        for leave in (session.undo, session.reset, session.new_seed, lambda: session.go_to(1)):
            leave()
            assert controller.ending() is None, leave
            assert session.redo() if leave == session.undo else session.undo()
            assert controller.ending() == arrived, leave
        session.edit = OTHER
        assert controller.ending() is None
        assert session.current.ended is None
        session.undo()
        assert controller.ending() == arrived
