"""Frames on credit: one subscriber of a session, drawing, encoding and sending on its worker.

While a drag runs: a preview each step that has credit, the full picture where it costs less than a quarter of the time.
A step that computed windows of its feature map only has no map to preview: previews may then take half of the time.
At rest: the full picture at once, the lossless one a moment later.
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
from draggan_widget.session.session import DragSession
from draggan_widget.widget.credit import Credit
from draggan_widget.widget.messages import pairs

Send = Callable[[dict[str, Any], list[bytes]], None]
FULL_SHARE = 0.25  # of the time of a running drag that full pictures may take
PREVIEW_SHARE = 0.5  # and previews for which the map must be computed
REST_SECONDS = 0.3  # after the last step the lossless picture follows
RATE_WINDOW = 2.0  # seconds over which steps per second are counted


@dataclass
class _Pace:
    """When something may be drawn again, so that it takes at most its share of the time.

    Attributes:
        share: of the time.
        cost: of the last one, seconds; 0 before the first.
        ended: when that was done.
    """

    share: float
    cost: float = 0.0
    ended: float = float("-inf")

    def due(self, now: float) -> bool:
        return now - self.ended >= self.cost * (1 / self.share - 1)

    def took(self, began: float, ended: float) -> None:
        self.cost, self.ended = ended - began, ended


class Frames:
    """Sends pictures of a session while somebody has credit for them.

    Args:
        session: whose pictures.
        send: puts one message with buffers on the wire; any thread.
        blocked: whether the kernel cannot hear replies now.
        keep_poster: takes a small JPEG whenever a drag rests.
        clock: seconds.
    """

    def __init__(
        self,
        session: DragSession,
        send: Send,
        blocked: Callable[[], bool],
        keep_poster: Callable[[bytes], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._session, self._send, self._blocked, self._keep_poster = session, send, blocked, keep_poster
        self._clock = clock
        self._lock = threading.Lock()
        self._credit = Credit()
        self._seq = 0
        self._owed = self._asked = False
        self._colab = False
        self._slot: tuple[dict[str, Any], list[bytes]] | None = None
        self._drawn: tuple[DragStep, np.ndarray] | None = None
        self._pictures, self._previews = _Pace(FULL_SHARE), _Pace(PREVIEW_SHARE)
        self._step_times: deque[float] = deque(maxlen=256)

    # From the browser: cheap, any thread

    def hello(self, client: str, colab: bool) -> None:
        """A view wants the picture."""
        with self._lock:
            self._credit.hello(client, colab, self._clock())
            self._colab = self._colab or colab
        self.deliver_soon()

    def shown(self, client: str, seq: int) -> None:
        """One credit came back."""
        with self._lock:
            known = self._credit.shown(client, seq, self._clock())
            if not known:
                self._credit.hello(client, self._colab, self._clock())
            owed = self._owed
        if owed:
            self.deliver_soon()

    def heard(self, client: str) -> None:
        """A client lives."""
        with self._lock:
            self._credit.heard(client, self._clock())

    def tick(self, client: str) -> None:
        """Colab: hand over what the worker left encoded."""
        self.heard(client)
        with self._lock:
            slot, self._slot = self._slot, None
        if slot is not None:
            self._send(*slot)

    # From the kernel's main thread

    def still(self) -> bytes | None:
        """The present picture as a small JPEG, or None; it is kept for the frame that will soon be asked for."""
        step, _ = self._session.now()
        try:
            pixels = step.pixels()
        except Exception:  # noqa: BLE001 - a picture that cannot be drawn is said in the widget, by `_deliver`
            return None
        self._drawn = (step, pixels)
        return poster(pixels)

    # From the session

    def handle(self, event: events.Event) -> None:
        """Take an event; steps come on the worker."""
        if isinstance(event, events.Stepped):
            self._offer(event.step)
        elif isinstance(event, (events.Ended, events.StateChanged, events.Failed)):
            self._drawn = None
            self._step_times.clear()
            self.deliver_soon()

    def deliver_soon(self) -> None:
        """Have the worker draw the picture at rest, once for all who ask before it begins."""
        with self._lock:
            asked, self._asked = self._asked, True
        if not asked:
            self._session.runner.submit(self._deliver)

    def _offer(self, step: DragStep) -> None:
        """A step was made: send a frame if there is credit, else leave it."""
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
            except ConfigError:  # this block has no preview: full pictures only, at their own pace
                if due:
                    self._emit("picture", step, self._full(step))

    def _deliver(self) -> None:
        """On the worker, at rest: the full picture, and the lossless one if nothing else happens."""
        self._asked = False
        step, _ = self._session.now()
        if self._session.status != "idle":
            return
        if not self._allowed():
            self._owed = True
            self._try_later(self._deliver)
            return
        self._owed = False
        try:
            pixels = self._full(step)
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - a picture that cannot be drawn is said in the widget
            self._send({"type": "failed", "message": str(error), "rid": None, "client": None}, [])
            return
        self._emit("picture", step, pixels)
        self._session.runner.after_rest(REST_SECONDS, lambda: self._settle(step, pixels))

    def _settle(self, step: DragStep, pixels: np.ndarray) -> None:
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
        """A credit may be lost: ask again in a moment, as long as there is a client."""
        with self._lock:
            clients = self._credit.clients
        if clients:
            self._session.runner.after_rest(REST_SECONDS, job)

    def _shows(self, step: DragStep) -> bool:
        """Whether this is still the picture: an edit makes another step of the same latent."""
        return self._session.now()[0].ws is step.ws

    def _rests_at(self, step: DragStep) -> bool:
        return self._session.status == "idle" and self._shows(step)

    def _allowed(self) -> bool:
        blocked = self._blocked()
        with self._lock:
            return self._credit.allows(self._clock(), blocked)

    def _full(self, step: DragStep) -> np.ndarray:
        session = self._session
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn[0] is step:
            return drawn[1]
        began = self._clock()
        pixels = step.pixels(cancelled=lambda: session.runner.closed or not self._shows(step))
        self._pictures.took(began, self._clock())
        return pixels

    def _preview(self, step: DragStep) -> np.ndarray:
        held, began = step.current.get() is not None, self._clock()
        try:
            return to_uint8(step.preview())
        finally:  # the map was computed even where nothing can be drawn from it
            if not held:
                self._previews.took(began, self._clock())

    def _emit(self, kind: str, step: DragStep, pixels: np.ndarray) -> None:
        mime = "image/png" if kind == "final" else "image/jpeg"
        data = encode(pixels, mime)
        now = self._clock()
        current, revision = self._session.now()
        if current.ws is not step.ws or self._session.runner.closed:  # an undo or the end came between
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
