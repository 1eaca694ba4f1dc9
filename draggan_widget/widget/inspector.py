"""`FeatureInspector`: the picture of a step beside a view of one of its feature maps.

Everything that takes time is computed on a worker of its own, the newest request first; handlers only submit requests,
and the results are drawn on the kernel's main thread.
"""

import threading
import time
import weakref
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, Widget

from draggan_widget.engine.record import DragRecord
from draggan_widget.geometry import Point
from draggan_widget.session import events
from draggan_widget.session.session import DragSession
from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.box import BoardBox, set_last
from draggan_widget.widget.canvas_points import CanvasPoints
from draggan_widget.widget.html_text import error_html, progress_html, text_html, vector_html
from draggan_widget.widget.inspector_model import InspectorModel, ViewRequest, ViewResult
from draggan_widget.widget.kernel import MainLoop
from draggan_widget.widget.latest_worker import LatestWorker
from draggan_widget.widget.lifecycle import weak_callback

SHOWN = 400  # css px of the longer side of either picture
ROOM = (
    "min(100% - 4px, max(260px, 50% - 8px))"  # css width of each: side by side, or one below the other in a narrow cell
)
STILL_SECONDS = 10.0  # the longest wait for the first picture of an output: the cell waits, too
FOLLOW_SECONDS = 0.5  # between two pictures during a drag: nobody confirms them, so they must not pile up
VIEWS = {
    "Colours (PCA)": "colours",
    "One channel": "channel",
    "Cosine similarity": "similarity",
    "L2 distance": "L2",
    "Difference to the start": "difference",
    "Tracker's cost": "cost",
}
HINT = "Move over the picture or the map for the feature vector there; click for the similarity to it."


