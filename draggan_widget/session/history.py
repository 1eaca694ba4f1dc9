"""Undo and redo over frozen snapshots, as a tree: going on from an older state starts a branch and loses nothing."""

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.step import DragStep

LIMIT = 200  # states between the oldest and the current one; a snapshot shares its steps with the record


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything an undo brings back.

    Attributes:
        seed: of the start latent; None when it was given.
        truncation_psi: of the start latent.
        label: class of a conditional generator, or None.
        origin: the start latent that `reset` goes back to.
        edit: points and mask.
        step: the latent, tracked handles and references.
        steps: the record up to it.
    """

    seed: int | None
    truncation_psi: float
    label: int | None
    origin: Float[Tensor, "1 num_ws w_dim"]
    edit: Edit
    step: DragStep
    steps: tuple[DragStep, ...]


@dataclass(eq=False)
class _Node:
    parent: "_Node | None" = None
    children: "list[_Node]" = field(default_factory=list)
    snapshot: Snapshot | None = None


class History:
    """The current state's place in the tree of states; the last child of each is the branch that redo takes."""

    def __init__(self) -> None:
        self._here = _Node()

    @property
    def can_undo(self) -> bool:
        """Whether there is a state to go back to."""
        return self._here.parent is not None

    @property
    def branches(self) -> int:
        """How many different ways were gone on from here: 0 at the tip, over 1 where it forks."""
        return len(self._here.children)

    def push(self, now: Snapshot) -> None:
        """Note the state before a change; the change goes to a new branch."""
        self._here.snapshot = now
        child = _Node(self._here)
        self._here.children.append(child)
        self._here = child
        self._forget()

    def undo(self, now: Snapshot) -> Snapshot | None:
        """The state before the last change; None when there is none."""
        return self._move(now, self._here.parent)

    def redo(self, now: Snapshot, branch: int = -1) -> Snapshot | None:
        """The state that was left by undo, on the newest branch or on the given one; None when there is none."""
        children = self._here.children
        if not -len(children) <= branch < len(children):
            return None
        chosen = children.pop(branch)
        children.append(chosen)
        return self._move(now, chosen)

    def _move(self, now: Snapshot, there: _Node | None) -> Snapshot | None:
        if there is None:
            return None
        self._here.snapshot = now
        self._here = there
        return there.snapshot

    def _forget(self) -> None:
        """Let what lies further back than the limit go."""
        oldest, depth = self._here, 0
        while oldest.parent is not None:
            oldest, depth = oldest.parent, depth + 1
            if depth == LIMIT:
                oldest.parent = None
