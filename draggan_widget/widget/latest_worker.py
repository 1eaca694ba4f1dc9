"""A worker that runs only the latest job of each kind: a slider or a pointer asks more often than one can see."""

import threading
from collections.abc import Callable

from draggan_widget.session.worker import Worker


class LatestWorker:
    """Runs jobs one at a time; of each kind at most one waits, and a later one replaces it."""

    def __init__(self, name: str, on_error: Callable[[Exception], None]):
        """Prepare a worker; its thread starts with the first job.

        Args:
            name: name of the worker's thread.
            on_error: called on the worker with the error that a job raised.
        """
        self._worker, self._on_error = Worker(name), on_error
        self._lock = threading.Lock()
        self._waiting: dict[str, Callable[[], None]] = {}

    def submit(self, kind: str, job: Callable[[], None]) -> None:
        """Run `job` soon, unless another of its kind comes first; any thread. It is dropped once closed."""
        with self._lock:
            new = kind not in self._waiting
            self._waiting[kind] = job
        if new:
            self._worker.submit(lambda: self._run_latest(kind))

    def close(self) -> None:
        """End the worker after the current job. Idempotent."""
        self._worker.close()

    def _run_latest(self, kind: str) -> None:
        with self._lock:
            job = self._waiting.pop(kind)
        if self._worker.closed:
            return
        try:
            job()
        except Exception as error:  # noqa: BLE001 - any error is shown in the widget
            self._on_error(error)
