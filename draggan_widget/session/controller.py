"""The states of a session and the changes between them, under one lock; the drag runs on the worker."""

import dataclasses
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.errors import NotFinite, explain_out_of_memory
from draggan_widget.engine.keep import Keep, Keeper
from draggan_widget.engine.loop import drag
from draggan_widget.engine.provenance import about_drag
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.replay import Replay
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError, EditError
from draggan_widget.generators.generator import Generator
from draggan_widget.session import events
from draggan_widget.session.history import History, Snapshot
from draggan_widget.session.run import Follower, Run
from draggan_widget.session.snapshots import restarted, with_edit, with_generator
from draggan_widget.session.worker import Worker

STOPPED = "Stopped. Start resumes the drag."
MERGE_SECONDS = 1.0  # edits of one client that follow so closely in a running drag are one step of undo


class Controller:
    """State, worker and running drag of a session; `DragSession` is its public face, the widget uses it directly.

    Attributes:
        generator: the generator that draws the pictures.
        config: settings of the next drag.
        state: the current snapshot; replaced, never changed.
        revision: number of changes of the edit and of the state so far.
        record: every step from the start latent to the current one.
        keeper: what the record keeps beside the latents.
        history: the states for undo and redo.
        replay: the recorded drag that the next drag repeats, unless something is changed before; or None.
        worker: the thread that drags.
        lock: guards all of these; reentrant.
        idle: set while no drag runs.
        last_error: the error that stopped the last drag, or None.
        listeners: called at every event.
        callbacks: called on the worker after every step.
    """

    def __init__(self, generator: Generator, config: DragConfig, state: Snapshot, keep: Keep):
        self.keeper = Keeper(keep)
        self.generator, self.config, self.state = generator, config, state
        self.lock = threading.RLock()
        self.idle = threading.Event()
        self.idle.set()
        self.history = History()
        self.worker = Worker("draggan-drag")
        self.revision = 0
        self.last_error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self.listeners: list[Callable[[events.Event], None]] = []
        self.callbacks: list[Callable[[DragStep], object]] = []
        self._run: Run | None = None
        self._paused: Run | None = None
        self._last_edit: tuple[str, float] | None = None  # client and time, s
        self.replay: Replay | None = None
        self.record = self._new_record()

    def check_open(self) -> None:
        """Raise where the session was closed."""
        if self.worker.closed:
            raise DragganError("this session is closed; expected an open one; make a new DragSession")

    def step_and_revision(self) -> tuple[DragStep, int]:
        """The newest step and the revision of its edit, read together."""
        with self.lock:
            return self.state.step, self.revision

    def ending(self) -> tuple[events.Reason, str] | None:
        """Why the drag that made the current state is over, in a word and in a sentence.

        None while a drag runs, before the first one, and where the points have changed since.
        """
        with self.lock:
            step, paused = self.state.step, self._paused
            if self._run is not None:
                return None
            if step.ended is not None and step.advice is not None:
                return step.ended, step.advice
            return ("stopped", STOPPED) if paused is not None and paused.pursues(self.state.edit) else None

    @property
    def is_at_start(self) -> bool:
        """Whether no drag runs, was made or waits to be repeated, so that a reset would change nothing."""
        return self._run is None and not self.state.steps and self.replay is None

    def configure(self, config: DragConfig) -> None:
        """Set the settings of the next drag."""
        with self.lock:
            self.config, self._paused, self.replay = config, None, None
            if len(self.record) == 0:
                self.record.about = self._about()

    def change_edit(self, edit: Edit, drawn_on: int | None = None, by: str | None = None) -> int:
        """Set a new edit.

        Args:
            edit: the whole edit.
            drawn_on: revision that the edit was drawn on; None: the current one, whichever that is.
            by: client that drew the edit and gets its own answer; None tells every listener.

        Returns:
            The new revision.

        Raises:
            EditError: the edit does not fit the picture, or was drawn on a revision that is no longer current.
        """
        edit.check(self.generator.image_size)
        with self.lock:
            self.check_open()
            if drawn_on is not None and drawn_on != self.revision:
                raise EditError(
                    f"the points changed meanwhile (revision {self.revision}, not {drawn_on}); draw it again"
                )
            self._push_before_edit(edit, by)
            self.replay = None
            self.state = dataclasses.replace(self.state, edit=edit, step=with_edit(self.state.step, edit))
            self.revision += 1
            if self._run is not None:
                self._run.edit = edit
                self._run.stop = self._run.stop or len(edit) == 0
            revision = self.revision
        if by is None:
            self.tell(events.EditChanged(revision))
        return revision

    def _push_before_edit(self, edit: Edit, by: str | None) -> None:
        """Store the state for undo; a client's moves of one point in a running drag are stored as one.

        An equal edit changes nothing: it is no step of undo, and leaves what can be done again.
        """
        if edit == self.state.edit:
            return
        now, last = time.monotonic(), self._last_edit
        same = last is not None and last[0] == by and now - last[1] < MERGE_SECONDS
        if not (self._run is not None and by is not None and same and len(edit) == len(self.state.edit)):
            self.history.push(self.state)
        self._last_edit = None if by is None else (by, now)

    def begin(self, limit: int | None, follower: Follower | None = None) -> None:
        """Drag on the worker, at most `limit` steps; a running drag continues, even one that was told to stop."""
        with self.lock:
            self.check_open()
            self.check_no_deadlock()
            if self._run is not None and (not self._run.stop or len(self.state.edit)):
                if self._run.stop:
                    self._run.end_followers()
                    self._run.resume(limit, self.state.edit)
                self._run.followers += [] if follower is None else [follower]
                return
            if len(self.state.edit) == 0:
                raise EditError(
                    "there are no points to drag; press on the picture, drag and let go, or set session.edit"
                )
            self.history.push(self.state)
            self.last_error, self._last_edit = None, None
            run = self._paused or self._new_run()
            run.resume(limit, self.state.edit)
            run.followers = [] if follower is None else [follower]
            self._run, self._paused = run, None
            self.idle.clear()
        self.worker.submit(lambda: self._drive(run))

    def check_no_deadlock(self) -> None:
        """Raise where the drag waits for the calling thread, which is about to wait for the drag."""
        if self._run is not None:
            self._run.check_no_deadlock()

    def stop(self) -> None:
        """End the drag after the current step."""
        with self.lock:
            if self._run is not None:
                self._run.stop = True

    def stop_for(self, follower: Follower) -> None:
        """Stop the drag if this follower still follows it."""
        with self.lock:
            if self._run is not None and follower in self._run.followers:
                self._run.stop = True

    def raise_error(self) -> None:
        """Raise the error that stopped the last drag, with its original traceback."""
        if self.last_error is not None:
            raise self.last_error.with_traceback(self._traceback)

    def change_state(self, find: Callable[[], Snapshot | None], undoable: bool = False) -> bool:
        """Leave the running drag, if any, and take another state.

        Args:
            find: gives the state, under the lock; None where there is none, or where it would change nothing.
            undoable: whether the present state is stored for undo.

        Returns:
            Whether there was such a state; where there was none, nothing changed, and what undo left stays for redo.
        """
        with self.lock:
            self.check_open()
            state = find()
            if state is None:
                return False
            if undoable:
                self.history.push(self.state)
            state, self.replay = with_generator(state, self.generator), None
            interrupted = self._run
            self.state, self._run, self._paused, self._last_edit = state, None, None, None
            self.revision += 1
            self.record = self._new_record()
            self.last_error = None
            self.idle.set()
            revision = self.revision
        if interrupted is not None:
            self.tell(events.Ended("stopped", STOPPED, state.step))
            interrupted.end_followers()
        self.tell(events.StateChanged(revision))
        return True

    def refresh(self) -> None:
        """Go to the start latent, drawn with the generator's weights as they are now."""

        def find_start() -> Snapshot:
            self.generator = self.generator.refreshed()
            return restarted(self.state, self.generator)

        self.change_state(find_start, undoable=True)

    def pending_replay(self) -> Replay | None:
        """The replay whose recorded steps are still to come, unless the drag has departed from it."""
        run = self._run or self._paused
        if run is None:
            return self.replay
        unfinished = run.replay is not None and (run.replay.more or len(self.record) == 0)
        return run.replay if unfinished and run.pursues(self.state.edit) else None

    def close(self) -> None:
        """End the worker and release the device memory. Idempotent."""
        self.stop()
        self.worker.close()
        with self.lock:
            left, self._run, self._paused = self._run, None, None
            self.state.step.current.clear()
            self.idle.set()
        if left is not None:  # the worker did not finish this run
            self.tell(events.Ended("stopped", STOPPED, self.state.step))
            left.end_followers()

    def tell(self, event: events.Event) -> None:
        """Call every listener, on this thread."""
        for listener in list(self.listeners):
            listener(event)

    def _new_record(self) -> DragRecord:
        steps = self.state.steps
        return DragRecord(self._about(steps[-1].config if steps else None), steps, self.keeper, start=self.state.origin)

    def _about(self, made_with: DragConfig | None = None) -> dict[str, Any]:
        """Provenance of steps made with these settings; None takes the settings of the next drag."""
        state = self.state
        return about_drag(self.generator, made_with or self.config, state.seed, state.truncation_psi, state.label)

    def _new_run(self) -> Run:
        step, edit, replay = self.state.step, self.state.edit, self.replay
        self.replay = None
        if replay is not None:
            return Run(replay.steps(self.generator, step.ws, self.config), edit, replay)
        return Run(drag(self.generator, step.ws, edit, self.config, resume=step.references), edit)

    # On the worker

    def _drive(self, run: Run) -> None:
        """Pull steps until the run ends or is left."""
        if self._run is not run:
            return
        try:
            self.tell(events.Started())
            while self._run is run:
                step = run.next_step()
                if not self._publish(run, step):
                    return
                self.worker.drain(lambda: self._run is run)
                if (run.is_over(step) or self.worker.closed) and self._finish(run, step):
                    return
        except BaseException as error:  # noqa: BLE001 - any error of a generator or a callback is shown, not lost
            self._fail(run, error)

    def _publish(self, run: Run, step: DragStep) -> bool:
        """Record a step and notify every listener; False if the run was abandoned."""
        with self.lock:
            if self._run is not run:
                return False
            record, recorded = self.record, run.recorded_edit(step)
            record.steps.append(step)
            if step.index == 0:
                record.about = self._about(step.config)
            if recorded is not None:
                self._set_replayed_edit(recorded)
            shown = step if step.edit is self.state.edit else with_edit(step, self.state.edit)
            self.state = dataclasses.replace(self.state, step=shown, steps=tuple(self.record.steps))
        if recorded is not None:
            self.tell(events.EditChanged(self.revision))
        self.keeper.take(step, len(record) - 1)
        for callback in list(self.callbacks):
            callback(step)
        self.tell(events.Stepped(step))
        for follower in list(run.followers):
            follower.deliver(step, lambda: self._run is run and not run.stop and not self.worker.closed)
        return True

    def _set_replayed_edit(self, edit: Edit) -> None:
        """Set the edit that a replay has reached."""
        self.state = dataclasses.replace(self.state, edit=edit, step=with_edit(self.state.step, edit))
        self.revision += 1

    def _finish(self, run: Run, step: DragStep) -> bool:
        """End the run, unless it was told at the last moment to continue."""
        with self.lock:
            if self._run is not run:
                return True
            if not (run.is_over(step) or self.worker.closed):
                return False
            self._run = None
            self._paused = None if run.is_finished(step) else run
            edit = run.edit_after_replay()
            if edit is not None:
                self._set_replayed_edit(edit)
            self.idle.set()
        if edit is not None:
            self.tell(events.EditChanged(self.revision))
        reason = step.ended or "stopped"
        self.tell(events.Ended(reason, step.advice or STOPPED, step))
        run.end_followers()
        return True

    def _fail(self, run: Run, error: BaseException) -> None:
        with self.lock:
            if self._run is not run:
                return
            if isinstance(error, NotFinite):
                self._drop_steps_after(error.last_good)
            memory = explain_out_of_memory(error, self.state.step.index)
            if memory is not None:  # the run's graph is gone already; the step's feature map is released here
                self.state.step.current.clear()
                self.generator.free_memory()
            self._run, self._paused, self.last_error = None, None, memory or error
            self._traceback = self.last_error.__traceback__
            self.idle.set()
        self.tell(events.Failed(memory or error))
        run.end_followers(memory or error)

    def _drop_steps_after(self, index: int) -> None:
        """Go back to the last step whose picture can be drawn."""
        while self.record.steps and self.record.steps[-1].index > index:
            self.record.steps.pop()
        if self.record.steps:
            step = with_edit(self.record.steps[-1], self.state.edit)
            self.state = dataclasses.replace(self.state, step=step, steps=tuple(self.record.steps))
