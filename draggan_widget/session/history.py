"""Undo and redo over frozen snapshots."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragStep

LIMIT = 200  # snapshots kept; a snapshot shares its steps with the record


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything an undo brings back.

    Attributes:
        seed: of the start latent; None when it was given.
        truncation_psi: of the start latent.
        origin: the start latent that `reset` goes back to.
        edit: points and mask.
        step: the latent, tracked handles and references.
        steps: the record up to it.
    """

    seed: int | None
    truncation_psi: float
    origin: Float[Tensor, "1 num_ws w_dim"]
    edit: Edit
    step: DragStep
    steps: tuple[DragStep, ...]


class History:
    """Two stacks of snapshots."""

    def __init__(self) -> None:
        self._past: list[Snapshot] = []
        self._future: list[Snapshot] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a state to go back to."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing done since."""
        return bool(self._future)

    def push(self, now: Snapshot) -> None:
        """Note the state before a change."""
        self._past.append(now)
        del self._past[:-LIMIT]
        self._future.clear()

    def undo(self, now: Snapshot) -> Snapshot | None:
        """The state before the last change; None when there is none."""
        return self._move(now, self._past, self._future)

    def redo(self, now: Snapshot) -> Snapshot | None:
        """The state the last undo left; None when there is none."""
        return self._move(now, self._future, self._past)

    @staticmethod
    def _move(now: Snapshot, source: list[Snapshot], target: list[Snapshot]) -> Snapshot | None:
        if not source:
            return None
        target.append(now)
        return source.pop()
