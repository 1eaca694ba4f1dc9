"""From a browser's wish to the session, and from the session's events to facts for the browser.

Handlers may run on any thread: they validate and enqueue, and never touch torch, traits or matplotlib.
"""

from collections.abc import Callable, Sequence
from typing import Any

from draggan_widget.engine.config import PRESETS, DragConfig
from draggan_widget.errors import DragganError
from draggan_widget.session import events
from draggan_widget.session.session import DragSession
from draggan_widget.widget.frames import Frames, Send
from draggan_widget.widget.messages import (
    Command,
    EditWish,
    Hello,
    MessageError,
    OverlayWish,
    SeedWish,
    SettingsWish,
    Shown,
    StepWish,
    Tick,
    Wish,
    pairs,
    parse,
)
from draggan_widget.widget.overlays import Overlays


class Dispatch:
    """Carries out wishes and tells facts."""

    def __init__(self, session: DragSession, frames: Frames, send: Send):
        self._session, self._frames, self._send = session, frames, send
        self.overlays = Overlays(session, send)

    def receive(self, content: Any, buffers: Sequence[Any]) -> None:
        """One message from the browser; what is wrong with it is told there."""
        try:
            wish = parse(content, buffers)
        except MessageError as error:
            self.fail(error)
            return
        self._frames.heard(wish.client)
        try:
            self._carry_out(wish)
        except DragganError as error:
            self.fail(error, wish)

    def _carry_out(self, wish: Wish) -> None:
        session = self._session
        match wish:
            case Hello():
                self.tell_edit()
                self.tell_settings()
                self.overlays.tell()
                if session.status == "running":
                    self._send({"type": "started", "step": session.current.index}, [])
                self._frames.hello(wish.client, wish.colab)
            case Shown():
                self._frames.shown(wish.client, wish.seq)
            case Tick():
                self._frames.tick(wish.client)
            case EditWish():
                self._edit(wish)
            case StepWish():
                session.begin(wish.n)
            case SeedWish():
                self._later(wish, lambda: session.new_seed(self._seed(wish), wish.truncation_psi))
            case SettingsWish():
                self._settings(wish)
            case OverlayWish():
                self.overlays.choose(wish.view)
            case Command():
                self._command(wish)

    def _command(self, wish: Command) -> None:
        session = self._session
        match wish.name:
            case "start":
                session.start()
            case "stop":
                session.stop()
            case "undo":
                session.undo()
            case "reset":
                session.reset()
            case "redo":
                session.redo()

    def _seed(self, wish: SeedWish) -> int | None:
        """A wish for another truncation alone keeps the seed."""
        return self._session.seed if wish.seed is None and wish.truncation_psi is not None else wish.seed

    def _settings(self, wish: SettingsWish) -> None:
        session = self._session
        config = session.config
        if wish.preset is not None:
            config = DragConfig.for_generator(session.generator, wish.preset)
        asked = {"max_steps": wish.max_steps, "latent_space": wish.latent_space}
        session.config = config.replace(**{name: value for name, value in asked.items() if value is not None})
        self.tell_settings(wish)

    def _later(self, wish: Wish, job: Callable[[], object]) -> None:
        """Have the worker do what needs torch."""

        def guarded() -> None:
            try:
                job()
            except DragganError as error:
                self.fail(error, wish)

        self._session.runner.submit(guarded)

    def _edit(self, wish: EditWish) -> None:
        session = self._session
        try:
            edit = wish.edit(session.edit, session.generator.image_size)
            session.change_edit(edit, drawn_on=wish.revision, by=wish.client)
        except DragganError as error:
            self.tell_edit(wish, str(error))
        else:
            self.tell_edit(wish)
            self.overlays.refresh()

    def tell_edit(self, wish: EditWish | None = None, error: str | None = None) -> None:
        """The points as the kernel has them; an answer to a wish, or news for everybody."""
        step, revision = self._session.now()
        edit = step.edit
        kept = wish is not None and wish.mask == "keep" and error is None  # a mask is megabytes: not at every move
        mask = "none" if edit.mask is None else "keep" if kept else "buffer"
        content = {
            "type": "edit",
            "revision": revision,
            "rid": None if wish is None else wish.rid,
            "client": None if wish is None else wish.client,
            "accepted": error is None,
            "error": error,
            "points": [
                {"handle": list(handle), "target": list(target), "locked": locked}
                for handle, target, locked in zip(edit.handles, edit.targets, edit.locked, strict=True)
            ],
            "handles": pairs(step.handles),
            "mask": mask,
            "can_undo": self._session.can_undo,
            "can_redo": self._session.branches > 0,
        }
        self._send(content, [edit.mask.tobytes()] if mask == "buffer" and edit.mask is not None else [])

    def tell_settings(self, wish: SettingsWish | None = None) -> None:
        """The settings of the next drag, and what may be chosen."""
        config = self._session.config
        content = {
            "type": "settings",
            "preset": config.preset,
            "presets": list(PRESETS),
            "max_steps": config.max_steps,
            "latent_space": config.latent_space,
            "latent_spaces": list(self._session.generator.latent_spaces),
            "rid": None if wish is None else wish.rid,
            "client": None if wish is None else wish.client,
        }
        self._send(content, [])

    def fail(self, error: BaseException, wish: Any = None) -> None:
        """Say what went wrong, in words."""
        message = str(error) if isinstance(error, DragganError) else _foreign(error)
        rid, client = getattr(wish, "rid", None), getattr(wish, "client", None)
        self._send({"type": "failed", "message": message, "rid": rid, "client": client}, [])

    def handle(self, event: events.Event) -> None:
        """Tell the browser what happened in the session."""
        match event:
            case events.Started():
                self._send({"type": "started", "step": self._session.current.index}, [])
            case events.Ended():
                content = {"type": "ended", "reason": event.reason, "message": event.message, "step": event.step.index}
                self._send(content, [])
            case events.Failed():
                self.fail(event.error)
            case events.EditChanged() | events.StateChanged():
                self.tell_edit()


def _foreign(error: BaseException) -> str:
    """An error that is not ours, as from a callback: its kind, its words, and where more of it is."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{said}; session.last_error has the traceback"
