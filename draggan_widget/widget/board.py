"""A canvas of two layers, picture and marks, of which only the newest scene is drawn.

What ipycanvas asks of those who use it: 1. its commands go through one queue of the whole process, so they are given
on the main thread, and nothing may raise while the queue is held; 2. it draws whatever it is sent, so scenes that
nobody has seen yet are passed over; 3. a page that was loaded again has empty canvases and no current one: a drawing
ends on another layer than it begins, so that ipycanvas names both each time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from ipycanvas import MultiCanvas, hold_canvas
from ipywidgets import Layout
from jaxtyping import UInt8

from draggan_widget.geometry import Point
from draggan_widget.widget.canvas_points import Marks, draw_marks
from draggan_widget.widget.kernel import MainLoop
from draggan_widget.widget.lifecycle import close_part

DRAWN = 1024  # px: the longer side that the canvas is near to, so that marks are sharp on dense screens
LOSSLESS = 256  # px: larger pictures travel as JPEG


@dataclass(frozen=True)
class Scene:
    """What a board shows.

    Attributes:
        pixels: of the picture or map, whatever its size; it fills the board.
        marks: over it.
        smooth: whether enlarging blends neighbouring pixels.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    marks: Marks = field(default_factory=Marks)
    smooth: bool = False


class Board:
    """Shows scenes in image px of one picture size.

    Args:
        image_size: (height, width) of the picture, px.
        shown: css px of the longer side, where there is room for it.
        room: share of the cell's width that it may take.
        main: of the kernel.
    """

    def __init__(self, image_size: tuple[int, int], shown: int, main: MainLoop, room: str = "100%"):
        height, width = image_size
        self._scale = max(1, round(DRAWN / max(height, width)))
        self._dense = max(height, width) * self._scale / shown
        self._main, self._lock = main, threading.Lock()
        self._scene: Scene | None = None
        self._due = False
        self._heard: list[Callable[[], None]] = []
        wanted = round(shown * width / max(height, width))
        layout = Layout(width=room, max_width=f"{wanted}px", height="auto", flex="0 1 auto")
        self.canvas = MultiCanvas(2, width=width * self._scale, height=height * self._scale, layout=layout)
        self.canvas.add_class("draggan-board")
        self._hear(self.canvas.on_client_ready, self._soon)

    def show(self, scene: Scene) -> None:
        """Draw a scene soon, unless a newer one comes first; any thread."""
        self._scene = scene
        self._soon()

    def image_px(self, x: float, y: float) -> Point:
        """The pixel of the picture, (x, y), under a place of the canvas."""
        height, width = self.canvas.height // self._scale, self.canvas.width // self._scale
        column, row = int(x // self._scale), int(y // self._scale)
        return (float(min(max(column, 0), width - 1)), float(min(max(row, 0), height - 1)))

    def on_move(self, then: Callable[[Point], None]) -> None:
        """Call `then` with the pixel under the pointer, for every move of it."""
        self._hear(self.canvas.on_mouse_move, lambda x, y: then(self.image_px(x, y)))

    def on_press(self, then: Callable[[Point], None]) -> None:
        """Call `then` with the pixel that was clicked."""
        self._hear(self.canvas.on_mouse_down, lambda x, y: then(self.image_px(x, y)))

    def close(self) -> None:
        """Let the canvas go, and who listens to it: ipycanvas itself holds the canvas that was drawn on last."""
        self._scene = None
        for forget in self._heard:
            forget()
        self._heard.clear()
        for layer in (self.canvas[0], self.canvas[1], self.canvas):
            close_part(layer)

    def _hear(self, register: Callable[..., None], callback: Callable[..., None]) -> None:
        register(callback)
        self._heard.append(lambda: register(callback, remove=True))

    def _soon(self) -> None:
        with self._lock:
            due, self._due = self._due, True
        if not due:
            self._main.call(self._draw)

    def _draw(self) -> None:
        """On the main thread."""
        self._due = False
        scene = self._scene
        if scene is None:
            return
        pixels = _sent(scene.pixels)
        across, down = self.canvas.width / pixels.shape[1], self.canvas.height / pixels.shape[0]
        picture, marks = self.canvas[0], self.canvas[1]
        with hold_canvas():
            picture.save()
            picture.image_smoothing_enabled = scene.smooth
            picture.scale(across, down)
            picture.put_image_data(pixels, 0, 0)
            picture.restore()
            marks.clear()
            draw_marks(marks, scene.marks, self._scale, self._dense)


def _sent(pixels: UInt8[np.ndarray, "height width 3"]) -> np.ndarray:
    """What ipycanvas sends lossless, with a fourth colour; three it sends as JPEG, which shows in small pictures."""
    if max(pixels.shape[:2]) > LOSSLESS:
        return pixels
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([pixels, opaque], axis=2)
