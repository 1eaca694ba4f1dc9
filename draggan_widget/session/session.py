"""`DragSession`: generator, latent, edit and record, dragged by a worker thread; needs no widget."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.ending import ADVICE
from draggan_widget.engine.loop import drag
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.errors import ConfigError, DragganError, EditError
from draggan_widget.generators.generator import FeatureMap, Generator
from draggan_widget.generators.load import load_generator
from draggan_widget.geometry import Point
from draggan_widget.session import events
from draggan_widget.session.history import History, Snapshot
from draggan_widget.session.run import Run
from draggan_widget.session.runner import Runner
from draggan_widget.session.state import about, latent_state, resting_step, seed_state

STOPPED = "Stopped. Start goes on from here."


class DragSession:
    """Drag points of a generated picture from Python; every step is kept in `record`."""

    def __init__(
        self,
        generator: Generator | str | Path,
        seed: int = 0,
        *,
        ws: Float[Tensor, "..."] | np.ndarray | None = None,
        truncation_psi: float = 0.7,
        config: DragConfig | None = None,
    ):
        """Open a session.

        Args:
            generator: a `Generator`, or a name or path for `load_generator`.
            seed: of the start latent, as in the official tools.
            ws: a start latent of its own, (num_ws, w_dim) or (1, num_ws, w_dim); `seed` is then ignored.
            truncation_psi: of the start latent; official 0.7.
            config: settings of the drags; None takes `DragConfig.for_generator`.

        Raises:
            CheckpointError: the generator cannot be loaded.
            ConfigError: seed, latent or settings do not fit it.
        """
        self.generator = load_generator(generator)
        self._config = DragConfig.for_generator(self.generator)
        if ws is None:
            self._state = seed_state(self.generator, seed, truncation_psi)
        else:
            self._state = latent_state(self.generator, ws, truncation_psi)
        self._lock = threading.RLock()
        self._idle = threading.Event()
        self._idle.set()
        self._listeners: list[Callable[[events.Event], None]] = []
        self._callbacks: list[Callable[[DragStep], object]] = []
        self._history = History()
        self._run: Run | None = None
        self._paused: Run | None = None
        self.runner = Runner("draggan-drag")
        self.revision = 0
        self.last_error: Exception | None = None
        self.record = self._new_record()
        if config is not None:
            self.config = config

    # What it holds

    @property
    def config(self) -> DragConfig:
        """Settings of the next drag; a drag under way keeps its own."""
        return self._config

    @config.setter
    def config(self, config: DragConfig) -> None:
        if not isinstance(config, DragConfig):
            raise ConfigError(f"config is a {type(config).__name__}; expected a DragConfig")
        self.generator.block_size(config.block)
        with self._lock:
            self._config, self._paused = config, None
            self.record.about = about(self.generator, config, self._state)

    @property
    def edit(self) -> Edit:
        """Handle points, target points and mask; setting it takes effect at the next step."""
        return self._state.edit

    @edit.setter
    def edit(self, edit: Edit) -> None:
        self.change_edit(edit)

    @property
    def ws(self) -> Float[Tensor, "1 num_ws w_dim"]:
        """The current latent."""
        return self._state.step.ws

    @property
    def current(self) -> DragStep:
        """The newest step, or the state at rest before any."""
        return self._state.step

    def now(self) -> tuple[DragStep, int]:
        """The newest step and the revision of the edit it stands under, taken together."""
        with self._lock:
            return self._state.step, self.revision

    @property
    def handles(self) -> tuple[Point, ...]:
        """The tracked handles, (x, y) in image px."""
        return self._state.step.handles

    @property
    def seed(self) -> int | None:
        """Of the start latent; None when it was given."""
        return self._state.seed

    @property
    def truncation_psi(self) -> float:
        """Of the start latent."""
        return self._state.truncation_psi

    @property
    def status(self) -> str:
        """What the session is doing: "idle", "running" or "closed"."""
        if self.runner.closed:
            return "closed"
        return "idle" if self._idle.is_set() else "running"

    @property
    def can_undo(self) -> bool:
        """Whether `undo` would change anything."""
        return self._history.can_undo

    def picture(self) -> Image.Image:
        """The picture as it is now."""
        return self._state.step.picture()

    def features(self, block: int | None = None) -> FeatureMap:
        """The whole feature map of a block (None: the supervised one) at the current step."""
        return self._state.step.features(self._config.block if block is None else block)

    def __repr__(self) -> str:
        start = "a given latent" if self.seed is None else f"seed {self.seed}"
        counts = f"{len(self.edit)} points, {len(self.record)} steps"
        return f"DragSession({self.generator.name}, {start}, {counts}, {self.status})"

    # Changing what is asked for

    def change_edit(self, edit: Edit, drawn_on: int | None = None, tell: bool = True) -> int:
        """Take a new edit.

        Args:
            edit: the whole edit.
            drawn_on: the revision it was made from; None: whatever is current.
            tell: whether subscribers hear of it.

        Returns:
            The new revision.

        Raises:
            EditError: it does not fit the picture, or was drawn on a revision that is no longer current.
        """
        if not isinstance(edit, Edit):
            raise EditError(f"edit is a {type(edit).__name__}; expected an Edit")
        edit.check(self.generator.image_size)
        with self._lock:
            self._open()
            if drawn_on is not None and drawn_on != self.revision:
                raise EditError(
                    f"the points changed meanwhile (revision {self.revision}, not {drawn_on}); draw it again"
                )
            self._history.push(self._state)
            self._state = dataclasses.replace(self._state, edit=edit, step=_with_edit(self._state.step, edit))
            self.revision += 1
            if self._run is not None:
                self._run.edit = edit
                self._run.stop = self._run.stop or len(edit) == 0
            revision = self.revision
        if tell:
            self._tell(events.EditChanged(revision))
        return revision

    # Dragging

    def start(self) -> None:
        """Drag in the background until every handle arrived, the cap is reached or `stop` is called."""
        self.begin(None)

    def begin(self, limit: int | None = None) -> None:
        """Start, but make at most `limit` steps; does not wait."""
        with self._lock:
            self._open()
            if self._run is not None:
                return
            if len(self.edit) == 0:
                raise EditError(
                    "there are no points to drag; press on the picture, drag and let go, or set session.edit"
                )
            self._history.push(self._state)
            self.last_error = None
            run = self._paused or self._new_run()
            run.go_on(limit, self.edit)
            self._run, self._paused = run, None
            self._idle.clear()
        self.runner.submit(lambda: self._drive(run))

    def stop(self) -> None:
        """End the drag after the step under way; `start` goes on from there."""
        with self._lock:
            if self._run is not None:
                self._run.stop = True

    def step(self, n: int = 1) -> DragStep:
        """Make `n` steps, wait for them and return the last."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ConfigError(f"n is {n!r}; expected a whole number of steps, at least 1")
        self.begin(n)
        self.wait()
        return self.current

    def run(self) -> DragRecord:
        """Drag and wait for the end; interrupting the cell stops the drag."""
        self.begin(None)
        self.wait()
        return self.record

    async def run_async(self) -> DragRecord:
        """Drag and await the end: Stop works meanwhile, and cancelling the task stops the drag."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def listen(event: events.Event) -> None:
            if isinstance(event, (events.Ended, events.Failed, events.StateChanged)):
                loop.call_soon_threadsafe(ended.set)

        unsubscribe = self.subscribe(listen)
        try:
            self.begin(None)
            await ended.wait()
        finally:
            unsubscribe()
            self.stop()
        self._raise_error()
        return self.record

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no drag runs; False when `timeout` (seconds) passed first. Interrupting stops the drag."""
        if self.runner.here:
            raise DragganError("wait, run and step wait for the worker and were called on it; call them in a cell")
        try:
            finished = self._idle.wait(timeout)
        except KeyboardInterrupt:
            self.stop()
            self._idle.wait()
            return True
        if finished:
            self._raise_error()
        return finished

    def undo(self) -> bool:
        """Back to before the last change of points, drag, reset or seed; False when there is none."""
        return self._go(lambda: self._history.undo(self._state))

    def reset(self) -> None:
        """Back to the start latent; the points stay."""
        with self._lock:
            self._open()
            self._history.push(self._state)
            edit = self._state.edit
            step = resting_step(self.generator, self._state.origin, edit)
            state = dataclasses.replace(self._state, step=step, steps=())
        self._go(lambda: state)

    def new_seed(self, seed: int | None = None, truncation_psi: float | None = None) -> int:
        """Another start latent; points and mask go. Returns the seed (None: the next one)."""
        with self._lock:
            self._open()
            wanted = ((self.seed if self.seed is not None else -1) + 1) % 2**32 if seed is None else seed
            psi = self.truncation_psi if truncation_psi is None else truncation_psi
            state = seed_state(self.generator, wanted, psi)
            self._history.push(self._state)
        self._go(lambda: state)
        return wanted

    # Listening

    def on_step(self, callback: Callable[[DragStep], object]) -> Callable[[], None]:
        """Call `callback(step)` on the worker after every step; its exception stops the drag. Returns its removal."""
        self._callbacks.append(callback)
        return lambda: _discard(self._callbacks, callback)

    def subscribe(self, listener: Callable[[events.Event], None]) -> Callable[[], None]:
        """Tell `listener` every event, on the thread where it happened. Returns its removal."""
        self._listeners.append(listener)
        return lambda: _discard(self._listeners, listener)

    def close(self) -> None:
        """End the worker and let the device memory go. Idempotent."""
        with self._lock:
            if self._run is not None:
                self._run.stop = True
        self.runner.close()
        with self._lock:
            left, self._run, self._paused = self._run, None, None
            self._state.step.current.clear()
            self._idle.set()
        if left is not None:  # the worker did not come to it
            self._tell(events.Ended("stopped", STOPPED, self.current))

    def __enter__(self) -> "DragSession":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Inside

    def _open(self) -> None:
        if self.runner.closed:
            raise DragganError("this session is closed; expected an open one; make a new DragSession")

    def _new_record(self) -> DragRecord:
        return DragRecord(about(self.generator, self._config, self._state), list(self._state.steps))

    def _tell(self, event: events.Event) -> None:
        for listener in list(self._listeners):
            listener(event)

    def _raise_error(self) -> None:
        if self.last_error is not None:
            raise self.last_error

    def _go(self, find: Callable[[], Snapshot | None]) -> bool:
        """Leave any drag behind and rest in another state."""
        with self._lock:
            self._open()
            state = find()
            if state is None:
                return False
            interrupted = self._run is not None
            self._state, self._run, self._paused = state, None, None
            self.revision += 1
            self.record = self._new_record()
            self.last_error = None
            self._idle.set()
            revision = self.revision
        if interrupted:
            self._tell(events.Ended("stopped", STOPPED, state.step))
        self._tell(events.StateChanged(revision))
        return True

    def _new_run(self) -> Run:
        step, edit = self._state.step, self._state.edit
        return Run(drag(self.generator, step.ws, edit, self._config, resume=step.references), edit)

    def _drive(self, run: Run) -> None:
        """On the worker: pull steps until the run ends or was left behind."""
        if self._run is not run:
            return
        try:
            self._tell(events.Started())
            while self._run is run:
                step = run.next_step()
                if not self._publish(run, step):
                    return
                self.runner.drain(lambda: self._run is run)
                if run.over(step) or self.runner.closed:
                    self._finish(run, step)
                    return
        except Exception as error:  # noqa: BLE001 - whatever a generator or a callback raises is shown, not lost
            self._fail(run, error)

    def _publish(self, run: Run, step: DragStep) -> bool:
        with self._lock:
            if self._run is not run:
                return False
            self.record.append(step)
            seen = step if step.edit is self._state.edit else _with_edit(step, self._state.edit)
            self._state = dataclasses.replace(self._state, step=seen, steps=tuple(self.record.steps))
        for callback in list(self._callbacks):
            callback(step)
        self._tell(events.Stepped(step))
        return True

    def _finish(self, run: Run, step: DragStep) -> None:
        with self._lock:
            if self._run is not run:
                return
            self._run = None
            self._paused = run if step.ended is None else None
            self._idle.set()
        reason = step.ended or "stopped"
        self._tell(events.Ended(reason, ADVICE.get(reason, STOPPED), step))

    def _fail(self, run: Run, error: Exception) -> None:
        with self._lock:
            if self._run is not run:
                return
            self._run, self._paused, self.last_error = None, None, error
            self._idle.set()
        self._tell(events.Failed(error))


def _with_edit(step: DragStep, edit: Edit) -> DragStep:
    """The step as it stands under another edit: known points keep their tracked handles, new ones stand where put."""
    left = list(zip(step.edit.handles, step.handles, step.tracking_error, strict=True))
    handles, errors = [], []
    for handle in edit.handles:
        known = next((entry for entry in left if entry[0] == handle), None)
        if known is not None:
            left.remove(known)
        handles.append(handle if known is None else known[1])
        errors.append(0.0 if known is None else known[2])
    return dataclasses.replace(step, edit=edit, handles=tuple(handles), tracking_error=tuple(errors))


def _discard(entries: list[Any], entry: Any) -> None:
    if entry in entries:
        entries.remove(entry)
