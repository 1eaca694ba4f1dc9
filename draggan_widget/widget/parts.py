"""Closing a view with all it is made of: ipywidgets keeps every widget that is not closed, and what that one holds."""

from ipywidgets import Box, Widget


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
