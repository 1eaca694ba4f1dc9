"""A canvas of two layers, picture and points, of which only the newest scene is drawn.

ipycanvas has three demands: 1. its commands go through one queue of the whole process, so they are given on the main
thread, and nothing may raise while the queue is held; 2. it draws whatever it is sent, so scenes that nobody has seen
yet are skipped; 3. a page that was loaded again has empty canvases and no current layer: a drawing ends on another
layer than it begins, so that ipycanvas names both each time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from ipycanvas import MultiCanvas, hold_canvas
from ipywidgets import Layout
from jaxtyping import UInt8
from PIL import Image

from draggan_widget.geometry import Point
from draggan_widget.inspection.draw_points import DrawnPoint
from draggan_widget.inspection.draw_points import draw_points as draw_on_picture
from draggan_widget.widget.canvas_points import CanvasPoints, draw_points
from draggan_widget.widget.kernel import MainLoop
from draggan_widget.widget.lifecycle import close_tree

CANVAS_SIDE = 1024  # canvas px: aim for the longer side, so that points are sharp on dense screens
LOSSLESS_SIDE = 256  # px: larger pictures are sent as JPEG


@dataclass(frozen=True)
class Scene:
    """What a board shows.

    Attributes:
        pixels: the picture or map, of any size; it fills the board.
        points: the points over it.
        smooth: whether enlarging blends neighbouring pixels.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    points: CanvasPoints = field(default_factory=CanvasPoints)
    smooth: bool = False


class Board:
    """Shows scenes of one picture size; points are in image px.

    Attributes:
        canvas: the widget that shows the board.
    """

    def __init__(self, image_size: tuple[int, int], shown: int, main: MainLoop, room: str = "100%"):
        """Create the canvas.

        Args:
            image_size: (height, width) of the picture, px.
            shown: length of the longer side in css px, where the cell is wide enough.
            main: main loop of the kernel.
            room: css width that the board may take in its row.
        """
        height, width = image_size
        self._scale = max(1, round(CANVAS_SIDE / max(height, width)))
        self._dense = max(height, width) * self._scale / shown
        self._shown = shown / max(height, width)
        self._main, self._lock = main, threading.Lock()
        self._scene: Scene | None = None
        self._draw_queued = False
        self._removals: list[Callable[[], None]] = []
        max_width = round(shown * width / max(height, width))
        layout = Layout(width=room, max_width=f"{max_width}px", height="auto", flex="0 1 auto")
        self.canvas = MultiCanvas(2, width=width * self._scale, height=height * self._scale, layout=layout)
        self.canvas.add_class("draggan-board")
        self._listen(self.canvas.on_client_ready, self._queue_draw)

    def show(self, scene: Scene) -> None:
        """Draw a scene soon, unless a newer one comes first; any thread."""
        self._scene = scene
        self._queue_draw()

    def still(self) -> Image.Image | None:
        """What the board shows as an image, without the chosen pixel; None before the first scene."""
        scene = self._scene
        if scene is None:
            return None
        width, height = (round(side / self._scale * self._shown) for side in (self.canvas.width, self.canvas.height))
        enlarge = Image.Resampling.BILINEAR if scene.smooth else Image.Resampling.NEAREST
        picture = Image.fromarray(scene.pixels).resize((width, height), enlarge)
        handles = scene.points.handles
        paths, targets = scene.points.paths or [(handle,) for handle in handles], scene.points.targets or handles
        drawn = [DrawnPoint(number, target, paths[number]) for number, target in enumerate(targets)]
        return draw_on_picture(picture, drawn, self._shown)

    def image_px(self, x: float, y: float) -> Point:
        """The pixel of the picture, (x, y), at a place of the canvas in canvas px."""
        height, width = self.canvas.height // self._scale, self.canvas.width // self._scale
        column, row = int(x // self._scale), int(y // self._scale)
        return (float(min(max(column, 0), width - 1)), float(min(max(row, 0), height - 1)))

    def on_move(self, callback: Callable[[Point], None]) -> None:
        """Call `callback` with the pixel under the pointer whenever the pointer moves."""
        self._listen(self.canvas.on_mouse_move, lambda x, y: callback(self.image_px(x, y)))

    def on_press(self, callback: Callable[[Point], None]) -> None:
        """Call `callback` with the pixel that was clicked."""
        self._listen(self.canvas.on_mouse_down, lambda x, y: callback(self.image_px(x, y)))

    def close(self) -> None:
        """Close the canvas and drop its listeners: ipycanvas itself keeps the canvas that was drawn on last."""
        self._scene = None
        for remove in self._removals:
            remove()
        self._removals.clear()
        for layer in (self.canvas[0], self.canvas[1], self.canvas):
            close_tree(layer)

    def _listen(self, register: Callable[..., None], callback: Callable[..., None]) -> None:
        register(callback)
        self._removals.append(lambda: register(callback, remove=True))

    def _queue_draw(self) -> None:
        with self._lock:
            queued, self._draw_queued = self._draw_queued, True
        if not queued:
            self._main.call(self._draw)

    def _draw(self) -> None:
        """Draw the newest scene, on the main thread."""
        self._draw_queued = False
        scene = self._scene
        if scene is None:
            return
        pixels = _as_sent(scene.pixels)
        across, down = self.canvas.width / pixels.shape[1], self.canvas.height / pixels.shape[0]
        picture, points = self.canvas[0], self.canvas[1]
        with hold_canvas():
            picture.save()
            picture.image_smoothing_enabled = scene.smooth
            picture.scale(across, down)
            picture.put_image_data(pixels, 0, 0)
            picture.restore()
            points.clear()
            draw_points(points, scene.points, self._scale, self._dense)


def _as_sent(pixels: UInt8[np.ndarray, "height width 3"]) -> np.ndarray:
    """Small pictures with an alpha channel: ipycanvas sends those lossless, but three channels as JPEG."""
    if max(pixels.shape[:2]) > LOSSLESS_SIDE:
        return pixels
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([pixels, opaque], axis=2)
