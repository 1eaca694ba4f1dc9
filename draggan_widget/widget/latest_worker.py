"""Work of which only the newest matters, on a worker of its own.

A slider or a pointer asks far more often than one sees.
"""

import threading
from collections.abc import Callable

from draggan_widget.session.worker import Runner


class Newest:
    """Of each kind of job runs the one asked last; one is under way at a time, and one of each kind waits.

    Args:
        name: of the worker's thread.
        failed: takes what a job raised.
    """

    def __init__(self, name: str, failed: Callable[[Exception], None]):
        self._runner, self._failed = Runner(name), failed
        self._lock = threading.Lock()
        self._waiting: dict[str, Callable[[], None]] = {}

    def ask(self, kind: str, job: Callable[[], None]) -> None:
        """Have `job` done soon, unless another of its kind is asked for first; any thread, dropped once closed."""
        with self._lock:
            new = kind not in self._waiting
            self._waiting[kind] = job
        if new:
            self._runner.submit(lambda: self._take(kind))

    def close(self) -> None:
        """End the worker after the job under way. Idempotent."""
        self._runner.close()

    def _take(self, kind: str) -> None:
        with self._lock:
            job = self._waiting.pop(kind)
        if self._runner.closed:
            return
        try:
            job()
        except Exception as error:  # noqa: BLE001 - whatever went wrong is said in the widget
            self._failed(error)
