"""The events that a session sends to its subscribers, each on the thread where it happened."""

from dataclasses import dataclass
from typing import Literal

from draggan_widget.engine.step import DragStep

Reason = Literal["arrived", "cap", "stalled", "lost", "stopped"]


@dataclass(frozen=True)
class Started:
    """A drag started or resumed."""


@dataclass(frozen=True)
class Stepped:
    """The drag made one more step.

    Attributes:
        step: the new step.
    """

    step: DragStep


@dataclass(frozen=True)
class Ended:
    """The drag ended or was stopped.

    Attributes:
        reason: the reason in one word.
        message: the reason in a sentence, with a remedy where there is one.
        step: the last step.
    """

    reason: Reason
    message: str
    step: DragStep


@dataclass(frozen=True)
class Failed:
    """An error stopped the drag; the last good latent is kept.

    Attributes:
        error: the error raised on the worker.
    """

    error: BaseException


@dataclass(frozen=True)
class EditChanged:
    """Points or mask changed.

    Attributes:
        revision: number of changes so far.
    """

    revision: int


@dataclass(frozen=True)
class StateChanged:
    """Latent and points changed: undo, redo, reset or another seed.

    Attributes:
        revision: number of changes so far.
    """

    revision: int


Event = Started | Stepped | Ended | Failed | EditChanged | StateChanged
