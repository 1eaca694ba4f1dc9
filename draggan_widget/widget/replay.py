"""`TrajectoryReplay`: plays the steps of a drag, with the paths of its points.

The browser keeps the time: its play button moves the slider, which ipywidgets sends again only once the kernel has
answered, and of the steps requested only the newest is drawn. So nothing piles up, however slow the connection.
"""

import threading
import weakref
from collections import OrderedDict

import numpy as np
from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, Play, jslink
from jaxtyping import UInt8

from draggan_widget.counts import counted
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.geometry import Point
from draggan_widget.inspection.records import require_steps
from draggan_widget.session.session import DragSession
from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.box import BoardBox
from draggan_widget.widget.canvas_points import CanvasPoints
from draggan_widget.widget.html_text import error_html, progress_html
from draggan_widget.widget.kernel import MainLoop
from draggan_widget.widget.latest_worker import LatestWorker
from draggan_widget.widget.lifecycle import weak_callback

SHOWN = 512  # css px of the longer side
CACHE_BYTES = 64 * 10**6  # bytes of drawn pictures
PACES = {"½ ×": 200, "1 ×": 100, "2 ×": 50, "4 ×": 25}  # ms between two steps


class TrajectoryReplay(BoardBox):
    """Plays the steps of a record in a notebook cell: picture, handles, targets and the paths so far."""

    def __init__(self, record: DragRecord | DragSession):
        """Open the replay at the first step.

        Args:
            record: the record of a drag, or the session that holds it; later steps are not shown.

        Raises:
            RecordError: the record has no steps, or was read from a file without its generator.
        """
        self._steps = require_steps(record.record if isinstance(record, DragSession) else record).steps
        self._pictures = _Pictures(self._steps)
        first = self._pictures[0]
        self._main = MainLoop()
        self._board = Board((first.shape[0], first.shape[1]), SHOWN, self._main)
        self._worker = LatestWorker("draggan-replay", weak_callback(weakref.WeakMethod(self._show_error)))
        last = len(self._steps) - 1
        self.play = Play(min=0, max=max(last, 1), interval=PACES["1 ×"])
        self.slider = IntSlider(min=0, max=max(last, 1), readout=False, layout=Layout(flex="1 1 0", min_width="120px"))
        self.pace = Dropdown(options=list(PACES), value="1 ×", layout=Layout(width="70px"))
        self.progress = HTML(progress_html(0, last, self._steps[0]))  # at once: on Colab a later message may wait
        self._link = jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self._on_slider, "value")
        self.pace.observe(self._on_pace, "value")
        bar = HBox([self.play, self.slider, self.pace], layout=Layout(width=f"{SHOWN}px", max_width="100%"))
        if last == 0:
            bar.layout.display = "none"  # nothing is to play
        super().__init__([self._board.canvas, bar, self.progress])
        self._show(0)

    def __repr__(self) -> str:
        steps = counted(len(self._steps), "step")
        return f"TrajectoryReplay({steps}): to show it, make it the last line of a notebook cell"

    def _release(self) -> None:
        self._worker.close()
        self._board.close()
        self._link.close()

    def _boards(self) -> tuple[Board]:
        return (self._board,)

    # From the browser: cheap, any thread

    def _on_slider(self, change: dict) -> None:
        position = min(int(change["new"]), len(self._steps) - 1)
        self._worker.submit("step", lambda: self._show(position))

    def _on_pace(self, change: dict) -> None:
        self.play.interval = PACES[change["new"]]

    # On the worker

    def _show(self, position: int) -> None:
        step = self._steps[position]
        points = CanvasPoints(step.handles, step.targets, self._paths(position))
        self._board.show(Scene(self._pictures[position], points, smooth=True))
        self._set_progress(progress_html(position, len(self._steps) - 1, step))

    def _paths(self, position: int) -> tuple[tuple[Point, ...], ...]:
        """The path of each handle to this step, from the step where the points were last changed."""
        edit = self._steps[position].edit
        first = position
        while first > 0 and self._steps[first - 1].edit.handles == edit.handles:
            first -= 1
        handles = [step.handles for step in self._steps[first : position + 1]]
        return tuple(zip(*handles, strict=True))

    def _show_error(self, error: Exception) -> None:
        self._set_progress(error_html(error))

    def _set_progress(self, html: str) -> None:
        self._main.call(lambda: setattr(self.progress, "value", html))


class _Pictures:
    """The pictures of steps, drawn when first read; the latest ones are kept."""

    def __init__(self, steps: list[DragStep]):
        self._steps = steps
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        with self._lock:
            found = self._cache.pop(position, None)
            if found is None:
                found = self._steps[position].pixels()
            self._cache[position] = found
            while len(self._cache) > 1 and len(self._cache) * found.nbytes > CACHE_BYTES:
                self._cache.popitem(last=False)
            return found
