"""One `drag()` being pulled: what the outside asks of it, and what it was told."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Generator as Steps

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.replay import Replay
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError


class Follower(ABC):
    """Somebody to whom one run hands its steps, and who is told when it is over."""

    @abstractmethod
    def hand(self, step: DragStep, going: Callable[[], bool]) -> None:
        """Take a step, on the worker; hold it as long as `going()`."""

    @abstractmethod
    def end(self, error: BaseException | None) -> None:
        """The run is over, or was left; `error` is what stopped it."""

    @abstractmethod
    def holds(self) -> bool:
        """Whether the run waits for what the calling thread does."""


class Run:
    """A drag under way or paused; `edit` and `stop` may be set from any thread.

    Attributes:
        edit: what the next step should pursue.
        stop: end after the step under way.
        replay: the recorded way that the steps follow, or None.
        followers: loops and tasks that wait for its steps or its end.
    """

    def __init__(self, steps: Steps[DragStep, Edit | None, None], edit: Edit, replay: Replay | None = None):
        self._steps = steps
        self.replay = replay
        self._told = edit
        self._begun = False
        self._left: int | None = None
        self.edit = edit
        self.stop = False
        self.followers: list[Follower] = []

    def go_on(self, limit: int | None, edit: Edit) -> None:
        """Take `limit` more steps (None: until it ends) towards `edit`."""
        self._left, self.stop, self.edit = limit, False, edit

    def check_free(self) -> None:
        """Raise where the drag waits for a loop in this very thread, which would wait for the drag."""
        if not self.stop and any(follower.holds() for follower in self.followers):
            raise DragganError(
                "the drag waits for a loop over steps() in this thread; expected it to be left first: break, or "
                "session.stop() and go on after the loop"
            )

    def dismiss(self, error: BaseException | None = None) -> None:
        """Tell the followers that it is over."""
        followers, self.followers = self.followers, []
        for follower in followers:
            follower.end(error)

    def next_step(self) -> DragStep:
        """Pull one step, with the newest edit."""
        if not self._begun:
            self._begun = True
            return next(self._steps)
        edit = self.edit if len(self.edit) else self._told  # without points it stops; this step was under way
        self._told, changed = edit, edit is not self._told
        if self._left is not None:
            self._left -= 1
        return self._steps.send(self._told if changed else None)

    def over(self, step: DragStep) -> bool:
        """Whether to pull no more for now."""
        return self.finished(step) or self.stop or self._left == 0 or self._replayed

    def finished(self, step: DragStep) -> bool:
        """Whether there is no more to pull."""
        return step.ended is not None and not (self.replay is not None and self.replay.more)

    def recorded(self, step: DragStep) -> Edit | None:
        """An edit that a replay brought with this step, unless somebody changed the edit meanwhile."""
        if self.replay is None or self.replay.more is None or self.edit is not self._told or step.edit == self._told:
            return None
        self.edit = self._told = step.edit
        return step.edit

    def after(self) -> Edit | None:
        """The edit that stood after the last step of the recorded way, once that was made."""
        return self.replay.after if self._replayed and self.replay is not None and self.edit is self._told else None

    @property
    def _replayed(self) -> bool:
        return self.replay is not None and self.replay.more is False
