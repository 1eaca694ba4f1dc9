"""The interrupt button, and awaiting a drag."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from session.helpers import BOUND, FailingBlob, Gate, endless, opened, until

from draggan_widget.errors import EditError
from draggan_widget.session.session import DragSession, controller_of


def interrupt_soon(session: DragSession) -> threading.Thread:
    """Send SIGINT to the main thread once the drag is well under way."""

    def press() -> None:
        until(lambda: len(session.record) > 20, "a drag well under way")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def test_interrupting_run_stops_the_drag_and_gives_the_record():
    with endless() as session:
        pressing = interrupt_soon(session)
        record = session.run()
        pressing.join(BOUND)
        assert session.status == "idle"
        assert record is session.record
        assert len(record) > 20
        assert record[-1].ended is None
        assert session.step().index == len(record) - 1


def test_interrupting_wait_stops_the_drag():
    with endless() as session:
        session.start()
        pressing = interrupt_soon(session)
        assert session.wait() is True
        pressing.join(BOUND)
        assert session.status == "idle"


def test_awaiting_a_drag_gives_its_record():
    async def cell(session: DragSession):
        return await session.run_async()

    with opened() as session:
        record = asyncio.run(cell(session))
        assert record is session.record
        assert record[-1].ended == "arrived"


def test_an_awaited_drag_can_be_stopped_from_the_loop():
    async def cell(session: DragSession) -> bool:
        task = asyncio.create_task(session.run_async())
        while len(session.record) < 3:
            await asyncio.sleep(0.005)
        session.stop()
        return bool(await asyncio.wait_for(task, BOUND))

    with endless() as session:
        assert asyncio.run(cell(session))
        assert session.status == "idle"


def test_cancelling_an_awaited_drag_stops_it():
    async def cell(session: DragSession) -> None:
        task = asyncio.create_task(session.run_async())
        while len(session.record) < 3:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with endless() as session:
        asyncio.run(cell(session))
        assert session.wait(BOUND)
        assert controller_of(session).listeners == []


@pytest.mark.parametrize("leave", [DragSession.undo, DragSession.reset, DragSession.new_seed, DragSession.close])
def test_an_awaited_drag_returns_when_it_is_left_behind(leave):
    async def cell(session: DragSession) -> None:
        task = asyncio.create_task(session.run_async())
        while len(session.record) < 3:
            await asyncio.sleep(0.005)
        await asyncio.to_thread(leave, session)
        await asyncio.wait_for(task, BOUND)

    with endless() as session:
        asyncio.run(cell(session))


def test_an_awaited_drag_returns_when_closing_came_before_its_first_step():
    async def cell(session: DragSession) -> None:
        gate = threading.Event()
        controller_of(session).worker.submit(lambda: gate.wait(BOUND))
        task = asyncio.create_task(session.run_async())
        await asyncio.sleep(0.005)
        assert session.status == "running"
        closing = asyncio.create_task(asyncio.to_thread(session.close))
        while session.status != "closed":
            await asyncio.sleep(0.005)
        gate.set()
        await asyncio.wait_for(asyncio.gather(task, closing), BOUND)

    session = endless()
    asyncio.run(cell(session))


def test_an_awaited_drag_raises_what_stopped_it():
    async def cell(session: DragSession) -> None:
        await session.run_async()

    with opened(FailingBlob(at=3)) as session, pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
        asyncio.run(cell(session))


def test_awaiting_a_drag_without_points_is_refused():
    async def cell(session: DragSession) -> None:
        await session.run_async()

    with opened() as session:
        session.undo()
        with pytest.raises(EditError, match=r"^there are no points to drag; "):
            asyncio.run(cell(session))
        assert controller_of(session).listeners == []


def test_awaiting_joins_a_drag_under_way():
    gate = Gate()

    async def cell(session: DragSession) -> None:
        task = asyncio.create_task(session.run_async())
        await asyncio.sleep(0.005)
        gate.open()
        await asyncio.wait_for(task, BOUND)

    with opened() as session:
        session.on_step(gate)
        session.start()
        gate.reached()
        asyncio.run(cell(session))
        assert session.record.starts == [0]


@pytest.mark.slow
@pytest.mark.parametrize("going", ["session.run()", "session.start()"])
def test_a_script_that_ends_without_closing_ends_cleanly(going: str):
    """Idle or in the middle of a drag; a thread cut off inside torch would abort the process."""
    script = (
        "from analytic import BlobGenerator; from draggan_widget import DragConfig, DragSession, Edit\n"
        "G = BlobGenerator(side=256)\n"
        "session = DragSession(G); session.edit = Edit([(100, 100)], [(160, 120)])\n"
        f"{going}; print('done')\n"
    )
    tests = str(Path(__file__).resolve().parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": tests},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")
