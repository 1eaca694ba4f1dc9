import gc
import logging
import threading

import pytest
from session.helpers import BOUND, until

from draggan_widget.session.worker import Runner


@pytest.fixture
def runner():
    made = Runner("draggan-test")
    yield made
    made.close()


def thread_of(runner: Runner) -> threading.Thread:
    """The worker, asked on the worker."""
    found: list[threading.Thread] = []
    runner.submit(lambda: found.append(threading.current_thread()))
    until(lambda: found, "the first job")
    return found[0]


def settle(runner: Runner) -> None:
    """Wait until the worker has done all before."""
    done = threading.Event()
    runner.submit(done.set)
    assert done.wait(BOUND)


def test_there_is_no_thread_before_the_first_job(runner):
    before = threading.active_count()
    runner.close()
    assert threading.active_count() == before


def test_jobs_run_in_order_on_one_daemon_thread(runner):
    order, threads = [], set()

    def job(number: int):
        def run() -> None:
            order.append(number)
            threads.add(threading.current_thread())

        return run

    for number in range(100):
        runner.submit(job(number))
    settle(runner)
    assert order == list(range(100))
    (worker,) = threads
    assert worker.daemon
    assert worker.name == "draggan-test"


def test_jobs_submitted_from_many_threads_all_run(runner):
    done = []
    threads = [
        threading.Thread(target=lambda n=n: [runner.submit(lambda: done.append(n)) for _ in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    settle(runner)
    assert sorted(done) == sorted([0, 1, 2, 3] * 50)
    assert len([t for t in threading.enumerate() if t.name == "draggan-test"]) == 1


def test_an_exception_in_a_job_is_logged_and_the_next_job_runs(runner, caplog):
    with caplog.at_level(logging.ERROR, "draggan_widget"):
        runner.submit(lambda: 1 / 0)
        settle(runner)
    assert "a job of the drag worker failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_drain_runs_what_came_in_meanwhile_in_order(runner):
    order, done = [], threading.Event()

    def long() -> None:
        for number in range(3):
            runner.submit(lambda n=number: order.append(n))
        runner.drain(lambda: True)
        order.append("long")
        done.set()

    runner.submit(long)
    assert done.wait(BOUND)
    assert order == [0, 1, 2, "long"]


def test_drain_leaves_the_rest_for_later_once_the_drag_is_left(runner):
    order, left = [], threading.Event()

    def long() -> None:
        runner.submit(lambda: (order.append("leave"), left.set()))
        runner.submit(lambda: order.append("after"))
        runner.drain(lambda: not left.is_set())
        order.append("long")

    runner.submit(long)
    until(lambda: len(order) == 3)
    assert order == ["leave", "long", "after"]


def test_drain_goes_on_after_a_job_that_failed(runner, caplog):
    order, done = [], threading.Event()

    def long() -> None:
        runner.submit(lambda: 1 / 0)
        runner.submit(lambda: order.append("next"))
        runner.drain(lambda: True)
        done.set()

    runner.submit(long)
    assert done.wait(BOUND)
    assert order == ["next"]


def test_drain_while_closing_leaves_the_worker_able_to_end(runner):
    entered, go, order = threading.Event(), threading.Event(), []

    def long() -> None:
        entered.set()
        go.wait(BOUND)
        runner.drain(lambda: True)
        order.append("long")

    runner.submit(long)
    assert entered.wait(BOUND)
    runner.submit(lambda: order.append("dropped"))
    closing = threading.Thread(target=runner.close)
    closing.start()
    until(lambda: runner.closed)
    go.set()
    closing.join(BOUND)
    assert not closing.is_alive()
    assert order == ["long"]


def test_the_job_for_a_rest_runs_once_and_only_after_the_others(runner):
    order = []
    runner.submit(lambda: runner.after_rest(0.05, lambda: order.append("rest")))
    for number in range(5):
        runner.submit(lambda n=number: order.append(n))
    until(lambda: "rest" in order)
    settle(runner)
    assert order == [0, 1, 2, 3, 4, "rest"]


def test_a_later_job_for_the_rest_replaces_the_earlier(runner):
    order = []
    runner.submit(lambda: runner.after_rest(0.01, lambda: order.append("earlier")))
    runner.submit(lambda: runner.after_rest(0.02, lambda: order.append("later")))
    until(lambda: order)
    settle(runner)
    assert order == ["later"]


def test_a_rest_that_fails_does_not_end_the_worker(runner, caplog):
    runner.submit(lambda: runner.after_rest(0.0, lambda: 1 / 0))
    until(lambda: "ZeroDivisionError" in caplog.text)
    settle(runner)


def test_a_closed_runner_has_no_thread_and_drops_jobs(runner):
    worker, done = thread_of(runner), []
    runner.close()
    runner.close()
    assert runner.closed
    assert not worker.is_alive()
    runner.submit(lambda: done.append(1))
    runner.drain(lambda: True)
    assert done == []


def test_closing_waits_for_the_job_under_way_and_drops_those_behind(runner):
    order, entered, go = [], threading.Event(), threading.Event()
    runner.submit(lambda: (entered.set(), go.wait(BOUND), order.append("under way")))
    runner.submit(lambda: order.append("behind"))
    assert entered.wait(BOUND)
    closing = threading.Thread(target=runner.close)
    closing.start()
    until(lambda: runner.closed)
    go.set()
    closing.join(BOUND)
    assert order == ["under way"]


def test_closing_a_worker_that_does_not_end_returns_after_its_timeout(runner):
    go = threading.Event()
    runner.submit(lambda: go.wait(BOUND))
    runner.close(timeout=0.01)
    assert runner.closed
    go.set()


def test_closing_from_the_worker_itself_does_not_deadlock(runner):
    worker, closed = thread_of(runner), threading.Event()
    assert not runner.here
    runner.submit(lambda: (runner.close(), closed.set()))
    assert closed.wait(BOUND)
    worker.join(BOUND)
    assert not worker.is_alive()


def test_the_worker_of_a_forgotten_runner_ends():
    runner = Runner("draggan-forgotten")
    worker = thread_of(runner)
    del runner
    gc.collect()
    worker.join(BOUND)
    assert not worker.is_alive()
