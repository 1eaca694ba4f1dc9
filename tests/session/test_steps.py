"""A drag in a `for` or `async for` loop, in lock-step with the worker."""

import asyncio
import gc
import threading

import pytest
from session.helpers import BOUND, EDIT, OTHER, FailingBlob, edit_of, endless, opened, same, until

from draggan_widget.errors import DragganError, EditError


def test_a_loop_gets_every_step_and_ends_with_the_drag():
    with opened() as session, opened() as other:
        seen = list(session.steps())
        assert seen == session.record.steps
        assert seen[-1].ended == "arrived"
        assert session.status == "idle"
        assert same(session.record, other.run())


def test_leaving_the_loop_leaves_the_session_at_that_step():
    with endless() as session:
        for step in session.steps():
            if step.index == 3:
                break
        assert session.status == "idle"
        assert session.current is step
        assert len(session.record) == 4
        assert session.step().index == 4


def test_the_worker_waits_while_the_body_runs():
    with endless() as session:
        for step in session.steps():
            assert step.current.get() is not None
            assert session.current is step
            if step.index == 20:
                break


def test_an_edit_in_the_body_takes_effect_at_the_next_step():
    with opened() as session:
        for step in session.steps():
            if step.index == 2:
                session.edit = OTHER
        edits = [step.edit for step in session.record]
        assert edits[:4] == [EDIT, EDIT, EDIT, OTHER]
        assert session.record[-1].ended == "arrived"


@pytest.mark.parametrize("leave", ["stop", "undo", "new_seed", "close"])
def test_leaving_by_the_session_ends_the_loop(leave: str):
    with endless() as session:
        steps = 0
        for step in session.steps():
            steps += 1
            if step.index == 2:
                getattr(session, leave)()
        assert steps == 3
        assert session.status == ("closed" if leave == "close" else "idle")


def test_stop_from_another_thread_ends_a_loop_whose_body_takes_its_time():
    with endless() as session:
        for step in session.steps():
            if step.index == 1:
                thread = threading.Thread(target=session.stop)
                thread.start()
                until(lambda: session.status == "idle", "the stop to be seen while the body runs")
                thread.join(BOUND)
        assert session.current.index == 1


def test_what_stops_the_drag_is_raised_in_the_loop():
    with opened(FailingBlob(at=4)) as session:
        seen = []
        with pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
            seen.extend(step.index for step in session.steps())
        assert session.status == "idle"


def test_an_exception_in_the_body_stops_the_drag():
    with endless() as session:
        with pytest.raises(ZeroDivisionError):
            [1 / (step.index - 2) for step in session.steps()]
        assert session.status == "idle"
        assert session.last_error is None
        assert session.current.index == 2


def test_a_loop_that_is_never_begun_does_nothing():
    with opened() as session:
        session.steps()
        assert session.status == "idle"
        assert len(session.record) == 0


def test_without_points_the_loop_says_what_is_missing():
    with opened(edit=edit_of([], [])) as session, pytest.raises(EditError, match="^there are no points to drag"):
        next(iter(session.steps()))


def test_a_loop_on_the_worker_is_refused():
    with opened() as session:
        session.on_step(lambda step: list(session.steps()))
        with pytest.raises(DragganError, match="^steps waits for the worker and was called on it"):
            session.run()


def test_async_for_gets_every_step():
    async def loop() -> list[int]:
        with opened() as session:
            seen = [step.index async for step in session.steps()]
            assert seen == [step.index for step in session.record]
            assert session.record[-1].ended == "arrived"
            return seen

    assert len(asyncio.run(loop())) > 3


def test_leaving_an_async_loop_leaves_the_session_at_that_step():
    async def loop() -> None:
        with endless() as session:
            async for step in session.steps():
                if step.index == 3:
                    break
            gc.collect()
            assert session.wait(BOUND)
            assert session.current is step

    asyncio.run(loop())


def test_other_tasks_run_while_an_async_loop_waits_and_may_stop_it():
    async def loop() -> None:
        with endless() as session:

            async def stop() -> None:
                while len(session.record) < 3:
                    await asyncio.sleep(0)
                session.stop()

            task = asyncio.create_task(stop())
            seen = [step.index async for step in session.steps()]
            await task
            assert seen == [step.index for step in session.record]

    asyncio.run(asyncio.wait_for(loop(), BOUND))


def test_a_cancelled_async_loop_stops_the_drag():
    async def loop() -> None:
        with endless() as session:

            async def drag() -> None:
                async for _ in session.steps():
                    await asyncio.sleep(0)

            task = asyncio.create_task(drag())
            while len(session.record) < 3:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            gc.collect()
            assert session.wait(BOUND)

    asyncio.run(loop())


def test_an_error_is_raised_in_an_async_loop():
    async def loop() -> None:
        with opened(FailingBlob(at=4)) as session:
            async for _ in session.steps():
                pass

    with pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
        asyncio.run(loop())
