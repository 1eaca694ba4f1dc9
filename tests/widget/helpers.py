"""A wire without a kernel: what is sent is kept, the clock is set by hand."""

import json
import threading
from pathlib import Path
from typing import Any

from analytic import BlobGenerator
from ipywidgets.widgets import widget as ipywidgets_widget
from session.helpers import BOUND, until

from draggan_widget.errors import ConfigError
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget.frames import Frames

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "messages.json").read_text("utf-8"))
CLIENT = "a1b2c3d4e5f60718"


def open_models() -> dict[str, Any]:
    """Every open model of ipywidgets by its id; ipywidgets 7 keeps them at another place."""
    return vars(ipywidgets_widget).get("_instances") or ipywidgets_widget.Widget.widgets


class Clock:
    """Seconds, moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """Keeps every message; `confirm` answers each frame at once, as a quick front end would."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.confirm: Frames | None = None

    def __call__(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.sent.append((content, buffers))
        if self.confirm is not None and content["type"] == "frame":
            self.confirm.shown(CLIENT, content["seq"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [content for content, _ in list(self.sent) if content["type"] == kind]

    @property
    def kinds(self) -> list[str]:
        return [content["kind"] for content in self.of("frame")]

    def wait_frames(self, count: int) -> list[dict[str, Any]]:
        until(lambda: len(self.of("frame")) >= count, f"{count} frames; there are {self.kinds}")
        return self.of("frame")

    def wait_kind(self, kind: str, count: int = 1) -> dict[str, Any]:
        until(lambda: self.kinds.count(kind) >= count, f"{count} x {kind}; there are {self.kinds}")
        return [frame for frame in self.of("frame") if frame["kind"] == kind][count - 1]


class TimedBlob(BlobGenerator):
    """Its work takes time on the clock of the test."""

    def __init__(self, clock: Clock, step: float, picture: float):
        super().__init__()
        self._clock, self._step, self._picture = clock, step, picture
        self.spent = 0.0

    def features(self, ws, block, windows=None):
        self._clock.now += self._step
        return super().features(ws, block, windows)

    def image(self, ws, features=None, cancelled=None):
        self._clock.now += self._picture
        self.spent += self._picture
        return super().image(ws, features, cancelled)


class WindowedBlob(TimedBlob):
    """Computes windows where it can: then a step takes a tenth of the time."""

    def windows_pay(self, block, windows):
        return True

    def features(self, ws, block, windows=None):
        self._clock.now -= 0.0 if windows is None else 0.9 * self._step
        return super().features(ws, block, windows)


class BlindBlob(BlobGenerator):
    """Has no preview."""

    def preview(self, features, ws=None):
        raise ConfigError("blob has no preview of this block")


class BrokenPicture(BlobGenerator):
    """Cannot draw its picture."""

    broken = True

    def image(self, ws, features=None, cancelled=None):
        if self.broken:
            raise RuntimeError("out of ink")
        return super().image(ws, features, cancelled)


class HeldPicture(BlobGenerator):
    """Holds the worker while it draws."""

    def __init__(self) -> None:
        super().__init__()
        self.drawing, self.go = threading.Event(), threading.Event()

    def image(self, ws, features=None, cancelled=None):
        self.drawing.set()
        self.go.wait(BOUND)
        return super().image(ws, features)


def settle(session: DragSession) -> None:
    """Wait until the worker has done all that was asked of it before."""
    done = threading.Event()
    controller_of(session).worker.submit(done.set)
    assert done.wait(BOUND)
