"""What the widget knows of the notebook kernel around it. Everything here works, and says nothing, without one."""

import asyncio
import inspect
import time
from collections.abc import Callable

from IPython.core.getipython import get_ipython

BLOCKED_AFTER = 0.5  # seconds the main loop may take to answer before it counts as busy


def cell_identity() -> tuple[str, str] | None:
    """(which cell, which execution of it) runs now; None outside a notebook."""
    shell = get_ipython()
    parent = getattr(shell, "get_parent", dict)() if shell is not None else {}
    execution = parent.get("header", {}).get("msg_id")
    if not execution:
        return None
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
    return (cell, execution) if cell else None  # no cell: made by the handler of another widget


def keep_subshell(comm: object) -> None:
    """Let messages from the browser be read on the subshell that it names.

    ipykernel 7.4 reads them on the shell that the widget last sent on: for one made in a cell, once that cell ended.
    Other versions have no such choice and are left alone.
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
        self._asked: float | None = None

    def call(self, job: Callable[[], None]) -> None:
        """Run `job` on the main thread soon; at once where there is no loop."""
        if self._loop is None or self._loop.is_closed():
            job()
        else:
            self._loop.call_soon_threadsafe(job)

    def blocked(self) -> bool:
        """Whether the main thread is busy with a cell, so that no message from the browser can be heard."""
        if self._loop is None or self._loop.is_closed():
            return False
        now = time.monotonic()
        asked = self._asked
        if asked is None:
            self._asked = now
            self._loop.call_soon_threadsafe(self._answered)
            return False
        return now - asked > BLOCKED_AFTER

    def _answered(self) -> None:
        self._asked = None
