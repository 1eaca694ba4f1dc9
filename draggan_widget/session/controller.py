"""The states of a session and the ways from one to another, under one lock; the drag runs on the worker."""

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
from draggan_widget.engine.termination import ADVICE
from draggan_widget.errors import DragganError, EditError
from draggan_widget.generators.generator import Generator
from draggan_widget.session import events
from draggan_widget.session.history import History, Snapshot
from draggan_widget.session.run import Follower, Run
from draggan_widget.session.snapshots import begun_anew, redrawn, under_edit
from draggan_widget.session.worker import Runner

STOPPED = "Stopped. Start goes on from here."
MERGE_SECONDS = 1.0  # edits of one client that follow so closely in a running drag are one step of undo


class Core:
    """What a session rests in or runs; `DragSession` is its public face.

    Attributes:
        state: the current snapshot; replaced, never changed.
        revision: counts edits and other changes of state.
        idle: set while no drag runs.
    """

    def __init__(self, generator: Generator, config: DragConfig, state: Snapshot, keep: Keep):
        self.keeper = Keeper(keep)
        self.generator, self.config, self.state = generator, config, state
        self.lock = threading.RLock()
        self.idle = threading.Event()
        self.idle.set()
        self.history = History()
        self.runner = Runner("draggan-drag")
        self.revision = 0
        self.last_error: BaseException | None = None
        self._raised: TracebackType | None = None
        self.listeners: list[Callable[[events.Event], None]] = []
        self.callbacks: list[Callable[[DragStep], object]] = []
        self._run: Run | None = None
        self._paused: Run | None = None
        self._edited: tuple[str, float] | None = None
        self.replay: Replay | None = None  # what the next drag makes again, unless something is changed before
        self.record = self._new_record()

    def check_open(self) -> None:
        """Raise where the session was closed."""
        if self.runner.closed:
            raise DragganError("this session is closed; expected an open one; make a new DragSession")

    def configure(self, config: DragConfig) -> None:
        """Take other settings for the next drag."""
        with self.lock:
            self.config, self._paused, self.replay = config, None, None
            if len(self.record) == 0:
                self.record.about = self._about()

    def change_edit(self, edit: Edit, drawn_on: int | None, by: str | None) -> int:
        """Take a new edit; the new revision."""
        edit.check(self.generator.image_size)
        with self.lock:
            self.check_open()
            if drawn_on is not None and drawn_on != self.revision:
                raise EditError(
                    f"the points changed meanwhile (revision {self.revision}, not {drawn_on}); draw it again"
                )
            self._note_edit(edit, by)
            self.replay = None
            self.state = dataclasses.replace(self.state, edit=edit, step=under_edit(self.state.step, edit))
            self.revision += 1
            if self._run is not None:
                self._run.edit = edit
                self._run.stop = self._run.stop or len(edit) == 0
            return self.revision

    def _note_edit(self, edit: Edit, by: str | None) -> None:
        """A step of undo, unless an end is being moved in a running drag: then its whole way is one."""
        now, last = time.monotonic(), self._edited
        same = last is not None and last[0] == by and now - last[1] < MERGE_SECONDS
        if not (self._run is not None and by is not None and same and len(edit) == len(self.state.edit)):
            self.history.push(self.state)
        self._edited = None if by is None else (by, now)

    def begin(self, limit: int | None, follower: Follower | None = None) -> None:
        """Drag on the worker, at most `limit` steps; a drag that runs goes on, also one that was about to stop."""
        with self.lock:
            self.check_open()
            self.check_free()
            if self._run is not None and (not self._run.stop or len(self.state.edit)):
                if self._run.stop:
                    self._run.dismiss()
                    self._run.go_on(limit, self.state.edit)
                self._run.followers += [] if follower is None else [follower]
                return
            if len(self.state.edit) == 0:
                raise EditError(
                    "there are no points to drag; press on the picture, drag and let go, or set session.edit"
                )
            self.history.push(self.state)
            self.last_error, self._edited = None, None
            run = self._paused or self._new_run()
            run.go_on(limit, self.state.edit)
            run.followers = [] if follower is None else [follower]
            self._run, self._paused = run, None
            self.idle.clear()
        self.runner.submit(lambda: self._drive(run))

    def check_free(self) -> None:
        """Raise where the drag waits for this very thread."""
        if self._run is not None:
            self._run.check_free()

    def stop(self) -> None:
        """End the drag after the step under way."""
        with self.lock:
            if self._run is not None:
                self._run.stop = True

    def leave(self, follower: Follower) -> None:
        """Stop the drag that a follower follows, if it still does."""
        with self.lock:
            if self._run is not None and follower in self._run.followers:
                self._run.stop = True

    def raise_error(self) -> None:
        """Raise what stopped the last drag, with the traceback that it had there."""
        if self.last_error is not None:
            raise self.last_error.with_traceback(self._raised)

    def go(self, find: Callable[[], Snapshot | None], push: bool = False) -> bool:
        """Leave any drag behind and rest in another state, noted for undo where `push` says so."""
        with self.lock:
            self.check_open()
            state = find()
            if state is None:
                return False
            if push:
                self.history.push(self.state)
            state, self.replay = redrawn(state, self.generator), None
            interrupted = self._run
            self.state, self._run, self._paused, self._edited = state, None, None, None
            self.revision += 1
            self.record = self._new_record()
            self.last_error = None
            self.idle.set()
            revision = self.revision
        if interrupted is not None:
            self.tell(events.Ended("stopped", STOPPED, state.step))
            interrupted.dismiss()
        self.tell(events.StateChanged(revision))
        return True

    def refresh(self) -> None:
        """Rest at the start latent, drawn by the generator's weights as they are now."""

        def again() -> Snapshot:
            self.generator = self.generator.refreshed()
            return begun_anew(self.state, self.generator)

        self.go(again, push=True)

    def close(self) -> None:
        """End the worker and let the device memory go. Idempotent."""
        self.stop()
        self.runner.close()
        with self.lock:
            left, self._run, self._paused = self._run, None, None
            self.state.step.current.clear()
            self.idle.set()
        if left is not None:  # the worker did not come to it
            self.tell(events.Ended("stopped", STOPPED, self.state.step))
            left.dismiss()

    def tell(self, event: events.Event) -> None:
        """Tell every listener, here and now."""
        for listener in list(self.listeners):
            listener(event)

    def _new_record(self) -> DragRecord:
        steps = self.state.steps
        return DragRecord(self._about(steps[-1].config if steps else None), steps, self.keeper, start=self.state.origin)

    def _about(self, made_with: DragConfig | None = None) -> dict[str, Any]:
        """How the newest steps were made; None: how they would be."""
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
        """Pull steps until the run ends or was left behind."""
        if self._run is not run:
            return
        try:
            self.tell(events.Started())
            while self._run is run:
                step = run.next_step()
                if not self._publish(run, step):
                    return
                self.runner.drain(lambda: self._run is run)
                if (run.over(step) or self.runner.closed) and self._finish(run, step):
                    return
        except BaseException as error:  # noqa: BLE001 - whatever a generator or a callback raises is shown, not lost
            self._fail(run, error)

    def _publish(self, run: Run, step: DragStep) -> bool:
        with self.lock:
            if self._run is not run:
                return False
            record, recorded = self.record, run.recorded(step)
            record.steps.append(step)
            if step.index == 0:
                record.about = self._about(step.config)
            if recorded is not None:
                self._take(recorded)
            seen = step if step.edit is self.state.edit else under_edit(step, self.state.edit)
            self.state = dataclasses.replace(self.state, step=seen, steps=tuple(self.record.steps))
        if recorded is not None:
            self.tell(events.EditChanged(self.revision))
        self.keeper.take(step, len(record) - 1)
        for callback in list(self.callbacks):
            callback(step)
        self.tell(events.Stepped(step))
        for follower in list(run.followers):
            follower.hand(step, lambda: self._run is run and not run.stop and not self.runner.closed)
        return True

    def _take(self, edit: Edit) -> None:
        """Stand under an edit of the recorded way."""
        self.state = dataclasses.replace(self.state, edit=edit, step=under_edit(self.state.step, edit))
        self.revision += 1

    def _finish(self, run: Run, step: DragStep) -> bool:
        """Rest, unless the run was told to go on at the last moment."""
        with self.lock:
            if self._run is not run:
                return True
            if not (run.over(step) or self.runner.closed):
                return False
            self._run = None
            self._paused = None if run.finished(step) else run
            after = run.after()
            if after is not None:
                self._take(after)
            self.idle.set()
        if after is not None:
            self.tell(events.EditChanged(self.revision))
        reason = step.ended or "stopped"
        self.tell(events.Ended(reason, ADVICE.get(reason, STOPPED), step))
        run.dismiss()
        return True

    def _fail(self, run: Run, error: BaseException) -> None:
        with self.lock:
            if self._run is not run:
                return
            if isinstance(error, NotFinite):
                self._step_back(error)
            memory = explain_out_of_memory(error, self.state.step.index)
            if memory is not None:  # the graph went with the run, the map goes here
                self.state.step.current.clear()
                self.generator.free_memory()
            self._run, self._paused, self.last_error = None, None, memory or error
            self._raised = self.last_error.__traceback__
            self.idle.set()
        self.tell(events.Failed(memory or error))
        run.dismiss(memory or error)

    def _step_back(self, error: NotFinite) -> None:
        """Rest in the last step whose picture can be drawn."""
        while self.record.steps and self.record.steps[-1].index > error.last_good:
            self.record.steps.pop()
        if self.record.steps:
            step = under_edit(self.record.steps[-1], self.state.edit)
            self.state = dataclasses.replace(self.state, step=step, steps=tuple(self.record.steps))
