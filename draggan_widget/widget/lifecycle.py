"""The widgets that are open: ipywidgets never lets one go by itself."""

import weakref
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from ipywidgets import Box, Widget

_open: "weakref.WeakSet[Closable]" = weakref.WeakSet()


@runtime_checkable
class Closable(Protocol):
    """What the registry needs of a widget: the cell it came from, as `kernel.cell_identity` has it, and its end."""

    cell: tuple[str, str] | None

    def close(self) -> None:
        """End its worker."""
        ...


def note(widget: Closable) -> None:
    """Note a new widget; running a cell again closes what the same cell opened in an earlier execution."""
    cell = widget.cell
    for other in list(_open):
        if cell is not None and other.cell is not None and other.cell[0] == cell[0] and other.cell[1] != cell[1]:
            other.close()
    _open.add(widget)


def forget(widget: Closable) -> None:
    """A widget was closed."""
    _open.discard(widget)


def close_all() -> int:
    """Close every open widget, replay and inspector: workers end, device memory goes. Returns how many there were."""
    widgets = list(_open)
    for widget in widgets:
        widget.close()
    return len(widgets)


def weakly(method: "weakref.WeakMethod[Callable[..., None]]") -> Callable[..., None]:
    """A call that does nothing once its object is gone: the worker must not keep a widget alive."""

    def call(*arguments: object) -> None:
        bound = method()
        if bound is not None:
            bound(*arguments)

    return call


def close_part(widget: Widget) -> None:
    """Close a widget, what lies in it, and the layout and style of each. Idempotent."""
    if isinstance(widget, Box):
        for child in widget.children:
            close_part(child)
    # looked up by name: ipywidgets gives the classes of widgets that have them no common name
    for part in (getattr(widget, name, None) for name in ("layout", "style")):
        if isinstance(part, Widget):
            part.close()
    widget.close()
