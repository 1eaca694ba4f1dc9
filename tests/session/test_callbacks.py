"""What may be done in a step callback, and what its exception does."""

import threading
import traceback

import pytest
from analytic import BlobGenerator
from session.helpers import BOUND, EDIT, OTHER, Listener, endless, opened, until

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of


def at(index: int, act):
    """A callback that acts once, after the step of that index."""

    def callback(step: DragStep) -> None:
        if step.index == index:
            act()

    return callback


def test_a_callback_gets_every_step_in_order_on_the_worker():
    seen, threads = [], set()

    def callback(step: DragStep) -> None:
        seen.append(step)
        threads.add(threading.current_thread().name)

    with opened() as session:
        session.on_step(callback)
        session.run()
        assert seen == session.record.steps
    assert threads == {"draggan-drag"}


def test_a_removed_callback_is_called_no_more():
    seen = []
    with opened() as session:
        remove = session.on_step(seen.append)
        session.step(2)
        remove()
        remove()
        session.step(2)
        assert [step.index for step in seen] == [0, 1, 2]


def test_a_removed_listener_hears_no_more():
    heard = []
    with opened() as session:
        remove = session.subscribe(heard.append)
        session.edit = OTHER
        remove()
        session.edit = EDIT
        assert len(heard) == 1


def test_an_exception_in_a_callback_stops_the_drag_and_keeps_the_step():
    def act() -> None:
        raise ValueError("enough")

    with opened() as session:
        heard = Listener(session)
        session.on_step(at(3, act))
        with pytest.raises(ValueError, match=r"^enough$"):
            session.run()
        assert isinstance(session.last_error, ValueError)
        assert [step.index for step in session.record] == [0, 1, 2, 3]
        assert session.ws is session.record[-1].ws
        assert session.status == "idle"
        assert str(heard.wait_for(events.Failed).error) == "enough"
        assert "in act" in "".join(traceback.format_exception(session.last_error))
        assert heard.of(events.Ended) == []


def test_an_exception_in_a_listener_stops_the_drag_instead_of_hanging():
    def listen(event: events.Event) -> None:
        if isinstance(event, events.Started):
            raise ValueError("deaf")

    with opened() as session:
        session.subscribe(listen)
        session.start()
        with pytest.raises(ValueError, match=r"^deaf$"):
            session.wait(BOUND)
        assert session.status == "idle"


def test_a_callback_may_stop_the_drag():
    with endless() as session:
        session.on_step(at(3, session.stop))
        session.run()
        assert session.record[-1].index == 3


def test_a_callback_may_change_the_edit():
    with opened() as session:
        session.on_step(at(3, lambda: setattr(session, "edit", OTHER)))
        record = session.run()
        assert [step.edit for step in record[3:5]] == [EDIT, OTHER]
        assert record[-1].ended == "arrived"


def test_a_callback_may_undo_the_drag():
    with endless() as session:
        start = session.ws
        session.on_step(at(3, session.undo))
        session.start()
        until(lambda: session.ws is start and session.status == "idle" and len(session.record) == 0)
        session.step()
        assert session.record.starts == [0]


def test_a_callback_may_reset_and_start_again():
    with endless() as session:
        restarts = []

        def act() -> None:
            if not restarts:
                restarts.append(1)
                session.reset()
                session.start()

        session.on_step(at(2, act))
        session.start()
        until(lambda: restarts and len(session.record) > 5, "the second drag")
        session.stop()
        assert session.wait(BOUND)
        assert session.record.starts == [0]


def test_a_callback_may_close_the_session():
    session = endless()
    session.on_step(at(2, session.close))
    session.start()
    assert session.wait(BOUND)
    assert session.status == "closed"
    assert len(session.record) == 3


@pytest.mark.parametrize("wait", [DragSession.wait, DragSession.run, DragSession.step])
def test_waiting_in_a_callback_is_refused_instead_of_hanging(wait):
    with opened() as session:
        session.on_step(at(2, lambda: wait(session)))
        session.start()
        with pytest.raises(DragganError) as caught:
            session.wait(BOUND)
        assert str(caught.value) == (
            "wait, run and step wait for the worker and were called on it; call them in a cell"
        )


@pytest.mark.parametrize(
    "kind", [events.Started, events.Stepped, events.Ended, events.EditChanged, events.StateChanged]
)
def test_no_lock_is_held_while_listeners_hear(kind):
    """Another thread uses the session while a listener waits for it."""
    finished = []

    def use(session: DragSession) -> None:
        controller_of(session).step_and_revision()
        controller_of(session).change_edit(OTHER, by="browser")
        session.stop()
        finished.append(kind)

    def listen(event: events.Event) -> None:
        if isinstance(event, kind) and not finished:
            thread = threading.Thread(target=use, args=(session,))
            thread.start()
            thread.join(BOUND)
            finished.append("joined")

    with opened() as session:
        session.subscribe(listen)
        session.edit = EDIT
        session.run()
        session.undo()
        until(lambda: len(finished) >= 2)
        assert finished == [kind, "joined"]


def test_no_lock_is_held_while_callbacks_run():
    finished = []

    def callback(step: DragStep) -> None:
        thread = threading.Thread(target=lambda: (session.undo(), finished.append(1)))
        thread.start()
        thread.join(BOUND)
        finished.append(2)

    with endless(BlobGenerator()) as session:
        session.on_step(callback)
        session.start()
        until(lambda: len(finished) == 2)
        assert finished == [1, 2]
