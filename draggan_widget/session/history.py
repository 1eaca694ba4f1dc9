"""Undo and redo over frozen snapshots, kept as a tree: a change after an undo starts a branch and loses nothing."""

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.step import DragStep

LIMIT = 200  # states between the oldest and the current one; a snapshot shares its steps with the record


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that an undo restores.

    Attributes:
        seed: seed of the start latent; None when the latent was given.
        truncation_psi: truncation of the start latent.
        label: class of a conditional generator, or None.
        origin: the start latent, which `reset` restores.
        edit: points and mask.
        step: the newest step: latent, tracked handles and references.
        steps: every step of the record, the newest last.
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
    """The tree of states and the place of the current one; redo takes the last child unless told otherwise."""

    def __init__(self) -> None:
        self._node = _Node()

    @property
    def can_undo(self) -> bool:
        """Whether there is an older state."""
        return self._node.parent is not None

    @property
    def branches(self) -> int:
        """How many newer states follow this one: 0 at the newest, over 1 where branches part."""
        return len(self._node.children)

    def push(self, current: Snapshot) -> None:
        """Store the state before a change; the changed state becomes a new branch."""
        self._node.snapshot = current
        child = _Node(self._node)
        self._node.children.append(child)
        self._node = child
        self._drop_oldest()

    def undo(self, current: Snapshot) -> Snapshot | None:
        """The state before the last change; None when there is none."""
        return self._move(current, self._node.parent)

    def redo(self, current: Snapshot, branch: int = -1) -> Snapshot | None:
        """The state that undo left, on the newest branch or on the given one; None when there is none."""
        children = self._node.children
        if not -len(children) <= branch < len(children):
            return None
        chosen = children.pop(branch)
        children.append(chosen)
        return self._move(current, chosen)

    def _move(self, current: Snapshot, there: _Node | None) -> Snapshot | None:
        if there is None:
            return None
        self._node.snapshot = current
        self._node = there
        return there.snapshot

    def _drop_oldest(self) -> None:
        """Release the states that lie further back than the limit."""
        oldest, depth = self._node, 0
        while oldest.parent is not None:
            oldest, depth = oldest.parent, depth + 1
            if depth == LIMIT:
                oldest.parent = None
