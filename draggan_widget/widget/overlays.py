"""What lies over the widget's picture: a view of the supervised feature map, or an array from Python.

A view is computed on the session's worker whenever it rests, and is taken away while a drag runs: a map of the state
before would say wrong things about the picture under it, and one a step would cost the drag its speed. An array from
Python stays until it is taken away. The browser enlarges either smoothly to the picture.
"""

import io
import threading
from typing import Any, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.inspection.cost_surface import tracking_cost
from draggan_widget.inspection.feature_maps import FeatureColours, channels_by_variance, difference, similarity
from draggan_widget.inspection.records import recorded_config
from draggan_widget.session import events
from draggan_widget.session.session import DragSession
from draggan_widget.widget.frames import Send
from draggan_widget.widget.messages import OverlayWord
from draggan_widget.widget.views import heat

OPACITY = 0.6


class Overlays:
    """One session's overlay, told to every client.

    Args:
        session: whose maps.
        send: puts one message with buffers on the wire; any thread.
    """

    def __init__(self, session: DragSession, send: Send):
        self._session, self._send = session, send
        self._lock = threading.Lock()
        self._view: OverlayWord | Literal["given"] = "none"
        self._opacity = OPACITY
        self._png: bytes | None = None
        self._asked = False

    def give(self, array: np.ndarray | Tensor | None, opacity: float) -> None:
        """Show an array, or nothing; ConfigError where it is no picture."""
        number = isinstance(opacity, (int, float, np.number)) and not isinstance(opacity, bool)
        if not (number and 0.0 <= opacity <= 1.0):
            raise ConfigError(f"opacity is {opacity!r}; expected a number from 0 to 1")
        png = None if array is None else _png(_as_colours(array))
        with self._lock:
            self._view, self._png, self._opacity = "none" if png is None else "given", png, float(opacity)
        self.tell()

    def choose(self, view: OverlayWord) -> None:
        """Show a view of the map, or nothing; cheap, any thread."""
        with self._lock:
            self._view, self._png, self._opacity = view, None, OPACITY
        self.tell()
        self.refresh()

    def tell(self) -> None:
        """What is shown now; without a buffer nothing is."""
        with self._lock:
            content: dict[str, Any] = {"type": "overlay", "view": self._view, "opacity": self._opacity}
            buffers = [] if self._png is None else [self._png]
        self._send({**content, "shown": bool(buffers)}, buffers)

    def handle(self, event: events.Event) -> None:
        """Take a view away when a drag starts, and bring it when it rests."""
        if self._view in ("none", "given"):
            return
        if isinstance(event, events.Started):
            with self._lock:
                self._png = None
            self.tell()
        elif not isinstance(event, events.Stepped):
            self.refresh()

    def refresh(self) -> None:
        """Have the worker compute the view, once for all who ask before it begins."""
        with self._lock:
            needless = self._asked or self._view in ("none", "given")
            self._asked = self._asked or not needless
        if not needless:
            self._session.runner.submit(self._compute)

    def _compute(self) -> None:
        """On the worker, at rest."""
        with self._lock:
            self._asked, view = False, self._view
        if self._session.status != "idle" or view in ("none", "given"):
            return
        step = self._session.current
        try:
            png = _png(self._pixels(view, step))
        except Exception as error:  # noqa: BLE001 - a map that cannot be shown is said in the widget
            with self._lock:
                self._png = None  # else that of another state would stay over this one
            self.tell()
            self._send({"type": "failed", "message": str(error), "rid": None, "client": None}, [])
            return
        with self._lock:
            if self._view != view:
                return
            self._png = png
        self.tell()

    def _pixels(self, view: str, step: DragStep) -> np.ndarray:
        block = self._session.config.block
        start = self._session.record[0] if len(self._session.record) else step
        features = step.features(block)
        if view == "colours":
            return FeatureColours.fit(start, block).of(features)
        if view == "difference":
            return heat(difference(features, start.features(block)))
        if view == "channel":
            return heat(features.whole[int(channels_by_variance(features)[0])].cpu().numpy())
        if not step.handles:
            raise ConfigError("there are no points; this view is that of the last handle; set one")
        if view == "cost":
            return self._cost(step)
        size = self._session.generator.image_size
        return heat(similarity(features, step.handles[-1], size, "L2" if view == "L2" else "cosine"))

    def _cost(self, step: DragStep) -> np.ndarray:
        """The square that was searched, in colours; see-through around it."""
        record = self._session.record
        found = tracking_cost(step, len(step.handles) - 1, recorded_config(record) or self._session.config, record)
        values = np.full(self._session.generator.image_size, np.nan)
        values[np.ix_(np.rint(found.ys).astype(int), np.rint(found.xs).astype(int))] = found.cost
        return _as_colours(values)


def _as_colours(array: np.ndarray | Tensor) -> np.ndarray:
    """An array as 8-bit colours; numbers that are not finite become see-through."""
    array = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
    if array.ndim == 2 and array.size and array.dtype.kind in "biuf":  # a mask, whole numbers or floats
        clear = np.where(np.isfinite(array), 255, 0).astype(np.uint8)
        return np.concatenate([heat(array.astype(np.float64)), clear[..., None]], axis=2)
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
