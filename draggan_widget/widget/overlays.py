"""The overlay on the widget's picture: a view of the supervised feature map, or an array from Python.

A view is computed on the session's worker whenever no drag runs, and is removed while one runs: the map of an older
state would not fit the picture under it, and a map at every step would slow the drag down. An array from Python stays
until it is removed. The browser enlarges either smoothly to the picture.
"""

import io
import threading
from typing import Any, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.geometry import Point
from draggan_widget.inspection.cost_surface import tracking_cost
from draggan_widget.inspection.feature_maps import FeatureColours
from draggan_widget.inspection.records import recorded_config
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget import views
from draggan_widget.widget.frames import Send
from draggan_widget.widget.messages import OverlayView
from draggan_widget.widget.views import ViewName

OPACITY = 0.6


class Overlays:
    """The overlay of one session, sent to every client."""

    def __init__(self, session: DragSession, send: Send):
        """Begin without an overlay.

        Args:
            session: the session whose feature map is shown.
            send: sends one message with buffers to the browser; any thread.
        """
        self._session, self._send = session, send
        self._lock = threading.Lock()
        self._view: OverlayView | Literal["given"] = "none"
        self._opacity = OPACITY
        self._png: bytes | None = None
        self._queued = False

    def show_array(self, array: np.ndarray | Tensor | None, opacity: float) -> None:
        """Show an array; None shows nothing.

        Raises:
            ConfigError: the array cannot be shown as a picture, or the opacity is not from 0 to 1.
        """
        number = isinstance(opacity, (int, float, np.number)) and not isinstance(opacity, bool)
        if not (number and 0.0 <= opacity <= 1.0):
            raise ConfigError(f"opacity is {opacity!r}; expected a number from 0 to 1")
        png = None if array is None else _png(_as_colours(array))
        with self._lock:
            self._view, self._png, self._opacity = "none" if png is None else "given", png, float(opacity)
        self.tell()

    def choose(self, view: OverlayView) -> None:
        """Show a view of the map; "none" shows nothing. Cheap, any thread."""
        with self._lock:
            self._view, self._png, self._opacity = view, None, OPACITY
        self.tell()
        self.refresh()

    def tell(self) -> None:
        """Send the current overlay; a message without a buffer shows nothing."""
        with self._lock:
            content: dict[str, Any] = {"type": "overlay", "view": self._view, "opacity": self._opacity}
            buffers = [] if self._png is None else [self._png]
        self._send({**content, "shown": bool(buffers)}, buffers)

    def handle(self, event: events.Event) -> None:
        """Remove a view when a drag starts, and compute it again when the state changed and no drag runs."""
        if self._view in ("none", "given"):
            return
        if isinstance(event, events.Started):
            with self._lock:
                self._png = None
            self.tell()
        elif not isinstance(event, events.Stepped):
            self.refresh()

    def refresh(self) -> None:
        """Compute the view on the worker, once for all requests that come before it begins."""
        with self._lock:
            needless = self._queued or self._view in ("none", "given")
            self._queued = self._queued or not needless
        if not needless:
            controller_of(self._session).worker.submit(self._compute)

    def _compute(self) -> None:
        """Compute and send the view, on the worker, unless a drag runs."""
        with self._lock:
            self._queued, view = False, self._view
        if self._session.status != "idle" or view in ("none", "given"):
            return
        step = self._session.current
        try:
            png = _png(self._render(view, step))
        except Exception as error:  # noqa: BLE001 - a map that cannot be shown is reported in the widget
            with self._lock:
                self._png = None  # else the map of another state would stay over this one
            self.tell()
            self._send({"type": "failed", "message": str(error), "rid": None, "client": None}, [])
            return
        with self._lock:
            if self._view != view:
                return
            self._png = png
        self.tell()

    def _render(self, view: ViewName, step: DragStep) -> np.ndarray:
        session = self._session
        block, size, record = session.config.block, session.generator.image_size, session.record
        start = record[0] if len(record) else step
        features = step.features(block)
        match view:
            case "colours":
                return views.colours_view(features, FeatureColours.fit(start, block)).pixels
            case "difference":
                return views.difference_view(features, start.features(block)).pixels
            case "channel":
                return views.channel_view(features, 1).pixels
            case "similarity" | "L2":
                return views.similarity_view(features, _last_handle(step), size, view).pixels
            case "cost":
                _last_handle(step)
                found = tracking_cost(step, len(step.handles) - 1, recorded_config(record) or session.config, record)
                return _as_colours(views.cost_at_pixels(found, size))


def _last_handle(step: DragStep) -> Point:
    if not step.handles:
        raise ConfigError("this view needs a handle; set one")
    return step.handles[-1]


def _as_colours(array: np.ndarray | Tensor) -> np.ndarray:
    """An array as 8-bit colours; numbers that are not finite become transparent."""
    array = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
    if array.ndim == 2 and array.size and array.dtype.kind in "biuf":  # a mask, whole numbers or floats
        alpha = np.where(np.isfinite(array), 255, 0).astype(np.uint8)
        return np.concatenate([views.heat(array.astype(np.float64)), alpha[..., None]], axis=2)
    if array.ndim == 3 and array.size and array.shape[2] in (3, 4) and array.dtype == np.uint8:
        return array
    raise ConfigError(
        f"the overlay has shape {array.shape} and type {array.dtype}; expected (height, width) of numbers, or "
        "(height, width, 3 or 4) of uint8"
    )


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
