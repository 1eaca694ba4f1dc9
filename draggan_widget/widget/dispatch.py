"""Passes the browser's wishes to the session, and the session's events to the browser as facts.

Handlers may run on any thread: they validate and enqueue, and never touch torch, traits or matplotlib.
"""

from collections.abc import Callable, Sequence
from typing import Any

from draggan_widget.engine.config import PRESETS, DragConfig
from draggan_widget.errors import DragganError
from draggan_widget.session import events
from draggan_widget.session.session import DragSession, controller_of
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
    """Carries out the wishes of every client and sends the facts.

    Attributes:
        overlays: the overlay of the widget.
    """

    def __init__(self, session: DragSession, frames: Frames, send: Send):
        """Connect a session to the browser.

        Args:
            session: the session to control.
            frames: sends the pictures of the session.
            send: sends one message with buffers to the browser; any thread.
        """
        self._session, self._frames, self._send = session, frames, send
        self._controller = controller_of(session)
        self.overlays = Overlays(session, send)

    def receive(self, content: Any, buffers: Sequence[Any]) -> None:
        """Carry out one message from the browser; an error is sent back."""
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
                self.tell_run()
                self._frames.hello(wish.client, wish.colab)
            case Shown():
                self._frames.shown(wish.client, wish.seq)
            case Tick():
                self._frames.tick(wish.client)
            case EditWish():
                self._edit(wish)
            case StepWish():
                self._controller.begin(wish.n)
            case SeedWish():
                self._submit(wish, lambda: session.new_seed(self._seed(wish), wish.truncation_psi))
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
        """The seed of a wish; a wish for another truncation only keeps the current seed."""
        return self._session.seed if wish.seed is None and wish.truncation_psi is not None else wish.seed

    def _settings(self, wish: SettingsWish) -> None:
        session = self._session
        config = session.config
        if wish.preset is not None:
            config = DragConfig.for_generator(session.generator, wish.preset)
        changes = {"max_steps": wish.max_steps, "latent_space": wish.latent_space}
        session.config = config.replace(**{name: value for name, value in changes.items() if value is not None})
        self.tell_settings(wish)
        self.tell_run()

    def _submit(self, wish: Wish, job: Callable[[], object]) -> None:
        """Run a job that needs torch on the worker."""

        def guarded() -> None:
            try:
                job()
            except DragganError as error:
                self.fail(error, wish)

        self._controller.worker.submit(guarded)

    def _edit(self, wish: EditWish) -> None:
        session = self._session
        try:
            edit = wish.edit(session.edit, session.generator.image_size)
            self._controller.change_edit(edit, drawn_on=wish.revision, by=wish.client)
        except DragganError as error:
            self.tell_edit(wish, str(error))
        else:
            self.tell_edit(wish)
            self.tell_run()
            self.overlays.refresh()

    def tell_edit(self, wish: EditWish | None = None, error: str | None = None) -> None:
        """Send the current points: the answer to a wish, or news for every client."""
        step, revision = self._controller.step_and_revision()
        edit = step.edit
        kept = wish is not None and wish.mask == "keep" and error is None  # a mask has megabytes: not at every move
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
        }
        self._send(content, [edit.mask.tobytes()] if mask == "buffer" and edit.mask is not None else [])

    def tell_run(self) -> None:
        """Send whether a drag runs, why the last one was over, and which buttons would change anything.

        Each of these messages says all of it, so that a page which has missed one knows it again after the next.
        """
        session, ending = self._session, self._controller.ending()
        _, revision = self._controller.step_and_revision()
        content = {
            "type": "run",
            "revision": revision,
            "running": session.status == "running",
            "ended": None if ending is None else {"reason": ending[0], "message": ending[1]},
            "can_undo": session.can_undo,
            "can_redo": session.branches > 0,
            "can_reset": session.can_reset,
        }
        self._send(content, [])

    def tell_settings(self, wish: SettingsWish | None = None) -> None:
        """Send the settings of the next drag, and the possible choices."""
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
        """Send an error's message: the answer to a wish, or news for every client."""
        message = str(error) if isinstance(error, DragganError) else _foreign_message(error)
        rid, client = getattr(wish, "rid", None), getattr(wish, "client", None)
        self._send({"type": "failed", "message": message, "rid": rid, "client": client}, [])

    def handle(self, event: events.Event) -> None:
        """Send an event of the session to the browser."""
        match event:
            case events.Started() | events.Ended():
                self.tell_run()
            case events.Failed():
                self.tell_run()
                self.fail(event.error)
            case events.EditChanged() | events.StateChanged():
                self.tell_edit()
                self.tell_run()


def _foreign_message(error: BaseException) -> str:
    """The message of an error that is not ours, for example from a callback: kind, text, and where to read more."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{text}; session.last_error has the traceback"
