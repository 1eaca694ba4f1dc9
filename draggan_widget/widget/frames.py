"""Draws, encodes and sends frames on a session's worker, as long as clients have credit for them.

During a drag each step that has credit is sent as a preview, or as the full picture where full pictures take less than
a quarter of the time. A step that computed only windows of its feature map has no map to preview; such previews may
take half of the time. While no drag runs, the full picture is sent at once, and the lossless one a moment later.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import Cancelled, ConfigError
from draggan_widget.images import encode, poster, to_uint8
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget.credit import Credit
from draggan_widget.widget.messages import pairs

Send = Callable[[dict[str, Any], list[bytes]], None]
FULL_SHARE = 0.25  # share of the time of a running drag that full pictures may take
PREVIEW_SHARE = 0.5  # share that previews may take for which the feature map must be computed
REST_SECONDS = 0.3  # time from the last step to the lossless picture
RATE_WINDOW = 2.0  # seconds over which steps per second are counted


@dataclass
class _Pace:
    """Decides when something may be drawn again, so that drawing takes at most its share of the time.

    Attributes:
        share: share of the time, 0 to 1.
        cost: time that the last drawing took, s; 0 before the first.
        ended: time when the last drawing ended, s.
    """

    share: float
    cost: float = 0.0
    ended: float = float("-inf")

    def due(self, now: float) -> bool:
        return now - self.ended >= self.cost * (1 / self.share - 1)

    def took(self, began: float, ended: float) -> None:
        self.cost, self.ended = ended - began, ended


class Frames:
    """Sends the pictures of a session while every client has credit."""

    def __init__(
        self,
        session: DragSession,
        send: Send,
        blocked: Callable[[], bool],
        keep_poster: Callable[[bytes], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        """Prepare to send; the first view that opens is sent the picture.

        Args:
            session: the session to show.
            send: sends one message with buffers to the browser; any thread.
            blocked: whether the kernel can hear no reply now.
            keep_poster: takes a small JPEG whenever the lossless picture is due.
            clock: gives the time, s.
        """
        self._session, self._controller = session, controller_of(session)
        self._send, self._blocked, self._keep_poster, self._clock = send, blocked, keep_poster, clock
        self._lock = threading.Lock()
        self._credit = Credit()
        self._seq = 0
        self._picture_owed = self._delivery_queued = False
        self._colab = False
        self._slot: tuple[dict[str, Any], list[bytes]] | None = None
        self._drawn: tuple[DragStep, np.ndarray] | None = None
        self._pictures, self._previews = _Pace(FULL_SHARE), _Pace(PREVIEW_SHARE)
        self._step_times: deque[float] = deque(maxlen=256)

    # From the browser: cheap, any thread

    def hello(self, client: str, colab: bool) -> None:
        """Send the picture to a view that was opened."""
        with self._lock:
            self._credit.hello(client, colab, self._clock())
            self._colab = self._colab or colab
        self.deliver_soon()

    def shown(self, client: str, seq: int) -> None:
        """Note that a client has shown a frame: one credit comes back."""
        with self._lock:
            known = self._credit.shown(client, seq, self._clock())
            if not known:
                self._credit.hello(client, self._colab, self._clock())
            owed = self._picture_owed
        if owed:
            self.deliver_soon()

    def heard(self, client: str) -> None:
        """Note any message of a client: it is still there."""
        with self._lock:
            self._credit.heard(client, self._clock())

    def tick(self, client: str) -> None:
        """On Colab: send the frame that the worker left encoded."""
        self.heard(client)
        with self._lock:
            slot, self._slot = self._slot, None
        if slot is not None:
            self._send(*slot)

    # From the kernel's main thread

    def poster_now(self) -> bytes | None:
        """The current picture as a small JPEG, or None; its pixels are kept for the frame that is due next."""
        step = self._session.current
        try:
            pixels = step.pixels()
        except Exception:  # noqa: BLE001 - `_deliver` reports a picture that cannot be drawn
            return None
        self._drawn = (step, pixels)
        return poster(pixels)

    # From the session

    def handle(self, event: events.Event) -> None:
        """Send the picture after an event; steps come on the worker."""
        if isinstance(event, events.Stepped):
            self._offer(event.step)
        elif isinstance(event, (events.Ended, events.StateChanged, events.Failed)):
            self._drawn = None
            self._step_times.clear()
            self.deliver_soon()

    def deliver_soon(self) -> None:
        """Send the picture while no drag runs, once for all requests that come before the worker begins."""
        with self._lock:
            queued, self._delivery_queued = self._delivery_queued, True
        if not queued:
            self._controller.worker.submit(self._deliver)

    def _offer(self, step: DragStep) -> None:
        """Send a frame of a new step where there is credit and time."""
        now = self._clock()
        self._step_times.append(now)
        if step.ended is not None or not self._allowed():
            return
        due = self._pictures.due(now)
        with contextlib.suppress(Cancelled):
            try:
                if due and self._pictures.cost > 0:
                    self._emit("picture", step, self._full(step))
                elif step.current.get() is not None or self._previews.due(now):
                    self._emit("preview", step, self._preview(step))
            except ConfigError:  # this block has no preview: only full pictures, at their pace
                if due:
                    self._emit("picture", step, self._full(step))

    def _deliver(self) -> None:
        """Send the full picture, on the worker, and the lossless one if nothing else happens."""
        self._delivery_queued = False
        step = self._session.current
        if self._session.status != "idle":
            return
        if not self._allowed():
            self._picture_owed = True
            self._try_later(self._deliver)
            return
        self._picture_owed = False
        try:
            pixels = self._full(step)
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - a picture that cannot be drawn is reported in the widget
            self._send({"type": "failed", "message": str(error), "rid": None, "client": None}, [])
            return
        self._emit("picture", step, pixels)
        self._controller.worker.after_rest(REST_SECONDS, lambda: self._finish(step, pixels))

    def _finish(self, step: DragStep, pixels: np.ndarray) -> None:
        if self._rests_at(step):
            self._keep_poster(poster(pixels))
            self._deliver_final(step, pixels)

    def _deliver_final(self, step: DragStep, pixels: np.ndarray) -> None:
        if not self._rests_at(step):
            return
        if self._allowed():
            self._emit("final", step, pixels)
        else:
            self._try_later(lambda: self._deliver_final(step, pixels))

    def _try_later(self, job: Callable[[], None]) -> None:
        """Run a job after a pause if a client is connected, because a credit may have been lost."""
        with self._lock:
            clients = self._credit.clients
        if clients:
            self._controller.worker.after_rest(REST_SECONDS, job)

    def _is_current(self, step: DragStep) -> bool:
        """Whether the picture still is that of this step; an edit makes another step of the same latent."""
        return self._session.current.ws is step.ws

    def _rests_at(self, step: DragStep) -> bool:
        return self._session.status == "idle" and self._is_current(step)

    def _allowed(self) -> bool:
        blocked = self._blocked()
        with self._lock:
            return self._credit.allows(self._clock(), blocked)

    def _full(self, step: DragStep) -> np.ndarray:
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn[0] is step:
            return drawn[1]
        began = self._clock()
        pixels = step.pixels(cancelled=lambda: self._controller.worker.closed or not self._is_current(step))
        self._pictures.took(began, self._clock())
        return pixels

    def _preview(self, step: DragStep) -> np.ndarray:
        has_map, began = step.current.get() is not None, self._clock()
        try:
            return to_uint8(step.preview())
        finally:  # the map was computed even where there is no preview of it
            if not has_map:
                self._previews.took(began, self._clock())

    def _emit(self, kind: str, step: DragStep, pixels: np.ndarray) -> None:
        mime = "image/png" if kind == "final" else "image/jpeg"
        data = encode(pixels, mime)
        now = self._clock()
        current, revision = self._controller.step_and_revision()
        if current.ws is not step.ws or self._controller.worker.closed:  # meanwhile an undo, or the end
            return
        with self._lock:
            self._seq += 1
            content = self._content(kind, mime, pixels, current, revision)
            self._credit.sent(self._seq, now)
            if self._colab and self._session.status == "running":
                self._slot = (content, [data])
                return
            self._slot = None
        self._send(content, [data])

    def _content(self, kind: str, mime: str, pixels: np.ndarray, step: DragStep, revision: int) -> dict[str, Any]:
        return {
            "type": "frame",
            "seq": self._seq,
            "step": step.index,
            "kind": kind,
            "mime": mime,
            "width": pixels.shape[1],
            "height": pixels.shape[0],
            "revision": revision,
            "handles": pairs(step.handles),
            "distances": list(step.distances),
            "steps_per_second": self._rate(),
            "seed": self._session.seed,
        }

    def _rate(self) -> float | None:
        now = self._clock()
        recent = [moment for moment in self._step_times if now - moment <= RATE_WINDOW]
        if len(recent) < 2 or recent[-1] == recent[0]:
            return None
        return (len(recent) - 1) / (recent[-1] - recent[0])
