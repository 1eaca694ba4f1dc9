"""A drag in a `for` or `async for` loop, in lock-step with the worker."""

import asyncio
import gc
import re
import threading
import traceback

import pytest
from session.helpers import BOUND, EDIT, OTHER, FailingBlob, Gate, edit_of, endless, opened, same, until

from draggan_widget.errors import DragganError, EditError
from draggan_widget.session import events


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


HELD = (
    "the drag waits for a loop over steps() in this thread; expected the loop to be left first: use break, or "
    "session.stop() and do this after the loop"
)


@pytest.mark.parametrize("wrong", ["run", "step", "wait", "start", "a loop in the loop"])
def test_what_waits_for_the_drag_is_refused_in_the_body(wrong: str):
    with endless() as session:
        for step in session.steps():
            if step.index == 1:
                with pytest.raises(DragganError, match=f"^{re.escape(HELD)}$"):
                    next(iter(session.steps())) if " " in wrong else getattr(session, wrong)()
            if step.index == 3:
                break
        assert session.current.index == 3


def test_a_drag_begun_anew_in_the_body_is_not_touched_by_the_loop():
    with endless() as session:
        for step in session.steps():
            if step.index == 2:
                session.reset()
                session.edit = OTHER
                session.step(4)
        assert [step.edit for step in session.record] == [OTHER] * 5
        session.undo()
        for step in session.steps():
            if step.index == 1:
                session.undo()
                session.start()
        until(lambda: len(session.record) > 10, "the drag to continue after the loop")


def test_start_right_after_stop_resumes():
    with opened() as session:
        gate = Gate()
        session.on_step(gate)
        session.start()
        gate.reached()
        session.stop()
        session.start()
        gate.open()
        session.wait()
        assert session.record[-1].ended == "arrived"


def test_an_exit_asked_for_in_a_callback_is_told_and_hangs_nothing():
    def leave(step: object) -> None:
        raise SystemExit(3)

    with opened() as session:
        remove = session.on_step(leave)
        with pytest.raises(SystemExit):
            session.run()
        assert isinstance(session.last_error, SystemExit)
        remove()
        assert session.run()[-1].ended == "arrived"


def test_the_traceback_of_an_error_does_not_grow_as_it_is_raised_again():
    with opened(FailingBlob(at=4)) as session:
        session.start()
        lengths = []
        for _ in range(3):
            with pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
                session.wait()
            lengths.append(len(traceback.extract_tb(session.last_error.__traceback__)))
        assert lengths == [lengths[0]] * 3


def test_a_late_word_of_an_older_drag_does_not_end_a_loop():
    with opened(max_steps=2) as session:
        told, go = threading.Event(), threading.Event()

        def slow(event: events.Event) -> None:
            if isinstance(event, events.Ended) and not told.is_set():
                told.set()
                go.wait(BOUND)

        session.subscribe(slow)
        session.run()
        assert told.wait(BOUND)
        loop = iter(session.steps())
        go.set()
        assert [step.index for step in loop] == [0, 1, 2]


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


def test_a_run_right_after_a_left_async_loop_goes_to_the_end():
    async def loop() -> None:
        for way in ("run", "run_async", "loop"):
            with opened() as session:
                async for step in session.steps():
                    if step.index == 2:
                        break
                if way == "run":
                    session.run()
                elif way == "run_async":
                    await session.run_async()
                else:
                    seen = [step.index async for step in session.steps()]
                    assert seen[0] == 3
                assert session.record[-1].ended == "arrived"
                assert [step.index for step in session.record] == list(range(len(session.record)))

    asyncio.run(asyncio.wait_for(loop(), BOUND))


def test_another_drag_is_refused_in_the_body_of_an_async_loop():
    async def loop() -> None:
        with endless() as session:
            async for step in session.steps():
                if step.index == 1:
                    with pytest.raises(DragganError, match=f"^{re.escape(HELD)}$"):
                        await session.run_async()
                    break

    asyncio.run(asyncio.wait_for(loop(), BOUND))


def test_an_async_loop_outside_a_task_is_refused_without_noise(recwarn: pytest.WarningsRecorder):
    with opened() as session:
        with pytest.raises(RuntimeError, match="no running event loop"):
            aiter(session.steps())
        gc.collect()
    assert list(recwarn) == []


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
