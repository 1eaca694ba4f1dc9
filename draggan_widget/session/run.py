"""One `drag()` that the worker pulls step by step, and what other threads ask of it meanwhile."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.replay import Replay
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError


class Follower(ABC):
    """A loop or task to which one run delivers its steps, and which is told when the run ends."""

    @abstractmethod
    def deliver(self, step: DragStep, is_running: Callable[[], bool]) -> None:
        """Take a step, on the worker; may block the worker as long as `is_running()`."""

    @abstractmethod
    def end(self, error: BaseException | None) -> None:
        """Take note that the run ended or was left; `error` is what stopped it."""

    @abstractmethod
    def is_blocking(self) -> bool:
        """Whether the run waits for the calling thread."""


class Run:
    """A running or paused drag; `edit` and `stop` may be set from any thread.

    Attributes:
        edit: the edit that the next step pursues.
        stop: whether to end after the current step.
        replay: the recorded drag that the steps repeat, or None.
        followers: loops and tasks that wait for its steps or its end.
    """

    def __init__(self, steps: Generator[DragStep, Edit | None, None], edit: Edit, replay: Replay | None = None):
        self._steps = steps
        self.replay = replay
        self._sent_edit = edit
        self._begun = False
        self._steps_left: int | None = None
        self.edit = edit
        self.stop = False
        self.followers: list[Follower] = []

    def resume(self, limit: int | None, edit: Edit) -> None:
        """Make `limit` more steps (None: until the drag ends) towards `edit`."""
        self._steps_left, self.stop, self.edit = limit, False, edit

    def check_no_deadlock(self) -> None:
        """Raise where the drag waits for a loop in the calling thread, which is about to wait for the drag."""
        if not self.stop and any(follower.is_blocking() for follower in self.followers):
            raise DragganError(
                "the drag waits for a loop over steps() in this thread; expected the loop to be left first: use break, "
                "or session.stop() and do this after the loop"
            )

    def end_followers(self, error: BaseException | None = None) -> None:
        """Tell the followers that the run ended."""
        followers, self.followers = self.followers, []
        for follower in followers:
            follower.end(error)

    def next_step(self) -> DragStep:
        """Pull one step, with the newest edit."""
        if not self._begun:
            self._begun = True
            return next(self._steps)
        edit = self.edit if len(self.edit) else self._sent_edit  # without points the drag stops after this step
        self._sent_edit, changed = edit, edit is not self._sent_edit
        if self._steps_left is not None:
            self._steps_left -= 1
        return self._steps.send(self._sent_edit if changed else None)

    def is_over(self, step: DragStep) -> bool:
        """Whether to pull no more steps for now."""
        return self.is_finished(step) or self.stop or self._steps_left == 0 or self._is_replayed

    def is_finished(self, step: DragStep) -> bool:
        """Whether there are no more steps to pull."""
        return step.ended is not None and not (self.replay is not None and self.replay.more)

    def pursues(self, edit: Edit) -> bool:
        """Whether this is the edit that the drag was last given."""
        return edit is self._sent_edit

    def recorded_edit(self, step: DragStep) -> Edit | None:
        """The edit that a replay brought with this step, unless somebody changed the edit meanwhile."""
        if self.replay is None or self.replay.more is None or not self.pursues(self.edit):
            return None
        if step.edit == self._sent_edit:
            return None
        self.edit = self._sent_edit = step.edit
        return step.edit

    def edit_after_replay(self) -> Edit | None:
        """The edit that the record was saved with, once its last step was repeated."""
        replayed = self.replay if self._is_replayed and self.pursues(self.edit) else None
        return None if replayed is None else replayed.after

    @property
    def _is_replayed(self) -> bool:
        return self.replay is not None and self.replay.more is False