class FeatureInspector(BoardBox):
    """Shows the feature maps of a drag by block, view and step; hover for a feature vector, click for similarity."""

    def __init__(self, source: DragSession | DragRecord):
        """Open the inspector at the newest step.

        Args:
            source: a session, which the inspector follows even while it drags, or a record.

        Raises:
            RecordError: the record has no steps, or was read from a file without its generator.
        """
        self._model = InspectorModel(source)
        generator, block = self._model.generator, self._model.config.block
        self._main = MainLoop()
        self._worker = LatestWorker("draggan-inspector", weak_callback(weakref.WeakMethod(self._show_error)))
        height, width = generator.image_size
        self._pixel: Point = (float(width // 2), float(height // 2))
        self._picture = Board((height, width), SHOWN, self._main, ROOM)
        self._map = Board((height, width), SHOWN, self._main, ROOM)
        self._followed = float("-inf")
        sizes = [generator.block_size(number) for number in range(generator.num_blocks)]
        blocks = [(f"{number}: {high} x {wide}", number) for number, (high, wide) in enumerate(sizes)]
        self.block = Dropdown(options=blocks, value=block, description="Block")
        self.view = Dropdown(options=VIEWS, value="colours", description="View")
        self.rank = IntSlider(value=1, min=1, max=2, description="By variance")
        self.point = Dropdown(options=[("1", 0)], value=0, description="Handle")
        self._unsubscribe = _no_subscription
        self._last, self._channels = len(self._model.steps()) - 1, 1
        wide = Layout(width="calc(100% - 4px)", max_width="420px")
        self.step = IntSlider(value=self._last, min=0, max=max(self._last, 1), description="Step", layout=wide)
        self.progress, self.caption, self.vector = HTML(), HTML(), HTML(text_html(HINT))
        self._listen()
        super().__init__(self._rows())
        if isinstance(source, DragSession):
            self._unsubscribe = source.subscribe(weak_callback(weakref.WeakMethod(self._on_event)))
        self._request_view()

    def _release(self) -> None:
        self._unsubscribe()
        self._worker.close()
        self._picture.close()
        self._map.close()

    def _boards(self) -> tuple[Board, Board]:
        shown = threading.Event()
        self._worker.submit("still", shown.set)  # after the view that was asked for before
        shown.wait(STILL_SECONDS)
        return self._picture, self._map

    def __repr__(self) -> str:
        return f"FeatureInspector({self._model.source!r}): to show it, make it the last line of a notebook cell"

    def _rows(self) -> list[Widget]:
        self._fit_controls()
        first = HBox([self.block, self.view, self.rank, self.point], layout=Layout(flex_flow="row wrap"))
        beside = HBox(
            [self._picture.canvas, self._map.canvas],
            layout=Layout(align_items="flex-start", grid_gap="8px", flex_flow="row wrap"),
        )
        return [first, beside, self.step, self.progress, self.caption, self.vector]

    def _listen(self) -> None:
        for control in (self.block, self.view, self.rank, self.point, self.step):
            control.observe(self._on_control, "value")
        for board in (self._picture, self._map):
            board.on_move(self._on_hover)
            board.on_press(self._on_press)

    # From the browser or the session: cheap, any thread

    def _on_control(self, _: dict) -> None:
        self._main.call(self._fit_controls)
        self._request_view()

    def _on_hover(self, pixel: Point) -> None:
        self._worker.submit("vector", lambda: self._show_vector(pixel))

    def _on_press(self, pixel: Point) -> None:
        self._pixel = pixel
        if self.view.value in ("similarity", "L2"):
            self._request_view()
        else:
            self._main.call(lambda: setattr(self.view, "value", "similarity"))

    def _on_event(self, event: events.Event) -> None:
        now = time.monotonic()
        if isinstance(event, events.Stepped) and now - self._followed < FOLLOW_SECONDS:
            return
        self._followed = now
        self._main.call(self._follow)

    def _request_view(self) -> None:
        request = ViewRequest(
            position=self.step.value,
            block=_value(self.block),
            view=_value(self.view),
            rank=self.rank.value,
            point=_value(self.point),
            pixel=self._pixel,
        )
        self._worker.submit("view", lambda: self._show_view(request))

    # On the worker

    def _show_view(self, request: ViewRequest) -> None:
        result = self._model.compute(request)
        handles, chosen = result.step.handles, result.view.chosen
        pixel = request.pixel if request.view in ("similarity", "L2") else None
        self._picture.show(Scene(result.picture, CanvasPoints(handles, result.step.targets, pixel=pixel)))
        # no dot at the handle over the tracker's cost: it would hide the lowest cost
        over_map = CanvasPoints(handles, pixel=pixel) if chosen is None else CanvasPoints(pixel=chosen)
        self._map.show(Scene(result.view.pixels, over_map))
        self._main.call(lambda: self._update(request, result))

    def _show_vector(self, pixel: Point) -> None:
        found = self._model.vector(pixel)
        if found is not None:
            self._set_html(self.vector, vector_html(pixel, *found))

    def _show_error(self, error: Exception) -> None:
        self._set_html(self.caption, error_html(error))

    def _set_html(self, line: HTML, html: str) -> None:
        self._main.call(lambda: setattr(line, "value", html))

    # On the main thread

    def _follow(self) -> None:
        """Take the session's new number of steps, and show its newest step where the newest was shown."""
        if self.comm is None:
            return
        last = len(self._model.steps()) - 1
        newest = self.step.value >= self._last or self.step.value > last
        self._last = last
        self._fit_controls()
        if newest:
            self.step.value = last
            self._request_view()  # even where the number is the same: after an undo it is another step

    def _fit_controls(self) -> None:
        set_last(self.step, self._last)
        set_last(self.rank, self._channels)
        if self.view.value != "channel":
            self.rank.layout.display = "none"
        self.point.layout.display = None if self.view.value == "cost" else "none"

    def _update(self, request: ViewRequest, result: ViewResult) -> None:
        if self.comm is None:
            return
        self._channels = result.channels
        self._fit_controls()
        handles = [(str(number + 1), number) for number in range(max(len(result.step.handles), 1))]
        if list(self.point.options) != handles:
            kept = self.point.value
            self.point.options = handles
            self.point.value = min(kept or 0, len(handles) - 1)
        self.progress.value = progress_html(min(request.position, result.last), result.last, result.step)
        self.caption.value = text_html(f"Block {request.block}: {result.view.caption}")


def _no_subscription() -> None:
    """Does nothing: a record sends no events."""


def _value(menu: Dropdown) -> Any:
    """The chosen value of a menu; pyright takes it for optional, but these menus always have one."""
    return menu.value
