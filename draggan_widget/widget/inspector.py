"""`FeatureInspector`: the picture of a step beside a view of one of its feature maps.

Whatever takes time is computed on a worker of its own, the newest wish first; handlers only ask, and what comes of it
is drawn on the kernel's main thread.
"""

import time
import weakref
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, VBox, Widget

from draggan_widget.engine.record import DragRecord
from draggan_widget.geometry import Point
from draggan_widget.session import events
from draggan_widget.session.session import DragSession
from draggan_widget.widget import lifecycle
from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.canvas_points import Marks
from draggan_widget.widget.html_text import error_line, plain_line, progress_words, vector_words
from draggan_widget.widget.inspector_model import Asked, Looker, Seen
from draggan_widget.widget.kernel import MainLoop, cell_identity
from draggan_widget.widget.latest_worker import Newest
from draggan_widget.widget.lifecycle import close_part, weakly

SHOWN = 400  # css px of the longer side of either picture
ROOM = "calc(50% - 4px)"  # each, side by side however narrow the cell
FOLLOW_SECONDS = 0.5  # between two pictures while a drag runs: nobody answers, so the line must never fill
NAMES = {
    "Colours (PCA)": "colours",
    "One channel": "channel",
    "Cosine similarity": "cosine",
    "L2 distance": "L2",
    "Difference to the start": "difference",
    "Tracker's cost": "cost",
}
HINT = "Move over the picture or the map for the feature vector there; click for the similarity to it."


