"""`DragWidget`: a `DragSession` in a notebook cell. This module holds its traits and connects its parts."""

import weakref
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image
from torch import Tensor, nn

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.keep import Keep
from draggan_widget.generators.generator import Generator
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget import lifecycle
from draggan_widget.widget.dispatch import Dispatch
from draggan_widget.widget.download_progress import load_with_progress
from draggan_widget.widget.frames import Frames
from draggan_widget.widget.kernel import MainLoop, cell_identity, keep_subshell, rerun_words
from draggan_widget.widget.lifecycle import weak_callback
from draggan_widget.widget.overlays import OPACITY
from draggan_widget.widget.static_output import StaticOutput

STATIC = Path(__file__).parent / "static"
SESSION_NAMES = frozenset(name for name in dir(DragSession) if not name.startswith("_"))


class DragWidget(StaticOutput, anywidget.AnyWidget):
    """Drag points of a generated picture in a notebook cell.

    Attributes:
        session: the Python object behind the widget: edit, record, start, stop, undo.

    Examples:
        >>> from draggan_widget import DragWidget, Edit
        >>> w = DragWidget(seed=3)  # to show the widget, make `w` the last line of a notebook cell
        >>> w.session.edit = Edit(handles=[(64, 70)], targets=[(72, 70)])
        >>> w.session.step(2).index
        2
        >>> w.close()
    """

    _esm = (STATIC / "widget.js").read_text("utf-8")  # anywidget would watch a Path, and keep every widget for good
    _css = (STATIC / "widget.css").read_text("utf-8")

    image_size = traitlets.List(traitlets.Int(), read_only=True).tag(sync=True)  # [width, height], px
    seed = traitlets.Int(allow_none=True, default_value=None, read_only=True).tag(sync=True)
    truncation_psi = traitlets.Float(1.0, read_only=True).tag(sync=True)
    status = traitlets.Unicode("idle", read_only=True).tag(sync=True)
    max_points = traitlets.Int(64, read_only=True).tag(sync=True)
    _poster = traitlets.Bytes(b"").tag(sync=True)
    _last_words = traitlets.Unicode("").tag(sync=True)  # what its views say once their cell has made a new widget

    cell: tuple[str, str] | None = None  # the cell that made it; `close` reads it even if `__init__` raised

    def __init__(
        self,
        generator: Generator | nn.Module | str | Path | None = None,
        seed: int = 0,
        *,
        ws: Tensor | np.ndarray | None = None,
        truncation_psi: float = 0.7,
        label: int | None = None,
        config: DragConfig | None = None,
        keep: Keep | None = None,
    ):
        """Open a widget.

        Args:
            generator: NVIDIA's `G`, a `Generator`, a name or a path; None takes "heads", the small generator of drawn
                heads that comes with the package: nothing is downloaded.
            seed: seed of the first picture, as in the official tools.
            ws: start latent, (num_ws, w_dim) or (1, num_ws, w_dim), or one row for all, (w_dim,), (1, w_dim) or
                (1, 1, w_dim); `seed` is then ignored.
            truncation_psi: truncation of the first picture; official 0.7.
            label: class of a conditional generator, 0 .. c_dim - 1.
            config: settings of the drags; None takes `DragConfig.for_generator`.
            keep: feature maps and pictures that `session.record` keeps beside every latent; None keeps none.

        Raises:
            CheckpointError: the generator cannot be loaded.
            ConfigError: seed, latent, label or settings do not fit the generator.
        """
        loaded = load_with_progress(generator)
        self.session = DragSession(
            loaded, seed, ws=ws, truncation_psi=truncation_psi, label=label, config=config, keep=keep
        )
        self._controller = controller_of(self.session)
        super().__init__()
        keep_subshell(self.comm)
        self.cell = cell_identity()
        lifecycle.register(self)
        self._main = MainLoop()
        methods = (self._put, self._keep_poster, self._follow)
        put, poster, follow = (weak_callback(weakref.WeakMethod(method)) for method in methods)
        self._frames = Frames(self.session, put, self._main.blocked, poster)
        self._dispatch = Dispatch(self.session, self._frames, put)
        for listener in (self._dispatch.handle, self._frames.handle, self._dispatch.overlays.handle, follow):
            self.session.subscribe(listener)  # overlays after frames: the picture is sent first
        self.on_msg(self._receive)
        self.set_trait("image_size", list(reversed(self.session.generator.image_size)))
        self._set_traits()

    def __setattr__(self, name: str, value: object) -> None:
        if name in SESSION_NAMES and name not in dir(type(self)):
            raise AttributeError(f"a DragWidget has no attribute {name!r}; expected w.session.{name}; set that")
        super().__setattr__(name, value)

    @property
    def last_error(self) -> BaseException | None:
        """The error that stopped the last drag, or None."""
        return self.session.last_error

    def snapshot(self) -> Image.Image:
        """The current picture with its points and paths: an ordinary image, which a saved notebook keeps."""
        return self.session.snapshot()

    def show_overlay(self, array: np.ndarray | Tensor | None, opacity: float = OPACITY) -> None:
        """Show an array over the picture, under the points, until another overlay is shown; None removes it.

        Args:
            array: (height, width) of numbers, the smallest dark and the largest light, NaN transparent; or
                (height, width, 3 or 4) of uint8. It may be smaller than the picture.
            opacity: opacity of the array, 0 to 1.

        Raises:
            ConfigError: the array has another shape or type, or the opacity is not from 0 to 1.
        """
        self._dispatch.overlays.show_array(array, opacity)

    def close(self) -> None:
        """End the worker, release the device memory and remove the view. Idempotent.

        Where its own cell runs again, a further view of the widget elsewhere keeps the picture and says so.
        """
        lifecycle.unregister(self)
        if "session" not in vars(self):  # `__init__` raised
            return
        self.session.close()
        if self.comm is not None:
            self._last_words = rerun_words(self.cell)
            self.set_trait("status", "closed")
        super().close()

    def __enter__(self) -> "DragWidget":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        size = " x ".join(str(side) for side in self.image_size)
        return (
            f"DragWidget({self.session.generator.name}, {size} px): the picture shows in JupyterLab, Colab and VS Code "
            "where this widget is the last line of a notebook cell; here w.session works from Python"
        )

    def _view_bundle(self) -> tuple[dict[str, Any], dict[str, Any]] | dict[str, Any] | None:
        return anywidget.AnyWidget._repr_mimebundle_(self)

    def _still(self) -> bytes:
        self._poster = self._frames.poster_now() or self._poster
        return self._poster

    # Any thread

    def _put(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if self.comm is not None and not self._controller.worker.closed:
            self.send(content, buffers)

    def _receive(self, _: object, content: Any, buffers: list[Any]) -> None:
        self._dispatch.receive(content, buffers)

    def _follow(self, event: events.Event) -> None:
        if not isinstance(event, events.Stepped):
            self._main.call(self._set_traits)

    def _keep_poster(self, jpeg: bytes) -> None:
        self._main.call(lambda: setattr(self, "_poster", jpeg))

    # Main thread

    def _set_traits(self) -> None:
        for name in ("seed", "truncation_psi", "status"):
            self.set_trait(name, getattr(self.session, name))
