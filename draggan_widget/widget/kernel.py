"""What the widget knows about the notebook kernel that runs it. All of it also works without a kernel."""

import asyncio
import inspect
import sys
import time
from collections.abc import Callable

from IPython.core.getipython import get_ipython

BLOCKED_AFTER = 0.5  # seconds; a main loop that takes longer to answer counts as busy


def cell_identity() -> tuple[str, str] | None:
    """(the cell that runs now, this execution of it); None outside a notebook."""
    shell = get_ipython()
    parent = getattr(shell, "get_parent", dict)() if shell is not None else {}
    execution = parent.get("header", {}).get("msg_id")
    if not execution:
        return None
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
    return (cell, execution) if cell else None  # without a cell: a handler of another widget runs


def rerun_words(cell: tuple[str, str] | None) -> str:
    """What a widget of this cell says when it is closed because the cell runs again; "" where the cell does not."""
    running = cell_identity()
    if cell is None or running is None or running[0] != cell[0] or running[1] == cell[1]:
        return ""
    history = getattr(get_ipython(), "history_manager", None)
    # its inputs include the running cell; `execution_count` is already the next one's in some versions of IPython
    place = "that cell" if history is None else f"cell [{len(history.input_hist_parsed) - 1}]"
    return f"This widget was closed, because its cell ran again: the new widget is in the output of {place}."


class _EndOfCell:
    """What marimo asks of an object that belongs to one execution of a cell."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def create(self, context: object) -> None:
        """Do nothing: the widget exists already."""

    def dispose(self, context: object, deletion: bool) -> bool:
        """Close the widget; True tells marimo that this was done."""
        self._close()
        return True


def at_end_of_marimo_cell(close: Callable[[], None]) -> None:
    """Call `close` when the marimo cell that runs now runs again or is deleted; elsewhere do nothing.

    marimo has no IPython, so that `cell_identity` knows none of its cells, and no public name for this.
    """
    runtime = sys.modules.get("marimo._runtime.context")
    if runtime is not None and runtime.runtime_context_installed():
        runtime.get_context().cell_lifecycle_registry.add(_EndOfCell(close))


def keep_subshell(comm: object) -> None:
    """Read messages from the browser on the subshell that they name.

    ipykernel 7.4 reads them on the shell that the widget last sent on: for a widget made in a cell, only once that cell
    has ended. Other versions do not choose a shell and are left alone.
    """
    route = getattr(comm, "_reply_subshell_for", None)
    if callable(route) and list(inspect.signature(route).parameters) == ["data", "default"]:
        setattr(comm, "_reply_subshell_for", lambda data, default: default)  # noqa: B010 - a private name of ipykernel


class MainLoop:
    """The event loop of the kernel's main thread, where traits may be set."""

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._ping_sent: float | None = None

    def call(self, job: Callable[[], None]) -> None:
        """Run `job` on the main thread soon; at once where there is no loop."""
        if self._loop is None or self._loop.is_closed():
            job()
        else:
            self._loop.call_soon_threadsafe(job)

    def blocked(self) -> bool:
        """Whether the main thread is busy with a cell, so that the kernel hears no message from the browser."""
        if self._loop is None or self._loop.is_closed():
            return False
        now = time.monotonic()
        sent = self._ping_sent
        if sent is None:
            self._ping_sent = now
            self._loop.call_soon_threadsafe(self._on_answer)
            return False
        return now - sent > BLOCKED_AFTER

    def _on_answer(self) -> None:
        self._ping_sent = None
