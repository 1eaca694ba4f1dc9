"""What replay and inspector are: a box of classic widgets with a front end and a still picture of its own."""

from abc import abstractmethod
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import HTML
from ipywidgets import IntSlider, Layout, VBox, Widget
from PIL import Image

from draggan_widget.widget import lifecycle
from draggan_widget.widget.board import Board
from draggan_widget.widget.html_text import text_html
from draggan_widget.widget.kernel import cell_identity, rerun_words
from draggan_widget.widget.lifecycle import close_tree
from draggan_widget.widget.static_output import StaticOutput

STATIC = Path(__file__).parent / "static"
GAP = 8  # px between two pictures in a still


class BoxFrontEnd(anywidget.AnyWidget):
    """A child of the box that it serves; it takes no room there. It keeps the keys typed in the box from the notebook.

    On Colab, to make it also turns on the widget manager that can show ipycanvas.
    """

    _esm = (STATIC / "box.js").read_text("utf-8")
    _css = (STATIC / "box.css").read_text("utf-8")

    _last_words = traitlets.Unicode("").tag(sync=True)  # what stays below the picture once the box's cell ran again

    def __init__(self) -> None:
        super().__init__(layout=Layout(display="none"))


class BoardBox(StaticOutput, VBox):
    """A box of classic widgets around boards; it is closed when its cell runs again."""

    cell: tuple[str, str] | None = None  # the cell that made it; `close` reads it even if `__init__` raised

    def __init__(self, children: Sequence[Widget]):
        """Make the box and register it.

        Args:
            children: the widgets in the box, from top to bottom.
        """
        self._front_end = BoxFrontEnd()
        super().__init__([*children, self._front_end])
        self.cell = cell_identity()
        lifecycle.register(self)

    def close(self) -> None:
        """End its worker and remove the view. Idempotent.

        Where its own cell runs again, a further view of it elsewhere keeps the picture and says so.
        """
        lifecycle.unregister(self)
        if "_front_end" not in vars(self):  # `__init__` raised
            return
        if self.comm is not None:
            self._front_end._last_words = rerun_words(self.cell)
        close_tree(self._front_end)  # before the boards: its view copies what they show
        self._release()
        for part in (*self.children, self.layout):
            close_tree(part)
        super().close()

    @abstractmethod
    def _release(self) -> None:
        """End what the box needs besides its children: worker, subscription, boards. Idempotent."""

    @abstractmethod
    def _boards(self) -> Sequence[Board]:
        """The boards of the box, from left to right, once they have been given what they show first."""

    def _view_bundle(self) -> tuple[dict[str, Any], dict[str, Any]] | dict[str, Any] | None:
        """As of the front end, which knows what the host's widget manager needs, but with the id of the box."""
        bundle = self._front_end._repr_mimebundle_()
        if bundle is None:
            return None
        data, metadata = bundle
        shown = {mime: {**view, "model_id": self.model_id} for mime, view in data.items() if isinstance(view, dict)}
        return {**data, **shown}, metadata

    def _still(self) -> bytes:
        pictures = [picture for board in self._boards() if (picture := board.still()) is not None]
        if not pictures:
            return b""
        width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
        beside = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
        left = 0
        for picture in pictures:
            beside.paste(picture, (left, 0))
            left += picture.width + GAP
        file = BytesIO()
        beside.save(file, "JPEG", quality=90)
        return file.getvalue()

    def _display_(self) -> HTML:
        """What marimo shows: it has no classic widgets, only those of anywidget."""
        name = type(self).__name__
        words = (
            f"marimo shows no classic widgets: this is a picture of the {name}, which works in JupyterLab, Notebook, "
            "VS Code and Colab. DragWidget works in marimo."
        )
        still = b64encode(self._still()).decode()
        image = f'<img src="data:image/jpeg;base64,{still}" alt="Picture of the {name}" style="max-width: 100%">'
        return HTML((image if still else "") + f"<div>{text_html(words)}</div>")


def set_last(slider: IntSlider, last: int) -> None:
    """Let a slider end at `last`, and hide it where nothing is to choose: in a browser, its two ends must differ."""
    slider.value = min(slider.value, last)
    slider.max = max(last, slider.min + 1)
    slider.layout.display = None if last > slider.min else "none"
