"""A session's drag in a loop, by `for` or `async for`, in lock-step with the worker."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError
from draggan_widget.session import events

if TYPE_CHECKING:
    from draggan_widget.session.session import DragSession

LOOK = 0.05  # seconds after which a worker that waits for the loop looks whether it still should


class Steps:
    """One drag, a step at a time: the worker waits while the loop's body runs.

    Leaving the loop early stops the drag at the step it is at. Stop, undo or another seed, from the widget or from the
    body, end the loop. What stops the drag by an error is raised in it.
    """

    def __init__(self, session: "DragSession"):
        self._session = session

    def __iter__(self) -> Iterator[DragStep]:
        steps: queue.SimpleQueue[DragStep | None] = queue.SimpleQueue()
        meeting = _Meeting(self._session, steps.put)
        meeting.go_on()
        try:
            while (step := steps.get()) is not None:
                yield step
                meeting.go_on()
        finally:
            meeting.leave()
            self._session.wait()  # also raises what stopped the drag

    def __aiter__(self) -> "_AsyncSteps":
        return _AsyncSteps(self._session)


class _AsyncSteps:
    """`async for`: an object of its own, since a loop that is left forgets it at once, but a generator closes later."""

    def __init__(self, session: "DragSession"):
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[DragStep | None] = asyncio.Queue()
        self._session, self._steps = session, steps
        self._meeting = _Meeting(session, lambda step: loop.call_soon_threadsafe(steps.put_nowait, step))

    def __aiter__(self) -> "_AsyncSteps":
        return self

    async def __anext__(self) -> DragStep:
        try:
            self._meeting.go_on()
            step = await self._steps.get()
        except BaseException:
            self._meeting.leave()
            raise
        if step is None:
            self._meeting.leave()
            self._session.wait()
            raise StopAsyncIteration
        return step

    def __del__(self) -> None:
        self._meeting.leave()


class _Meeting:
    """Where the worker hands a step over and waits until the loop asks for the next."""

    def __init__(self, session: "DragSession", put: Callable[[DragStep | None], object]):
        self._session, self._put = session, put
        self._asked = threading.Event()
        self._unsubscribe: Callable[[], None] | None = None

    def go_on(self) -> None:
        """Ask for the next step; the first time, begin."""
        if self._unsubscribe is None:
            self._begin()
        self._asked.set()

    def _begin(self) -> None:
        if self._session.runner.here:
            raise DragganError("steps waits for the worker and was called on it; loop over it in a cell")
        self._unsubscribe = self._session.subscribe(self._handle)
        self._session.begin()

    def leave(self) -> None:
        """Listen no more; where the drag goes on, stop it. Idempotent."""
        if self._unsubscribe is not None:
            self._session.stop()
            self._unsubscribe()
            self._unsubscribe = lambda: None
        self._asked.set()

    def _handle(self, event: events.Event) -> None:
        if isinstance(event, events.Stepped):
            self._asked.clear()
            self._put(event.step)
            while self._session.pulling and not self._asked.wait(LOOK):
                pass
        elif isinstance(event, (events.Ended, events.Failed, events.StateChanged)):
            self._put(None)
