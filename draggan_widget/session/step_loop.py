"""A session's drag in a loop, by `for` or `async for`, in lock-step with the worker; and one awaited."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError
from draggan_widget.session.controller import Core
from draggan_widget.session.run import Follower

LOOK = 0.05  # seconds after which a worker that waits for the loop looks whether it still should


class Steps:
    """One drag, a step at a time: the worker waits while the loop's body runs.

    Leaving the loop early stops the drag at the step it is at. Stop, undo or another seed, from the widget or from the
    body, end the loop. What stops the drag by an error is raised in it.
    """

    def __init__(self, core: Core):
        self._core = core

    def __iter__(self) -> Iterator[DragStep]:
        steps: queue.SimpleQueue[DragStep | None] = queue.SimpleQueue()
        meeting = Meeting(self._core, steps.put)
        meeting.begin()
        try:
            while (step := steps.get()) is not None:
                meeting.holder = threading.get_ident()
                yield step
                meeting.go_on()
        finally:
            meeting.leave()
            meeting.over.wait()
        meeting.raise_error()

    def __aiter__(self) -> "_AsyncSteps":
        return _AsyncSteps(self._core)


class _AsyncSteps:
    """`async for`: an object of its own, since a loop that is left forgets it at once, but a generator closes later."""

    def __init__(self, core: Core):
        self._begun = False
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[DragStep | None] = asyncio.Queue()
        self._steps = steps
        self._meeting = Meeting(core, lambda step: _tell(loop, lambda: steps.put_nowait(step)))

    def __aiter__(self) -> "_AsyncSteps":
        return self

    async def __anext__(self) -> DragStep:
        if self._begun:
            self._meeting.go_on()
        else:
            self._meeting.begin()
            self._begun = True
        try:
            step = await self._steps.get()
        except BaseException:
            self._meeting.leave()
            raise
        if step is None:
            self._meeting.raise_error()
            raise StopAsyncIteration
        self._meeting.holder = threading.get_ident()
        return step

    def __del__(self) -> None:
        if self._begun:
            self._meeting.leave()


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], object]) -> None:
    """From the worker; a loop that was closed meanwhile has nobody to tell."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(what)


class Meeting(Follower):
    """Where the worker hands a step over and waits until the loop asks for the next.

    Attributes:
        holder: the thread that runs the loop's body, while it does.
        over: set once no more steps come.
    """

    def __init__(self, core: Core, put: Callable[[DragStep | None], object]):
        self._core, self._put = core, put
        self._asked = threading.Event()
        self._error: BaseException | None = None
        self._left = False
        self.holder: int | None = None
        self.over = threading.Event()

    def begin(self) -> None:
        """Drag, or join the drag that runs."""
        if self._core.runner.here:
            raise DragganError("steps waits for the worker and was called on it; loop over it in a cell")
        self._core.begin(None, self)

    def go_on(self) -> None:
        """Ask for the next step."""
        self.holder = None
        self._asked.set()

    def leave(self) -> None:
        """Want no more steps: where the drag goes on, it stops. Idempotent."""
        self._left = True
        self._core.leave(self)
        self.go_on()

    def raise_error(self) -> None:
        """Raise what stopped the drag."""
        if self._error is not None:
            self._core.raise_error()
            raise self._error

    # What a run asks of its followers

    def hand(self, step: DragStep, going: Callable[[], bool]) -> None:
        """Hand a step over, and wait."""
        if self._left:
            return
        self._asked.clear()
        self._put(step)
        while going() and not self._asked.wait(LOOK):
            pass

    def end(self, error: BaseException | None) -> None:
        """No more steps come."""
        self._error = error
        self.over.set()
        self._put(None)

    def holds(self) -> bool:
        """Whether the loop's body runs in the calling thread."""
        return self.holder == threading.get_ident()


class _Awaited(Follower):
    """A task that waits for the end alone."""

    def __init__(self, told: Callable[[], object]):
        self._told = told
        self.error: BaseException | None = None

    def hand(self, step: DragStep, going: Callable[[], bool]) -> None:
        """Let it pass."""

    def end(self, error: BaseException | None) -> None:
        """Wake the task."""
        self.error = error
        self._told()

    def holds(self) -> bool:
        """It never does."""
        return False


async def awaited(core: Core) -> None:
    """Drag and await the end; cancelling the task stops the drag."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    follower = _Awaited(lambda: _tell(loop, ended.set))
    core.begin(None, follower)
    try:
        await ended.wait()
    finally:
        core.leave(follower)
    if follower.error is not None:
        core.raise_error()
