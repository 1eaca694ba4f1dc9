import gc
import logging
import threading

import pytest
from session.helpers import BOUND, until

from draggan_widget.session.worker import Worker


@pytest.fixture
def worker():
    made = Worker("draggan-test")
    yield made
    made.close()


def thread_of(worker: Worker) -> threading.Thread:
    """The thread of a worker."""
    found: list[threading.Thread] = []
    worker.submit(lambda: found.append(threading.current_thread()))
    until(lambda: found, "the first job")
    return found[0]


def settle(worker: Worker) -> None:
    """Wait until the worker has done all earlier jobs."""
    done = threading.Event()
    worker.submit(done.set)
    assert done.wait(BOUND)


def test_there_is_no_thread_before_the_first_job(worker):
    before = threading.active_count()
    worker.close()
    assert threading.active_count() == before


def test_jobs_run_in_order_on_one_daemon_thread(worker):
    order, threads = [], set()

    def job(number: int):
        def run() -> None:
            order.append(number)
            threads.add(threading.current_thread())

        return run

    for number in range(100):
        worker.submit(job(number))
    settle(worker)
    assert order == list(range(100))
    (thread,) = threads
    assert thread.daemon
    assert thread.name == "draggan-test"


def test_jobs_submitted_from_many_threads_all_run(worker):
    done = []
    threads = [
        threading.Thread(target=lambda n=n: [worker.submit(lambda: done.append(n)) for _ in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    settle(worker)
    assert sorted(done) == sorted([0, 1, 2, 3] * 50)
    assert len([t for t in threading.enumerate() if t.name == "draggan-test"]) == 1


def test_an_exception_in_a_job_is_logged_and_the_next_job_runs(worker, caplog):
    with caplog.at_level(logging.ERROR, "draggan_widget"):
        worker.submit(lambda: 1 / 0)
        settle(worker)
    assert "a job of the drag worker failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_drain_runs_what_came_in_meanwhile_in_order(worker):
    order, done = [], threading.Event()

    def long() -> None:
        for number in range(3):
            worker.submit(lambda n=number: order.append(n))
        worker.drain(lambda: True)
        order.append("long")
        done.set()

    worker.submit(long)
    assert done.wait(BOUND)
    assert order == [0, 1, 2, "long"]


def test_drain_leaves_the_rest_for_later_once_the_drag_is_left(worker):
    order, left = [], threading.Event()

    def long() -> None:
        worker.submit(lambda: (order.append("leave"), left.set()))
        worker.submit(lambda: order.append("after"))
        worker.drain(lambda: not left.is_set())
        order.append("long")

    worker.submit(long)
    until(lambda: len(order) == 3)
    assert order == ["leave", "long", "after"]


def test_drain_continues_after_a_job_that_failed(worker, caplog):
    order, done = [], threading.Event()

    def long() -> None:
        worker.submit(lambda: 1 / 0)
        worker.submit(lambda: order.append("next"))
        worker.drain(lambda: True)
        done.set()

    worker.submit(long)
    assert done.wait(BOUND)
    assert order == ["next"]


def test_drain_while_closing_leaves_the_worker_able_to_end(worker):
    entered, go, order = threading.Event(), threading.Event(), []

    def long() -> None:
        entered.set()
        go.wait(BOUND)
        worker.drain(lambda: True)
        order.append("long")

    worker.submit(long)
    assert entered.wait(BOUND)
    worker.submit(lambda: order.append("dropped"))
    closing = threading.Thread(target=worker.close)
    closing.start()
    until(lambda: worker.closed)
    go.set()
    closing.join(BOUND)
    assert not closing.is_alive()
    assert order == ["long"]


def test_the_job_for_a_rest_runs_once_and_only_after_the_others(worker):
    order = []
    worker.submit(lambda: worker.after_rest(0.05, lambda: order.append("rest")))
    for number in range(5):
        worker.submit(lambda n=number: order.append(n))
    until(lambda: "rest" in order)
    settle(worker)
    assert order == [0, 1, 2, 3, 4, "rest"]


def test_a_later_job_for_the_rest_replaces_the_earlier(worker):
    order = []
    worker.submit(lambda: worker.after_rest(0.01, lambda: order.append("earlier")))
    worker.submit(lambda: worker.after_rest(0.02, lambda: order.append("later")))
    until(lambda: order)
    settle(worker)
    assert order == ["later"]


def test_a_rest_that_fails_does_not_end_the_worker(worker, caplog):
    worker.submit(lambda: worker.after_rest(0.0, lambda: 1 / 0))
    until(lambda: "ZeroDivisionError" in caplog.text)
    settle(worker)


def test_a_closed_worker_has_no_thread_and_drops_jobs(worker):
    thread, done = thread_of(worker), []
    worker.close()
    worker.close()
    assert worker.closed
    assert not thread.is_alive()
    worker.submit(lambda: done.append(1))
    worker.drain(lambda: True)
    assert done == []


def test_closing_waits_for_the_job_under_way_and_drops_those_behind(worker):
    order, entered, go = [], threading.Event(), threading.Event()
    worker.submit(lambda: (entered.set(), go.wait(BOUND), order.append("under way")))
    worker.submit(lambda: order.append("behind"))
    assert entered.wait(BOUND)
    closing = threading.Thread(target=worker.close)
    closing.start()
    until(lambda: worker.closed)
    go.set()
    closing.join(BOUND)
    assert order == ["under way"]


def test_closing_a_worker_that_does_not_end_returns_after_its_timeout(worker):
    go = threading.Event()
    worker.submit(lambda: go.wait(BOUND))
    worker.close(timeout=0.01)
    assert worker.closed
    go.set()


def test_closing_from_the_worker_itself_does_not_deadlock(worker):
    thread, closed = thread_of(worker), threading.Event()
    assert not worker.is_current_thread
    worker.submit(lambda: (worker.close(), closed.set()))
    assert closed.wait(BOUND)
    thread.join(BOUND)
    assert not thread.is_alive()


def test_the_thread_of_a_forgotten_worker_ends():
    worker = Worker("draggan-forgotten")
    thread = thread_of(worker)
    del worker
    gc.collect()
    thread.join(BOUND)
    assert not thread.is_alive()
