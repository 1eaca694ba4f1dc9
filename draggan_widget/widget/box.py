"""The front end of a box of classic widgets: it keeps the keys typed in the box from the notebook."""

from pathlib import Path

import anywidget
from ipywidgets import Layout

STATIC = Path(__file__).parent / "static"


class BoxFrontEnd(anywidget.AnyWidget):
    """A child of the box that it serves; it takes no room there."""

    _esm = (STATIC / "box.js").read_text("utf-8")
    _css = (STATIC / "box.css").read_text("utf-8")

    def __init__(self) -> None:
        super().__init__(layout=Layout(display="none"))
