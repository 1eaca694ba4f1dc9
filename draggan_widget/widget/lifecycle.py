"""The list of open widgets, and closing one with all its parts: ipywidgets itself keeps every widget for good."""

import weakref
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from ipywidgets import Box, Widget

from draggan_widget.widget.kernel import at_end_of_marimo_cell

_open: "weakref.WeakSet[Closable]" = weakref.WeakSet()


@runtime_checkable
class Closable(Protocol):
    """A widget that can be listed here.

    Attributes:
        cell: the cell that made it, as `kernel.cell_identity` gives it; None outside a notebook.
    """

    cell: tuple[str, str] | None

    def close(self) -> None:
        """End its worker and remove the view."""
        ...


def register(widget: Closable) -> None:
    """Add a new widget; close those that an earlier execution of the same cell opened."""
    cell = widget.cell
    for other in list(_open):
        if cell is not None and other.cell is not None and other.cell[0] == cell[0] and other.cell[1] != cell[1]:
            other.close()
    at_end_of_marimo_cell(weak_callback(weakref.WeakMethod(widget.close)))
    _open.add(widget)


def unregister(widget: Closable) -> None:
    """Remove a closed widget."""
    _open.discard(widget)


def close_all() -> int:
    """Close every open widget, replay and inspector, and release the device memory. Returns how many were open."""
    widgets = list(_open)
    for widget in widgets:
        widget.close()
    return len(widgets)


def weak_callback(method: "weakref.WeakMethod[Callable[..., None]]") -> Callable[..., None]:
    """A function that calls a method while its object exists, so that a worker does not keep a widget alive."""

    def call(*arguments: object) -> None:
        bound = method()
        if bound is not None:
            bound(*arguments)

    return call


def close_tree(widget: Widget) -> None:
    """Close a widget, the widgets in it, and the layout and style of each. Idempotent."""
    if isinstance(widget, Box):
        for child in widget.children:
            close_tree(child)
    # looked up by name: ipywidgets has no common base class of the widgets with a layout or style
    for part in (getattr(widget, name, None) for name in ("layout", "style")):
        if isinstance(part, Widget):
            part.close()
    widget.close()
