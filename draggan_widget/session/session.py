"""`DragSession`: generator, latent, edit and record, dragged by a worker thread; needs no widget."""

import dataclasses
import difflib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.engine.config import DragConfig, checked_config, python_scalar
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.keep import Keep, checked_keep
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError, DragganError, EditError
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import load_generator
from draggan_widget.session import events
from draggan_widget.session.controller import Core
from draggan_widget.session.held import Held
from draggan_widget.session.history import Snapshot
from draggan_widget.session.snapshots import latent_state, resting_step, seed_state, under_edit
from draggan_widget.session.step_loop import Steps, awaited


class DragSession(Held):
    """Drag points of a generated picture from Python; every step is kept in `record`."""

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
            seed: of the start latent, as in the official tools.
            ws: a start latent of its own, (num_ws, w_dim) or (1, num_ws, w_dim); `seed` is then ignored.
            truncation_psi: of the start latent; official 0.7.
            label: class of a conditional generator, 0 .. c_dim - 1.
            config: settings of the drags; None takes `DragConfig.for_generator`.
            keep: feature maps and pictures that the record keeps beside every latent; None: nothing more.

        Raises:
            CheckpointError: the generator cannot be loaded.
            ConfigError: seed, latent, label or settings do not fit it.
        """
        loaded = load_generator(generator)
        own = DragConfig.for_generator(loaded) if config is None else checked_config(config, loaded)
        if ws is None:
            state = seed_state(loaded, seed, truncation_psi, label)
        else:
            state = latent_state(loaded, ws, truncation_psi)
        self._core = Core(loaded, own, state, checked_keep(keep, loaded))

    def __setattr__(self, name: str, value: object) -> None:
        known = [entry for entry in dir(type(self)) if not entry.startswith("_")]
        if name not in ("_core", *known):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AttributeError(f"a DragSession has no attribute {name!r}{hint}")
        super().__setattr__(name, value)

    # What may be set

    @property
    def config(self) -> DragConfig:
        """Settings of the next drag; a drag under way keeps its own."""
        return self._core.config

    @config.setter
    def config(self, config: DragConfig) -> None:
        self._core.configure(checked_config(config, self.generator))

    @property
    def edit(self) -> Edit:
        """Handle points, target points and mask; setting it takes effect at the next step."""
        return self._core.state.edit

    @edit.setter
    def edit(self, edit: Edit) -> None:
        self.change_edit(edit)

    @property
    def seed(self) -> int | None:
        """Of the start latent; None when it was given. Setting it starts anew, as `new_seed` does."""
        return self._core.state.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self.new_seed(seed)

    @property
    def truncation_psi(self) -> float:
        """Of the start latent. Setting it starts the same seed anew."""
        return self._core.state.truncation_psi

    @truncation_psi.setter
    def truncation_psi(self, truncation_psi: float) -> None:
        if self.seed is None:
            raise ConfigError("truncation_psi belongs to a seed and this latent was given; set session.seed first")
        self.new_seed(self.seed, truncation_psi)

    # Changing what is asked for

    def change_edit(self, edit: Edit, drawn_on: int | None = None, by: str | None = None) -> int:
        """Take a new edit.

        Args:
            edit: the whole edit.
            drawn_on: the revision it was made from; None: whatever is current.
            by: the client that drew it and is answered by itself; None tells every subscriber.

        Returns:
            The new revision.

        Raises:
            EditError: it does not fit the picture, or was drawn on a revision that is no longer current.
        """
        if not isinstance(edit, Edit):
            raise EditError(f"edit is a {type(edit).__name__}; expected an Edit")
        revision = self._core.change_edit(edit, drawn_on, by)
        if by is None:
            self._core.tell(events.EditChanged(revision))
        return revision

    # Dragging

    def start(self) -> None:
        """Drag in the background until every handle arrived, the cap is reached or `stop` is called."""
        self.begin()

    def begin(self, limit: int | None = None) -> None:
        """Start, but make at most `limit` steps; does not wait."""
        limit = python_scalar(limit)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigError(f"n is {limit!r}; expected a whole number of steps, at least 1")
        self._core.begin(limit)

    def stop(self) -> None:
        """End the drag after the step under way; `start` goes on from there."""
        self._core.stop()

    def step(self, n: int = 1) -> DragStep:
        """Make `n` steps, wait for them and return the last."""
        if n is None:
            raise ConfigError("n is None; expected a whole number of steps, at least 1")
        self.begin(n)
        self.wait()
        return self.current

    def run(self) -> DragRecord:
        """Drag and wait for the end; interrupting the cell stops the drag."""
        try:
            self.begin()
        except KeyboardInterrupt:
            self.stop()
        self.wait()
        return self.record

    def steps(self) -> Steps:
        """Drag in a loop: `for step in session.steps()`, or `async for`.

        The worker waits while the loop's body runs, so `session.edit = ...` in it takes effect at the next step, and
        leaving the loop leaves the session at that step. Stop and undo end the loop; an error is raised in it. `run`,
        `step`, `wait` and another loop wait for the drag, and so are refused in the body.
        """
        return Steps(self._core)

    async def run_async(self) -> DragRecord:
        """Drag and await the end: Stop works meanwhile, and cancelling the task stops the drag."""
        await awaited(self._core)
        return self.record

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no drag runs; False when `timeout` (seconds) passed first. Interrupting stops the drag."""
        if self.runner.here:
            raise DragganError("wait, run and step wait for the worker and were called on it; call them in a cell")
        self._core.check_free()
        try:
            finished = self._core.idle.wait(timeout)
        except KeyboardInterrupt:
            self.stop()
            self._core.idle.wait()
            return True
        if finished:
            self._core.raise_error()
        return finished

    # Going elsewhere

    def undo(self) -> bool:
        """Back to before the last change of points, drag, reset or seed; False when there is none."""
        return self._core.go(lambda: self._core.history.undo(self._core.state))

    def redo(self, branch: int = -1) -> bool:
        """Forth to what undo left, on the newest branch or on the given one; False when there is none."""
        return self._core.go(lambda: self._core.history.redo(self._core.state, branch))

    def reset(self) -> None:
        """Back to the start latent; the points stay."""

        def start() -> Snapshot:
            state = self._core.state
            step = resting_step(self.generator, state.origin, state.edit)
            return dataclasses.replace(state, step=step, steps=())

        self._core.go(start, push=True)

    def go_to(self, position: int) -> None:
        """Back to a step of the record, under the present points; going on from there starts a branch.

        Raises:
            ConfigError: the record has no such position.
        """

        def older() -> Snapshot:
            state = self._core.state
            count = len(state.steps)
            if not -count <= position < count:
                raise ConfigError(
                    f"position is {position}; the record has {count} steps, counted from 0; expected one of those"
                )
            steps = state.steps[: position % count + 1]
            return dataclasses.replace(state, step=under_edit(steps[-1], state.edit), steps=steps)

        self._core.go(older, push=True)

    def new_seed(self, seed: int | None = None, truncation_psi: float | None = None, label: int | None = None) -> int:
        """Another start latent; points and mask go. None keeps psi and label, and takes the next seed. The seed."""
        self._core.check_open()
        state = self._core.state
        wanted = ((-1 if state.seed is None else state.seed) + 1) % 2**32 if seed is None else seed
        psi = state.truncation_psi if truncation_psi is None else truncation_psi
        fresh = seed_state(self.generator, wanted, psi, state.label if label is None else label)
        self._core.go(lambda: fresh, push=True)
        return python_scalar(wanted)

    def refresh(self) -> None:
        """Take the weights of a live `G` as they are now, and rest at the start latent; points stay, undo goes back.

        The latent of a seed is mapped anew. Going back to an older step draws its latent with these weights.
        """
        self._core.refresh()

    # Listening

    def on_step(self, callback: Callable[[DragStep], object]) -> Callable[[], None]:
        """Call `callback(step)` on the worker after every step; its exception stops the drag. Returns its removal."""
        self._core.callbacks.append(callback)
        return lambda: events.discard(self._core.callbacks, callback)

    def subscribe(self, listener: Callable[[events.Event], None]) -> Callable[[], None]:
        """Tell `listener` every event, on the thread where it happened. Returns its removal."""
        self._core.listeners.append(listener)
        return lambda: events.discard(self._core.listeners, listener)

    def close(self) -> None:
        """End the worker and let the device memory go. Idempotent."""
        self._core.close()

    def __enter__(self) -> "DragSession":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
