"""The kernel side of the widget without threads and without real time.

The session, its controller, `Dispatch`, `Frames` and `Credit` are the real ones. Time passes only while the worker
computes and between events; a message that arrives meanwhile is handled at that moment, as on another thread. Times are
whole milliseconds, so that two runs of the same events are the same run.
"""

import heapq
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

import jaxtyping
from analytic import BlobGenerator

from draggan_widget.engine.edit import Edit
from draggan_widget.session import controller, events
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.session.worker import Job, Worker
from draggan_widget.widget.credit import BLOCKED_SECONDS, IN_FLIGHT, PROBE_SECONDS
from draggan_widget.widget.dispatch import Dispatch
from draggan_widget.widget.frames import Frames
from draggan_widget.widget.kernel import BLOCKED_AFTER

STEP, PICTURE = 100, 300  # ms the worker takes for one step, and for one full picture
SIDE = 32  # px
NEVER = 2**62  # ms
Buffers = Sequence[bytes]


class Times:
    """The clock, and what falls due."""

    def __init__(self) -> None:
        self.ms = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def __call__(self) -> float:
        """Seconds."""
        return self.ms / 1000

    def at(self, ms: int, then: Callable[[], None]) -> None:
        heapq.heappush(self._due, (max(ms, self.ms), next(self._order), then))

    def next(self) -> int:
        return self._due[0][0] if self._due else NEVER

    def last(self) -> int:
        """When the last of what is known now falls due."""
        return max(due for due, _, _ in self._due)

    def go_to(self, ms: int) -> None:
        while self.next() <= ms:
            due, _, then = heapq.heappop(self._due)
            self.ms = max(self.ms, due)
            then()
        self.ms = max(self.ms, ms)


class SlowBlob(BlobGenerator):
    """Its work takes time, in which messages arrive."""

    def __init__(self, times: Times):
        super().__init__(side=SIDE)
        self._times = times
        self.broken = False

    def features(self, ws, block, windows=None):
        self._times.go_to(self._times.ms + STEP)
        if self.broken:
            raise RuntimeError("out of memory")
        return super().features(ws, block, windows)

    def image(self, ws, features=None, cancelled=None):
        self._times.go_to(self._times.ms + PICTURE)
        return super().image(ws, features, cancelled)


class HandWorker(Worker):
    """The worker, moved by `run_until`."""

    def __init__(self, times: Times):
        super().__init__("draggan-test")
        self._times = times
        self.jobs: deque[Job] = deque()
        self._rest: tuple[int, Job] | None = None
        self._idle_since = 0

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def drain(self, going: Callable[[], bool]) -> None:
        while going() and self.jobs:
            self.jobs.popleft()()

    def after_rest(self, seconds: float, job: Job) -> None:
        self._rest = (round(seconds * 1000), job)

    def run_until(self, end: int) -> None:
        while self._times.ms < end:
            if self.jobs:
                self._perform(self.jobs.popleft())
                continue
            rest_due = NEVER if self._rest is None else self._idle_since + self._rest[0]
            moment = min(self._times.next(), rest_due, end)
            self._times.go_to(moment)
            if self._rest is not None and rest_due <= moment and not self.jobs:
                (_, job), self._rest = self._rest, None
                self._perform(job)

    def _perform(self, job: Job) -> None:
        job()
        self._idle_since = self._times.ms


