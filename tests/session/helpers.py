"""What the tests of the session share: generators that misbehave on purpose, and waiting with a bound."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from analytic import BlobGenerator

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.geometry import Point
from draggan_widget.session import events
from draggan_widget.session.session import DragSession

BOUND = 60.0  # seconds a condition may take on a busy machine


def edit_of(handles: Sequence[Point], targets: Sequence[Point]) -> Edit:
    return Edit(tuple(handles), tuple(targets))


EDIT = edit_of([(31.0, 31.0)], [(44.0, 36.0)])
OTHER = edit_of([(31.0, 31.0)], [(20.0, 40.0)])


def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait for a condition, with a bound."""
    deadline = time.monotonic() + BOUND
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {BOUND} s for {what}"
        pause.wait(0.002)


def opened(generator: BlobGenerator | None = None, edit: Edit = EDIT, **changes: object) -> DragSession:
    """A session at the middle of the picture."""
    generator = generator or BlobGenerator()
    session = DragSession(generator, ws=generator.ws_at(31.0, 31.0))
    session.config = session.config.replace(**changes)
    session.edit = edit
    return session


def endless(generator: BlobGenerator | None = None, edit: Edit = EDIT) -> DragSession:
    """A session whose drag hardly moves and so never ends by itself."""
    return opened(generator, edit, learning_rate=1e-7, max_steps=10**6, stall_steps=10**6)


@contextmanager
def running(session: DragSession) -> Iterator[DragSession]:
    """Start the drag, wait for its first steps, and close the session at the end."""
    with session:
        session.start()
        until(lambda: len(session.record) > 2, "the first steps")
        yield session


def config_of(**changes: object) -> DragConfig:
    return DragConfig.for_generator(BlobGenerator()).replace(**changes)


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "draggan-drag"]


class Gate:
    """A step callback that holds the worker after every step until the test lets it pass."""

    def __init__(self) -> None:
        self._reached, self._passes = threading.Semaphore(0), threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, step: DragStep) -> None:
        self._reached.release()
        while not self._open.is_set() and not self._passes.acquire(timeout=0.01):
            continue

    def reached(self) -> None:
        """Wait until the worker stands at the gate."""
        assert self._reached.acquire(timeout=BOUND), "no step came to the gate"

    def pass_one(self) -> None:
        self._passes.release()

    def open(self) -> None:
        self._open.set()


class FailingBlob(BlobGenerator):
    """Its synthesis breaks at the given call."""

    def __init__(self, at: int):
        super().__init__()
        self._at = at

    def features(self, ws, block, windows=None):
        if self.calls + 1 == self._at:
            self._at = -1
            raise RuntimeError("the synthesis broke")
        return super().features(ws, block, windows)


class Listener:
    """Keeps every event."""

    def __init__(self, session: DragSession):
        self.events: list[events.Event] = []
        session.subscribe(self.events.append)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def wait_for(self, kind: type, count: int = 1) -> events.Event:
        until(lambda: len(self.of(kind)) >= count, f"{count} x {kind.__name__}")
        return self.of(kind)[count - 1]

    def of(self, kind: type) -> list[events.Event]:
        return [event for event in self.events if isinstance(event, kind)]


def same(one: DragRecord, other: DragRecord) -> bool:
    """Whether two records hold the same latents and handles, bit for bit."""
    return np.array_equal(one.ws, other.ws) and np.array_equal(one.handles, other.handles)
