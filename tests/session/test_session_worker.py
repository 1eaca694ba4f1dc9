"""The worker thread of a session: closed, forgotten, many of them."""

import gc
import threading
import weakref

import pytest
from session.helpers import BOUND, Gate, endless, opened, running, until, workers

from draggan_widget.errors import DragganError
from draggan_widget.session.session import controller_of


def worker_of(session) -> threading.Thread:
    found: list[threading.Thread] = []
    controller_of(session).worker.submit(lambda: found.append(threading.current_thread()))
    until(lambda: found)
    return found[0]


def test_a_session_that_was_never_started_has_no_thread():
    before = len(workers())
    with opened():
        assert len(workers()) == before


def test_closing_while_running_ends_the_drag_and_joins_the_worker():
    with running(endless()) as session:
        worker = worker_of(session)
        session.close()
        assert not worker.is_alive()
        assert session.status == "closed"
        steps = len(session.record)
        session.close()
        assert session.wait(0) is True
        assert len(session.record) == steps


def test_closing_from_two_threads_at_once_is_safe():
    with running(endless()) as session:
        threads = [threading.Thread(target=session.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert session.status == "closed"


def test_leaving_the_with_block_closes_even_after_an_error():
    try:
        with opened() as session:
            session.step()
            worker = worker_of(session)
            raise DragganError("stop here")
    except DragganError:
        assert session.status == "closed"
        assert not worker.is_alive()


def test_closing_lets_the_feature_map_of_the_last_step_go():
    session = opened()
    session.step(2)
    assert session.current.current.get() is not None
    session.close()
    assert session.current.current.get() is None


def test_the_worker_of_a_forgotten_session_ends_and_the_session_goes():
    session = opened()
    session.step(2)
    worker, gone = worker_of(session), weakref.ref(session)
    del session
    gc.collect()
    worker.join(BOUND)
    assert not worker.is_alive()
    gc.collect()
    assert gone() is None


def test_a_forgotten_session_goes_when_its_drag_has_ended():
    session, gate = opened(max_steps=3), Gate()
    session.on_step(gate)
    session.start()
    gate.reached()
    worker, gone = worker_of_running(), weakref.ref(session)
    del session
    gc.collect()
    gate.open()
    until(lambda: gc.collect() is not None and gone() is None, "the session to go")
    worker.join(BOUND)
    assert not worker.is_alive()


def worker_of_running() -> threading.Thread:
    return workers()[-1]


@pytest.mark.slow
def test_fifty_sessions_opened_and_closed_leave_no_thread():
    before = threading.active_count()
    for _ in range(50):
        with opened() as session:
            session.step()
    assert threading.active_count() == before


@pytest.mark.slow
def test_fifty_sessions_at_once_have_one_thread_each_and_none_after_closing():
    before = threading.active_count()
    sessions = [endless() for _ in range(50)]
    for session in sessions:
        session.step()
        session.step()
    assert threading.active_count() == before + 50
    for session in sessions:
        session.close()
    assert threading.active_count() == before
