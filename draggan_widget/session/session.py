"""`DragSession`: generator, latent, edit and record, dragged by a worker thread; needs no widget."""

import dataclasses
import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from draggan_widget.counts import counted
from draggan_widget.engine.config import DragConfig, checked_config, python_scalar
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.keep import Keep, checked_keep
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError, DragganError, EditError
from draggan_widget.export.frames import make_frames
from draggan_widget.export.writing import file_place
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import load_generator
from draggan_widget.geometry import Point
from draggan_widget.session import events, saved
from draggan_widget.session.controller import Controller
from draggan_widget.session.history import Snapshot
from draggan_widget.session.snapshots import initial_step, latent_state, seed_state, with_edit
from draggan_widget.session.step_loop import StepLoop, await_drag


class DragSession:
    """Drag points of a generated picture from Python; every step is kept in `record`.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> with DragSession("heads", seed=3) as session:
        ...     session.edit = Edit(handles=[(64, 70)], targets=[(72, 70)])
        ...     session.step(2).index
        2
    """

    def __init__(
        self,
        generator: Generator | nn.Module | str | Path,
        seed: int = 0,
        *,
        ws: Float[Tensor, "..."] | np.ndarray | None = None,
        truncation_psi: float = 0.7,
        label: int | None = None,
        config: DragConfig | None = None,
        keep: Keep | None = None,
    ):
        """Open a session.

        Args:
            generator: a `Generator`, or what `load_generator` takes: a name, a path, a live `G`.
            seed: seed of the start latent, as in the official tools.
            ws: start latent, (num_ws, w_dim) or (1, num_ws, w_dim), or one row for all, (w_dim,), (1, w_dim) or
                (1, 1, w_dim); `seed` is then ignored.
            truncation_psi: truncation of the start latent; official 0.7.
            label: class of a conditional generator, 0 .. c_dim - 1.
            config: settings of the drags; None takes `DragConfig.for_generator`.
            keep: feature maps and pictures that the record keeps beside every latent; None keeps none.

        Raises:
            CheckpointError: the generator cannot be loaded.
            ConfigError: seed, latent, label or settings do not fit the generator.
        """
        loaded = load_generator(generator)
        checked = DragConfig.for_generator(loaded) if config is None else checked_config(config, loaded)
        if ws is None:
            state = seed_state(loaded, seed, truncation_psi, label)
        else:
            state = latent_state(loaded, ws, truncation_psi)
        self._controller = Controller(loaded, checked, state, checked_keep(keep, loaded))

    def __setattr__(self, name: str, value: object) -> None:
        known = [entry for entry in dir(type(self)) if not entry.startswith("_")]
        if name not in ("_controller", *known):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AttributeError(f"a DragSession has no attribute {name!r}{hint}")
        super().__setattr__(name, value)

    # Settings and edit

    @property
    def config(self) -> DragConfig:
        """Settings of the next drag; a running drag keeps the settings it began with."""
        return self._controller.config

    @config.setter
    def config(self, config: DragConfig) -> None:
        self._controller.configure(checked_config(config, self.generator))

    @property
    def edit(self) -> Edit:
        """Handle points, target points and mask; setting it takes effect at the next step."""
        return self._controller.state.edit

    @edit.setter
    def edit(self, edit: Edit) -> None:
        if not isinstance(edit, Edit):
            raise EditError(f"edit is of type {type(edit).__name__}; expected an Edit")
        self._controller.change_edit(edit)

    @property
    def seed(self) -> int | None:
        """Seed of the start latent; None when the latent was given. Setting it does what `new_seed` does."""
        return self._controller.state.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self.new_seed(seed)

    @property
    def truncation_psi(self) -> float:
        """Truncation of the start latent. Setting it maps the same seed again, as `new_seed` does."""
        return self._controller.state.truncation_psi

    @truncation_psi.setter
    def truncation_psi(self, truncation_psi: float) -> None:
        if self.seed is None:
            raise ConfigError("truncation_psi belongs to a seed and this latent was given; set session.seed first")
        self.new_seed(self.seed, truncation_psi)

    # What the session holds

    @property
    def generator(self) -> Generator:
        """The generator that draws the pictures."""
        return self._controller.generator

    @property
    def label(self) -> int | None:
        """Class of a conditional generator, or None."""
        return self._controller.state.label

    @property
    def record(self) -> DragRecord:
        """Every step from the start latent to the current one, along the current branch."""
        return self._controller.record

    @property
    def current(self) -> DragStep:
        """The newest step; before the first one, the start."""
        return self._controller.state.step

    @property
    def ws(self) -> Float[Tensor, "1 num_ws w_dim"]:
        """The current latent."""
        return self.current.ws

    @property
    def handles(self) -> tuple[Point, ...]:
        """The tracked handles, (x, y) in image px."""
        return self.current.handles

    @property
    def status(self) -> str:
        """What the session is doing: "idle", "running" or "closed"."""
        if self._controller.worker.closed:
            return "closed"
        return "idle" if self._controller.idle.is_set() else "running"

    @property
    def last_error(self) -> BaseException | None:
        """The error that stopped the last drag, or None."""
        return self._controller.last_error

    @property
    def can_undo(self) -> bool:
        """Whether `undo` would change anything."""
        return self._controller.history.can_undo

    @property
    def can_reset(self) -> bool:
        """Whether `reset` would change anything."""
        return not self._controller.is_at_start

    @property
    def branches(self) -> int:
        """How many branches `redo` can take: 0 at the newest state, over 1 where an undo was followed by a new drag."""
        return self._controller.history.branches

    def picture(self) -> Image.Image:
        """The current picture."""
        return self.current.picture()

    def snapshot(self) -> Image.Image:
        """The current picture with its points and paths; one smaller than 512 px is enlarged to 512 px."""
        step, _ = self._controller.step_and_revision()
        steps = [*self.record.steps[:-1], step]  # the newest one under the current points
        return make_frames(DragRecord(None, steps), paths=True, side=None)[len(steps) - 1]

    def features(self, block: int | None = None) -> FeatureMap:
        """The whole feature map of a block (None: the supervised one) at the current step."""
        return self.current.features(self.config.block if block is None else block)

    # Dragging

    def start(self) -> None:
        """Drag in the background until every handle arrived, the cap is reached or `stop` is called."""
        self._controller.begin(None)

    def stop(self) -> None:
        """End the drag after the current step; `start` resumes it."""
        self._controller.stop()

    def step(self, n: int = 1) -> DragStep:
        """Make `n` steps, wait for them and return the last."""
        count = python_scalar(n)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ConfigError(f"n is {count!r}; expected a whole number of steps, at least 1")
        self._controller.begin(count)
        self.wait()
        return self.current

    def run(self) -> DragRecord:
        """Drag and wait for the end; interrupting the cell stops the drag."""
        try:
            self.start()
        except KeyboardInterrupt:
            self.stop()
        self.wait()
        return self.record

    def steps(self) -> StepLoop:
        """Drag in a loop: `for step in session.steps()`, or `async for`.

        The worker waits while the loop's body runs, so `session.edit = ...` in it takes effect at the next step, and
        leaving the loop leaves the session at that step. Stop and undo end the loop; an error is raised in it. `run`,
        `step`, `wait` and another loop would wait for the drag, so they are refused in the body.

        Examples:
            >>> from draggan_widget import DragSession, Edit
            >>> session = DragSession("heads", seed=3)
            >>> session.edit = Edit(handles=[(64, 70)], targets=[(72, 70)])
            >>> for step in session.steps():
            ...     if step.index == 2:
            ...         break
            >>> len(session.record)  # the start and two steps
            3
            >>> session.close()
        """
        return StepLoop(self._controller)

    async def run_async(self) -> DragRecord:
        """Drag and await the end: Stop works meanwhile, and cancelling the task stops the drag."""
        await await_drag(self._controller)
        return self.record

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no drag runs; False when `timeout` (seconds) passed first. Interrupting stops the drag."""
        if self._controller.worker.is_current_thread:
            raise DragganError("wait, run and step wait for the worker and were called on it; call them in a cell")
        self._controller.check_no_deadlock()
        try:
            finished = self._controller.idle.wait(timeout)
        except KeyboardInterrupt:
            self.stop()
            self._controller.idle.wait()
            return True
        if finished:
            self._controller.raise_error()
        return finished

    # Other states

    def undo(self) -> bool:
        """Go back to before the last edit, drag, reset or seed; False when there is none."""
        return self._controller.change_state(lambda: self._controller.history.undo(self._controller.state))

    def redo(self, branch: int = -1) -> bool:
        """Go forward to what undo left, on the newest branch or on the given one; False when there is none."""
        return self._controller.change_state(lambda: self._controller.history.redo(self._controller.state, branch))

    def reset(self) -> None:
        """Go back to the start latent; the points stay. At the start it changes nothing, and `redo` stays possible."""

        def find_start() -> Snapshot | None:
            state = self._controller.state
            if self._controller.is_at_start:
                return None
            step = initial_step(self.generator, state.origin, state.edit)
            return dataclasses.replace(state, step=step, steps=())

        self._controller.change_state(find_start, undoable=True)

    def go_to(self, position: int) -> None:
        """Go back to a step of the record, under the current points; a drag from there starts a branch.

        Raises:
            ConfigError: the record has no such position.
        """

        def find_older() -> Snapshot | None:
            state = self._controller.state
            count = len(state.steps)
            if not -count <= position < count:
                raise ConfigError(
                    f"position is {position}; the record has {counted(count, 'step')}, counted from 0; "
                    "expected one of those"
                )
            if position % count == count - 1 and self.status == "idle":
                return None
            steps = state.steps[: position % count + 1]
            return dataclasses.replace(state, step=with_edit(steps[-1], state.edit), steps=steps)

        self._controller.change_state(find_older, undoable=True)

    def new_seed(self, seed: int | None = None, truncation_psi: float | None = None, label: int | None = None) -> int:
        """Take the start latent of another seed; points and mask are removed.

        The same seed, truncation and label without points, mask or steps change nothing, and `redo` stays possible.

        Args:
            seed: None takes the seed after the current one.
            truncation_psi: None keeps the current one.
            label: None keeps the current one.

        Returns:
            The seed.
        """
        self._controller.check_open()
        state = self._controller.state
        chosen = ((-1 if state.seed is None else state.seed) + 1) % 2**32 if seed is None else seed
        psi = state.truncation_psi if truncation_psi is None else truncation_psi
        fresh = seed_state(self.generator, chosen, psi, state.label if label is None else label)
        self._controller.change_state(lambda: None if self._is_untouched(fresh) else fresh, undoable=True)
        return python_scalar(chosen)

    def _is_untouched(self, fresh: Snapshot) -> bool:
        """Whether this start is the current state already."""
        state = self._controller.state
        same = (state.seed, state.truncation_psi, state.label) == (fresh.seed, fresh.truncation_psi, fresh.label)
        return same and state.edit == fresh.edit and self._controller.is_at_start

    def refresh(self) -> None:
        """Take the weights of a live `G` as they are now and go to the start latent; points stay, undo goes back.

        The latent of a seed is mapped again. An older step that one goes back to is drawn with the new weights.
        """
        self._controller.refresh()

    # Events

    def on_step(self, callback: Callable[[DragStep], object]) -> Callable[[], None]:
        """Call `callback(step)` on the worker after every step; an exception of the callback stops the drag.

        Returns:
            A function that removes the callback.
        """
        return _add_removable(self._controller.callbacks, callback)

    def subscribe(self, listener: Callable[[events.Event], None]) -> Callable[[], None]:
        """Call `listener(event)` at every event, on the thread where it happened.

        Returns:
            A function that removes the listener.
        """
        return _add_removable(self._controller.listeners, listener)

    # Files, closing

    def save(self, path: str | Path) -> Path:
        """Write start, settings, points, mask and result to one .json file that reproduces the drag.

        The file names the start latent by its seed, or holds it bit for bit where it was given. It holds every edit
        made during the drag with its step, and every drag that began after another had ended or had been left.

        Raises:
            ExportError: the name does not end in .json, or the file cannot be written; an older file then stays.
        """
        return saved.save(self._controller, path)

    @classmethod
    def load(cls, path: str | Path, generator: Generator | nn.Module | str | Path) -> "DragSession":
        """Open a session at the start of a saved drag: `run()` makes it again, the same edits at the same steps.

        The handles end within 1 px of the saved ones on any machine, and bit for bit where processor, threads and
        versions are the same. A drag that was stopped stops there again; `start` resumes it. Changing the edit, the
        settings or the state before the drag has begun makes it an ordinary session; an edit during the drag continues
        the drag with that edit.

        Not reproduced: weights that were refreshed, and what `load_edit(path).result.not_reproduced` names.

        Args:
            path: file written by `save`.
            generator: the generator of the drag: a `Generator`, a name, a path or a live `G`. Another one of the same
                sizes is taken with a warning.

        Raises:
            ExportError: the file is not a saved drag, is damaged, of a newer version, or does not fit the generator.
            CheckpointError: the generator cannot be loaded.
        """
        session = cls.__new__(cls)
        session._controller = saved.load(file_place(path), load_generator(generator))
        return session

    def close(self) -> None:
        """End the worker and release the device memory. Idempotent."""
        self._controller.close()

    def __enter__(self) -> "DragSession":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self._controller.state
        start = "a given latent" if state.seed is None else f"seed {state.seed}"
        counts = f"{counted(len(state.edit), 'point')}, {counted(len(self.record), 'step')}"
        return f"DragSession({self.generator.name}, {start}, {counts}, {self.status})"


def controller_of(session: DragSession) -> Controller:
    """The states and the worker of a session, for the widget that shows it."""
    return session._controller


def _add_removable(entries: list[Any], entry: Any) -> Callable[[], None]:
    """Append an entry; the returned function removes it where it is still listed."""
    entries.append(entry)

    def remove() -> None:
        if entry in entries:
            entries.remove(entry)

    return remove
