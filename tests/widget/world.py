"""A widget without threads and without real time: a kernel's worker, its lines to the browsers, and their pages.

The session, its controller, `Dispatch`, `Frames` and `Credit` are the real ones. Time passes only while the worker
computes and between events; a message that comes in meanwhile is handled there and then, as on another thread.
"""

import heapq
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any
from unittest.mock import patch

import jaxtyping
from analytic import BlobGenerator

from draggan_widget.session import controller, events
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.session.worker import Job, Worker
from draggan_widget.widget.credit import BLOCKED_SECONDS, IN_FLIGHT, PROBE_SECONDS
from draggan_widget.widget.dispatch import Dispatch
from draggan_widget.widget.frames import Frames
from draggan_widget.widget.kernel import BLOCKED_AFTER

STEP, PICTURE = 0.1, 0.3  # seconds the worker takes for one step, and for one full picture
SIDE = 32  # px
Buffers = Sequence[bytes]


class Times:
    """The clock and everything that is due."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), then))

    def next(self) -> float:
        return self._due[0][0] if self._due else float("inf")

    def go_to(self, moment: float) -> None:
        while self.next() <= moment:
            due, _, then = heapq.heappop(self._due)
            self.now = max(self.now, due)
            then()
        self.now = max(self.now, moment)


class SlowBlob(BlobGenerator):
    """Its work takes time, in which messages come in."""

    def __init__(self, times: Times):
        super().__init__(side=SIDE)
        self._times = times
        self.steps_at: list[float] = []

    def features(self, ws, block, windows=None):
        self._times.go_to(self._times.now + STEP)
        self.steps_at.append(self._times.now)
        return super().features(ws, block, windows)

    def image(self, ws, features=None, cancelled=None):
        self._times.go_to(self._times.now + PICTURE)
        return super().image(ws, features, cancelled)


class HandWorker(Worker):
    """The worker, moved by `run_until`."""

    def __init__(self, times: Times):
        super().__init__("draggan-test")
        self._times = times
        self.jobs: deque[Job] = deque()
        self._rest: tuple[float, Job] | None = None

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def drain(self, going: Callable[[], bool]) -> None:
        while going() and self.jobs:
            self.jobs.popleft()()

    def after_rest(self, seconds: float, job: Job) -> None:
        self._rest = (seconds, job)

    def run_until(self, end: float) -> None:
        while self._times.now < end:
            if self.jobs:
                self.jobs.popleft()()
                continue
            rest_due = float("inf") if self._rest is None else self._times.now + self._rest[0]
            while not self.jobs and self._times.next() <= min(rest_due, end):
                self._times.go_to(self._times.next())
            if self.jobs:
                continue
            self._times.go_to(min(rest_due, end))
            if self._rest is not None and rest_due <= end and not self.jobs:
                (_, job), self._rest = self._rest, None
                job()


@dataclass(frozen=True)
class Fate:
    """What a bad line does with a message."""

    copies: int
    delay: float  # s; between two copies as well


class Line:
    """Loses, doubles, delays and reorders; `heal` makes it a good one."""

    def __init__(self, times: Times, fates: Sequence[Fate]):
        self._times, self._fates = times, cycle(fates)

    def heal(self) -> None:
        self._fates = cycle([Fate(1, 0.001)])

    def put(self, deliver: Callable[[], None]) -> None:
        fate = next(self._fates)
        for copy in range(fate.copies):
            self._times.after(fate.delay * (copy + 1), deliver)


class Kernel:
    """The real kernel side behind lines of its own to and from every browser; it watches its own bounds."""

    def __init__(self, times: Times):
        self._times = times
        self.generator = SlowBlob(times)
        self.session = DragSession(self.generator, ws=self.generator.ws_at(15.0, 15.0))
        self.runner = HandWorker(times)
        controller_of(self.session).worker = self.runner
        self.session.config = self.session.config.replace(learning_rate=1e-4, max_steps=12, lost_factor=1e9)
        self.frames = Frames(self.session, self._tell, self.blocked, lambda jpeg: None, times)
        self.dispatch = Dispatch(self.session, self.frames, self._tell)
        self.faults: list[object] = []
        self.taken = 0  # edits of the pages
        self._stepped: float | None = None
        self.session.subscribe(self._watch)
        self.session.subscribe(self.dispatch.handle)
        self.session.subscribe(self.frames.handle)
        self.browsers: list[tuple[Callable[[dict[str, Any], Buffers], None], Line, Line]] = []
        self._cell: tuple[float, float] = (0.0, 0.0)  # from when to when a cell keeps the main thread
        self._flying: dict[str, dict[int, float]] = {}
        self._asked = 0  # jobs that messages may have asked for since the worker had none

    def connect(self, hear: Callable[[dict[str, Any], Buffers], None], down: Line, up: Line) -> Callable[..., None]:
        self.browsers.append((hear, down, up))
        return lambda content, buffers=(): up.put(lambda: self._receive(content, buffers))

    def run_cell(self, seconds: float) -> None:
        self._cell = (self._times.now, self._times.now + seconds)

    def blocked(self) -> bool:
        began, ends = self._cell
        return began + BLOCKED_AFTER < self._times.now < ends

    def _receive(self, content: dict[str, Any], buffers: Buffers) -> None:
        if self._times.now < self._cell[1]:  # it waits for the cell to end
            self._times.after(self._cell[1] - self._times.now, lambda: self._receive(content, buffers))
            return
        self._note(content)
        self._asked = self._asked + 1 if self.runner.jobs else 1
        own = controller_of(self.session)
        before = own.revision
        self.dispatch.receive(content, buffers)
        if content["type"] == "edit" and own.revision != before:  # taken: it was drawn on what held
            assert content["revision"] == before
            self.taken += 1
        self.check()

    def _watch(self, event: events.Event) -> None:
        """A drag makes its steps at its own speed, whatever becomes of its frames; nothing fails on the worker."""
        if isinstance(event, events.Failed):
            self.faults.append(event.error)
        last, self._stepped = self._stepped, self._times.now if isinstance(event, events.Stepped) else None
        if last is not None and self._stepped is not None and self._stepped - last > STEP + PICTURE + 1e-6:
            self.faults.append(f"{self._stepped - last:.2f} s between two steps")

    def _note(self, content: dict[str, Any]) -> None:
        client, kind = content["client"], content["type"]
        if kind == "hello" or (kind == "shown" and client not in self.frames._credit._clients):
            self._flying[client] = {}
        elif kind == "shown":
            for seq in [seq for seq in self._flying[client] if seq <= content["seq"]]:
                del self._flying[client][seq]

    def _tell(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if content["type"] == "frame":
            self._count_frame(content["seq"])
        for hear, line, _ in self.browsers:
            line.put(lambda hear=hear: hear(content, buffers))
        self.check()

    def _count_frame(self, seq: int) -> None:
        """Without credit no more than the probes: one a second, or four while no credit can be heard."""
        pause = BLOCKED_SECONDS if self.blocked() else PROBE_SECONDS
        for client in self.frames._credit._clients:
            flying = self._flying[client]
            flying[seq] = self._times.now
            assert sum(self._times.now - sent < pause - 1e-6 for sent in flying.values()) <= IN_FLIGHT

    def check(self) -> None:
        """What holds at every moment."""
        frames, credit = self.frames, self.frames._credit
        assert credit.unconfirmed <= IN_FLIGHT
        assert all(len(client.flying) <= client.limit for client in credit._clients.values())
        assert credit.clients <= len(self.browsers)
        assert sum(job == frames._deliver for job in self.runner.jobs) <= 1
        assert len(self.runner.jobs) <= 2 + self._asked


@contextmanager
def no_waiting(times: Times) -> Iterator[None]:
    """Whoever waits on the worker, or asks for the real time, is told so."""

    def wait(*_: object) -> None:
        raise AssertionError("the worker waited")

    clock = types.SimpleNamespace(monotonic=times)
    waits = patch.object(threading.Condition, "wait", wait), patch("time.sleep", wait)
    jaxtyping.config.update("jaxtyping_disable", True)  # thousands of calls; the other tests check the shapes
    try:
        with waits[0], waits[1], patch.object(controller, "time", clock):
            yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