class FeatureInspector(VBox):
    """Looks into the feature maps of a drag: by block, view and step; hover for a vector, click for similarity."""

    cell: tuple[str, str] | None = None  # where it was made; also before __init__ came that far, for `close`

    def __init__(self, source: DragSession | DragRecord):
        """Open it at the newest step.

        Args:
            source: a session, which it follows also while it drags, or a record.

        Raises:
            RecordError: the record has no steps, or was read from a file without its generator.
        """
        self._looker = Looker(source)
        generator, block = self._looker.generator, self._looker.config.block
        self._main = MainLoop()
        self._newest = Newest("draggan-inspector", weakly(weakref.WeakMethod(self._fail)))
        height, width = generator.image_size
        self._pixel: Point = (float(width // 2), float(height // 2))
        self._picture = Board((height, width), SHOWN, self._main, ROOM)
        self._map = Board((height, width), SHOWN, self._main, ROOM)
        self._followed = float("-inf")
        sizes = [generator.block_size(number) for number in range(generator.num_blocks)]
        blocks = [(f"{number}: {high} x {wide}", number) for number, (high, wide) in enumerate(sizes)]
        self.block = Dropdown(options=blocks, value=block, description="Block")
        self.view = Dropdown(options=NAMES, value="colours", description="View")
        self.rank = IntSlider(value=1, min=1, max=1, description="By variance")
        self.point = Dropdown(options=[("1", 0)], value=0, description="Handle")
        last = len(self._looker.steps()) - 1
        self.step = IntSlider(value=last, min=0, max=last, description="Step", layout=Layout(width="420px"))
        self.words, self.meaning, self.vector = HTML(), HTML(), HTML(plain_line(HINT))
        self._listen()
        super().__init__(self._arranged())
        self.cell = cell_identity()
        lifecycle.note(self)
        self._unsubscribe = _no_subscription
        if isinstance(source, DragSession):
            self._unsubscribe = source.subscribe(weakly(weakref.WeakMethod(self._hear)))
        self._ask()

    def close(self) -> None:
        """End its worker, no longer follow the session and remove the view. Idempotent."""
        lifecycle.forget(self)
        if "_unsubscribe" not in vars(self):  # refused by __init__
            return
        self._unsubscribe()
        self._newest.close()
        self._picture.close()
        self._map.close()
        for part in (*self.children, self.layout):
            close_part(part)
        super().close()

    def __repr__(self) -> str:
        return f"FeatureInspector({self._looker.source!r}): shows where it is a cell's last line"

    def _arranged(self) -> list[Widget]:
        self._fit_controls()
        first = HBox([self.block, self.view, self.rank, self.point], layout=Layout(flex_flow="row wrap"))
        beside = HBox([self._picture.canvas, self._map.canvas], layout=Layout(align_items="flex-start", grid_gap="8px"))
        return [first, beside, self.step, self.words, self.meaning, self.vector]

    def _listen(self) -> None:
        for control in (self.block, self.view, self.rank, self.point, self.step):
            control.observe(self._changed, "value")
        for board in (self._picture, self._map):
            board.on_move(self._hover)
            board.on_press(self._press)

    # From the browser or the session: cheap, any thread

    def _changed(self, _: dict) -> None:
        self._main.call(self._fit_controls)
        self._ask()

    def _hover(self, pixel: Point) -> None:
        self._newest.ask("vector", lambda: self._show_vector(pixel))

    def _press(self, pixel: Point) -> None:
        self._pixel = pixel
        if self.view.value in ("cosine", "L2"):
            self._ask()
        else:
            self._main.call(lambda: setattr(self.view, "value", "cosine"))

    def _hear(self, event: events.Event) -> None:
        now = time.monotonic()
        if isinstance(event, events.Stepped) and now - self._followed < FOLLOW_SECONDS:
            return
        self._followed = now
        self._main.call(self._follow)

    def _ask(self) -> None:
        asked = Asked(
            position=self.step.value,
            block=_chosen(self.block),
            view=_chosen(self.view),
            rank=self.rank.value,
            point=_chosen(self.point),
            pixel=self._pixel,
        )
        self._newest.ask("view", lambda: self._look(asked))

    # On the worker

    def _look(self, asked: Asked) -> None:
        seen = self._looker.look(asked)
        handles, chosen = seen.step.handles, seen.looked.chosen
        pixel = asked.pixel if asked.view in ("cosine", "L2") else None
        self._picture.show(Scene(seen.picture, Marks(handles, seen.step.targets, pixel=pixel)))
        over = Marks(handles, pixel=pixel) if chosen is None else Marks(pixel=chosen)  # a dot would hide the least cost
        self._map.show(Scene(seen.looked.pixels, over))
        self._main.call(lambda: self._tell(asked, seen))

    def _show_vector(self, pixel: Point) -> None:
        found = self._looker.vector(pixel)
        if found is not None:
            self._say(self.vector, vector_words(pixel, *found))

    def _fail(self, error: Exception) -> None:
        self._say(self.meaning, error_line(error))

    def _say(self, line: HTML, words: str) -> None:
        self._main.call(lambda: setattr(line, "value", words))

    # On the main thread

    def _follow(self) -> None:
        """The session went on or elsewhere: who looks at its newest state sees the new one."""
        if self.comm is None:
            return
        last = len(self._looker.steps()) - 1
        newest = self.step.value == self.step.max or self.step.value > last
        self.step.max = last
        if newest:
            self.step.value = last
            self._ask()  # also where the number is the same: after an undo it is another step

    def _fit_controls(self) -> None:
        self.rank.layout.display = None if self.view.value == "channel" else "none"
        self.point.layout.display = None if self.view.value == "cost" else "none"

    def _tell(self, asked: Asked, seen: Seen) -> None:
        if self.comm is None:
            return
        self.rank.max = seen.channels
        handles = [(str(number + 1), number) for number in range(max(len(seen.step.handles), 1))]
        if list(self.point.options) != handles:
            kept = self.point.value
            self.point.options = handles
            self.point.value = min(kept or 0, len(handles) - 1)
        self.words.value = progress_words(min(asked.position, seen.last), seen.last, seen.step)
        self.meaning.value = plain_line(f"Block {asked.block}: {seen.looked.words}")


def _no_subscription() -> None:
    """A record tells nothing."""


def _chosen(menu: Dropdown) -> Any:
    """What a menu stands at; ours always stand at something."""
    return menu.value