class Kernel:
    """The real kernel side; it watches its own bounds."""

    def __init__(self, times: Times, tell: Callable[[dict[str, Any], list[bytes]], None]):
        """Open a session on a slow generator and watch it.

        Args:
            times: the clock.
            tell: takes each message to the browsers.
        """
        self._times, self._tell_browsers = times, tell
        self.generator = SlowBlob(times)
        self.session = DragSession(self.generator, ws=self.generator.ws_at(15.0, 15.0))
        self.worker = HandWorker(times)
        controller_of(self.session).worker = self.worker
        self.session.config = self.session.config.replace(learning_rate=4e-3, max_steps=12, lost_factor=1e9)
        self.frames = Frames(self.session, self._tell, self.blocked, lambda jpeg: None, times)
        self.dispatch = Dispatch(self.session, self.frames, self._tell)
        self.faults: list[object] = []  # what failed on the worker, and steps that came late
        self._stepped: int | None = None
        self.session.subscribe(self._watch)
        self.session.subscribe(self.dispatch.handle)
        self.session.subscribe(self.frames.handle)
        self._cell = (0, 0)  # ms from and until which a cell keeps the main thread
        self._flying: dict[str, dict[int, int]] = {}  # client -> frame -> ms when it was sent
        self._asked = 0  # jobs that messages may have asked for since the worker had none

    @property
    def deaf_until(self) -> int:
        """Until when no message can be read, in ms: a cell keeps the main thread."""
        return self._cell[1]

    def blocked(self) -> bool:
        began, ends = self._cell
        return began + BLOCKED_AFTER * 1000 < self._times.ms < ends

    def perform(self, act: dict[str, Any]) -> None:
        """What Python does, one key each.

        A cell in ms, an edit, an undo, a seed, a step of the record, or a generator that breaks.
        """
        match act:
            case {"cell": int(ms)}:
                self._cell = (self._times.ms, self._times.ms + ms)
            case {"edit": [handle, target]}:
                self.session.edit = Edit([tuple(handle)], [tuple(target)], self.session.edit.mask)
            case {"undo": True}:
                self.session.undo()
            case {"seed": int(seed)}:
                self.session.new_seed(seed)
            case {"go_to": int(position)}:
                self.session.go_to(position)
            case {"break": bool(broken)}:
                self.generator.broken = broken
            case _:
                raise ValueError(f"act is {act!r}; expected cell, edit, undo, seed, go_to or break")

    def receive(self, content: dict[str, Any], buffers: Buffers) -> None:
        self._note(content)
        self._asked = self._asked + 1 if self.worker.jobs else 1
        own = controller_of(self.session)
        before = own.revision
        self.dispatch.receive(content, buffers)
        if content["type"] == "edit" and own.revision != before:  # accepted
            assert content["revision"] == before, "an edit was accepted that was drawn on another revision"
        self.check()

    def _watch(self, event: events.Event) -> None:
        """A drag makes its steps at its own speed, whatever becomes of its frames; nothing fails on the worker."""
        if isinstance(event, events.Failed):
            self.faults.append(event.error)
        last, self._stepped = self._stepped, self._times.ms if isinstance(event, events.Stepped) else None
        if last is not None and self._stepped is not None and self._stepped - last > STEP + PICTURE:
            self.faults.append(f"{self._stepped - last} ms between two steps")

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
        self._tell_browsers(content, buffers)
        self.check()

    def _count_frame(self, seq: int) -> None:
        """Without credit no more than the probes: one a second, or four while no credit can be heard."""
        pause = 1000 * (BLOCKED_SECONDS if self.blocked() else PROBE_SECONDS)
        for client in self.frames._credit._clients:
            flying = self._flying[client]
            flying[seq] = self._times.ms
            assert sum(self._times.ms - sent < pause for sent in flying.values()) <= IN_FLIGHT

    def check(self) -> None:
        """Check what is true at every moment."""
        frames, credit = self.frames, self.frames._credit
        assert credit.unconfirmed <= IN_FLIGHT
        assert all(len(client.flying) <= client.limit for client in credit._clients.values())
        assert credit.clients <= len(self._flying)
        assert sum(job == frames._deliver for job in self.worker.jobs) <= 1
        assert len(self.worker.jobs) <= 2 + self._asked


@contextmanager
def no_waiting(times: Times) -> Iterator[None]:
    """In the calling thread, waiting on the worker, or asking for the real time, fails.

    Other threads, such as tqdm's monitor, wait as ever.
    """
    own = threading.current_thread()

    def unless_own(wait: Callable[..., Any]) -> Callable[..., Any]:
        def check(*arguments: Any, **options: Any) -> Any:
            assert threading.current_thread() is not own, "the worker waited"
            return wait(*arguments, **options)

        return check

    clock = types.SimpleNamespace(monotonic=times)
    waits = (
        patch.object(threading.Condition, "wait", unless_own(threading.Condition.wait)),
        patch("time.sleep", unless_own(time.sleep)),
    )
    jaxtyping.config.update("jaxtyping_disable", True)  # thousands of calls; the other tests check the shapes
    try:
        with waits[0], waits[1], patch.object(controller, "time", clock):
            yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
