"""`TrajectoryReplay`: a drag played again, with the ways of its points.

The browser keeps the time: its play button moves the slider, which ipywidgets sends again only once the kernel has
answered, and of the steps asked for the newest is drawn. So nothing piles up, however slow the line.
"""

import threading
import weakref
from collections import OrderedDict

import numpy as np
from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, Play, VBox, jslink
from jaxtyping import UInt8

from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.geometry import Point
from draggan_widget.inspection.records import require_steps
from draggan_widget.session.session import DragSession
from draggan_widget.widget import lifecycle
from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.canvas_points import Marks
from draggan_widget.widget.html_text import error_line, progress_words
from draggan_widget.widget.kernel import MainLoop, cell_identity
from draggan_widget.widget.latest_worker import Newest
from draggan_widget.widget.lifecycle import close_part, weakly

SHOWN = 512  # css px of the longer side
KEPT = 64 * 10**6  # bytes of drawn pictures
PACES = {"½ ×": 200, "1 ×": 100, "2 ×": 50, "4 ×": 25}  # ms between two steps


class TrajectoryReplay(VBox):
    """Plays the steps of a record in a notebook cell: picture, handles, targets and the ways so far."""

    cell: tuple[str, str] | None = None  # where it was made; also before __init__ came that far, for `close`

    def __init__(self, record: DragRecord | DragSession):
        """Open it at the first step.

        Args:
            record: of a drag, or the session that holds it; the steps that it has now.

        Raises:
            RecordError: it has no steps, or was read from a file without its generator.
        """
        self._steps = require_steps(record.record if isinstance(record, DragSession) else record).steps
        self._pictures = _Pictures(self._steps)
        first = self._pictures[0]
        self._main = MainLoop()
        self._board = Board((first.shape[0], first.shape[1]), SHOWN, self._main)
        self._newest = Newest("draggan-replay", weakly(weakref.WeakMethod(self._fail)))
        last = len(self._steps) - 1
        self.play = Play(min=0, max=last, interval=PACES["1 ×"])
        self.slider = IntSlider(min=0, max=last, readout=False, layout=Layout(flex="1 1 0", min_width="120px"))
        self.pace = Dropdown(options=list(PACES), value="1 ×", layout=Layout(width="70px"))
        self.words = HTML()
        self._link = jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self._moved, "value")
        self.pace.observe(self._paced, "value")
        bar = HBox([self.play, self.slider, self.pace], layout=Layout(width=f"{SHOWN}px", max_width="100%"))
        super().__init__([self._board.canvas, bar, self.words])
        self.cell = cell_identity()
        lifecycle.note(self)
        self._show(0)

    def close(self) -> None:
        """End its worker and remove the view. Idempotent."""
        lifecycle.forget(self)
        if "_newest" not in vars(self):  # refused by __init__
            return
        self._newest.close()
        self._board.close()
        self._link.close()
        for part in (*self.children, self.layout):
            close_part(part)
        super().close()

    def __repr__(self) -> str:
        return f"TrajectoryReplay({len(self._steps)} steps): shows where it is a cell's last line"

    # From the browser: cheap, any thread

    def _moved(self, change: dict) -> None:
        position = int(change["new"])
        self._newest.ask("step", lambda: self._show(position))

    def _paced(self, change: dict) -> None:
        self.play.interval = PACES[change["new"]]

    # On the worker

    def _show(self, position: int) -> None:
        step = self._steps[position]
        marks = Marks(step.handles, step.targets, self._ways(position))
        self._board.show(Scene(self._pictures[position], marks))
        self._say(progress_words(position, len(self._steps) - 1, step))

    def _ways(self, position: int) -> tuple[tuple[Point, ...], ...]:
        """Of each handle to this step, as far back as the points are the same."""
        edit = self._steps[position].edit
        first = position
        while first > 0 and self._steps[first - 1].edit.handles == edit.handles:
            first -= 1
        walked = [step.handles for step in self._steps[first : position + 1]]
        return tuple(zip(*walked, strict=True))

    def _fail(self, error: Exception) -> None:
        self._say(error_line(error))

    def _say(self, words: str) -> None:
        self._main.call(lambda: setattr(self.words, "value", words))


class _Pictures:
    """Pictures of steps, drawn when first asked for; the latest are kept."""

    def __init__(self, steps: list[DragStep]):
        self._steps = steps
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        with self._lock:
            found = self._kept.pop(position, None)
            if found is None:
                found = self._steps[position].pixels()
            self._kept[position] = found
            while len(self._kept) > 1 and len(self._kept) * found.nbytes > KEPT:
                self._kept.popitem(last=False)
            return found
