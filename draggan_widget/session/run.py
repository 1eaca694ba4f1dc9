"""One `drag()` being pulled: what the outside asks of it, and what it was told."""

from collections.abc import Generator as Steps

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.step import DragStep


class Run:
    """A drag under way or paused; `edit` and `stop` may be set from any thread.

    Attributes:
        edit: what the next step should pursue.
        stop: end after the step under way.
    """

    def __init__(self, steps: Steps[DragStep, Edit | None, None], edit: Edit):
        self._steps = steps
        self._told = edit
        self._begun = False
        self._left: int | None = None
        self.edit = edit
        self.stop = False

    def go_on(self, limit: int | None, edit: Edit) -> None:
        """Take `limit` more steps (None: until it ends) towards `edit`."""
        self._left, self.stop, self.edit = limit, False, edit

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
        return step.ended is not None or self.stop or self._left == 0
