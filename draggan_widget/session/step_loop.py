"""A session's drag in a `for` or `async for` loop, in lock-step with the worker; and a drag awaited as a whole."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError
from draggan_widget.session.controller import Controller
from draggan_widget.session.run import Follower

POLL_SECONDS = 0.05  # time after which a worker that waits for the loop checks whether the drag still runs


class StepLoop:
    """One drag, one step at a time: the worker waits while the loop's body runs.

    Leaving the loop early stops the drag at its current step. Stop, undo or another seed, from the widget or from the
    body, end the loop. An error that stops the drag is raised in the loop.
    """

    def __init__(self, controller: Controller):
        self._controller = controller

    def __iter__(self) -> Iterator[DragStep]:
        steps: queue.SimpleQueue[DragStep | None] = queue.SimpleQueue()
        handoff = StepHandoff(self._controller, steps.put)
        handoff.begin()
        try:
            while (step := steps.get()) is not None:
                handoff.body_thread = threading.get_ident()
                yield step
                handoff.request_next()
        finally:
            handoff.leave()
            handoff.ended.wait()
        handoff.raise_error()

    def __aiter__(self) -> "_AsyncStepLoop":
        return _AsyncStepLoop(self._controller)


class _AsyncStepLoop:
    """The `async for` loop. An object, since a left loop drops it at once; an async generator would close later."""

    def __init__(self, controller: Controller):
        self._begun = False
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[DragStep | None] = asyncio.Queue()
        self._steps = steps
        self._handoff = StepHandoff(controller, lambda step: _call_in(loop, lambda: steps.put_nowait(step)))

    def __aiter__(self) -> "_AsyncStepLoop":
        return self

    async def __anext__(self) -> DragStep:
        if self._begun:
            self._handoff.request_next()
        else:
            self._handoff.begin()
            self._begun = True
        try:
            step = await self._steps.get()
        except BaseException:
            self._handoff.leave()
            raise
        if step is None:
            self._handoff.raise_error()
            raise StopAsyncIteration
        self._handoff.body_thread = threading.get_ident()
        return step

    def __del__(self) -> None:
        if self._begun:
            self._handoff.leave()


def _call_in(loop: asyncio.AbstractEventLoop, job: Callable[[], object]) -> None:
    """Run a job in an event loop, from the worker; a loop that was closed meanwhile takes none."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(job)


class StepHandoff(Follower):
    """Delivers each step to a loop, and blocks the worker until the loop asks for the next one.

    Attributes:
        body_thread: id of the thread that runs the loop's body now, or None.
        ended: set once no more steps come.
    """

    def __init__(self, controller: Controller, put: Callable[[DragStep | None], object]):
        self._controller, self._put = controller, put
        self._next_requested = threading.Event()
        self._error: BaseException | None = None
        self._left = False
        self.body_thread: int | None = None
        self.ended = threading.Event()

    def begin(self) -> None:
        """Start the drag, or join the running one."""
        if self._controller.worker.is_current_thread:
            raise DragganError("steps waits for the worker and was called on it; loop over it in a cell")
        self._controller.begin(None, self)

    def request_next(self) -> None:
        """Ask for the next step."""
        self.body_thread = None
        self._next_requested.set()

    def leave(self) -> None:
        """Take no more steps, and stop the drag where it still runs. Idempotent."""
        self._left = True
        self._controller.stop_for(self)
        self.request_next()

    def raise_error(self) -> None:
        """Raise the error that stopped the drag."""
        if self._error is not None:
            self._controller.raise_error()
            raise self._error

    # What a run asks of its followers

    def deliver(self, step: DragStep, is_running: Callable[[], bool]) -> None:
        """Deliver a step, and wait until the loop asks for the next one."""
        if self._left:
            return
        self._next_requested.clear()
        self._put(step)
        while is_running() and not self._next_requested.wait(POLL_SECONDS):
            pass

    def end(self, error: BaseException | None) -> None:
        """Tell the loop that no more steps come."""
        self._error = error
        self.ended.set()
        self._put(None)

    def is_blocking(self) -> bool:
        """Whether the loop's body runs in the calling thread."""
        return self.body_thread == threading.get_ident()


class _EndWaiter(Follower):
    """A task that waits for the end of a run only."""

    def __init__(self, wake: Callable[[], object]):
        self._wake = wake
        self.error: BaseException | None = None

    def deliver(self, step: DragStep, is_running: Callable[[], bool]) -> None:
        """Ignore the step."""

    def end(self, error: BaseException | None) -> None:
        """Wake the task."""
        self.error = error
        self._wake()

    def is_blocking(self) -> bool:
        """Never: the task waits for the run."""
        return False


async def await_drag(controller: Controller) -> None:
    """Drag and await the end; cancelling the task stops the drag."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    waiter = _EndWaiter(lambda: _call_in(loop, ended.set))
    controller.begin(None, waiter)
    try:
        await ended.wait()
    finally:
        controller.stop_for(waiter)
    if waiter.error is not None:
        controller.raise_error()
