"""What a session tells its subscribers, on whichever thread it happened."""

from dataclasses import dataclass
from typing import Any, Literal

from draggan_widget.engine.step import DragStep

Reason = Literal["arrived", "cap", "stalled", "lost", "stopped"]


@dataclass(frozen=True)
class Started:
    """A drag began or went on."""


@dataclass(frozen=True)
class Stepped:
    """One more step was made."""

    step: DragStep


@dataclass(frozen=True)
class Ended:
    """The drag rests."""

    reason: Reason
    message: str
    step: DragStep


@dataclass(frozen=True)
class Failed:
    """Something went wrong on the worker; the last good latent is kept."""

    error: BaseException


@dataclass(frozen=True)
class EditChanged:
    """Points or mask are others now."""

    revision: int


@dataclass(frozen=True)
class StateChanged:
    """Latent and points are others now: undo, redo, reset or another seed."""

    revision: int


Event = Started | Stepped | Ended | Failed | EditChanged | StateChanged


def discard(entries: list[Any], entry: Any) -> None:
    """Remove an entry where it is still listed."""
    if entry in entries:
        entries.remove(entry)
