"""One worker thread that runs jobs in order; a session pulls `drag()` on it at full speed."""

import atexit
import logging
import queue
import threading
import weakref
from collections.abc import Callable

Job = Callable[[], None]
EXIT_SECONDS = 10.0  # time for the current job to finish when Python ends


class _Mailbox:
    """What owner and thread share; the thread holds nothing else, so that an unreferenced session can be collected."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.rest: tuple[float, Job] | None = None
        self.closed = threading.Event()
        self.thread: threading.Thread | None = None

    def close(self) -> None:
        self.closed.set()
        self.jobs.put(None)


_running: "weakref.WeakSet[_Mailbox]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End every worker before Python ends: a daemon thread cut off inside torch would abort the process."""
    mailboxes = list(_running)
    for mailbox in mailboxes:
        mailbox.close()
    for mailbox in mailboxes:
        if mailbox.thread is not None:
            mailbox.thread.join(EXIT_SECONDS)


class Worker:
    """Runs jobs one after another on one daemon thread, which starts with the first job."""

    def __init__(self, name: str):
        """Prepare a worker; its thread starts with the first job.

        Args:
            name: name of the thread.
        """
        self._mailbox = _Mailbox()
        self._thread: threading.Thread | None = None
        self._name = name
        self._lock = threading.Lock()
        weakref.finalize(self, self._mailbox.close)

    @property
    def closed(self) -> bool:
        """True once the worker takes no more jobs; a picture that is being drawn checks it too."""
        return self._mailbox.closed.is_set()

    @property
    def is_current_thread(self) -> bool:
        """Whether the calling thread is the worker."""
        return threading.current_thread() is self._thread

    def submit(self, job: Job) -> None:
        """Run a job after the earlier ones; it is dropped once the worker is closed."""
        with self._lock:
            if self.closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=_run_jobs, args=(self._mailbox,), name=self._name, daemon=True)
                self._mailbox.thread = self._thread
                _running.add(self._mailbox)
                self._thread.start()
        self._mailbox.jobs.put(job)

    def drain(self, is_running: Callable[[], bool]) -> None:
        """On the worker, between two steps of a drag: run the jobs that came in, as long as the drag is running."""
        while is_running() and not self.closed:
            try:
                job = self._mailbox.jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._mailbox.jobs.put(None)
                return
            _run_job(job)

    def after_rest(self, seconds: float, job: Job) -> None:
        """On the worker: run `job` once no other job came in for `seconds`; a later call replaces it."""
        self._mailbox.rest = (seconds, job)

    def close(self, timeout: float = 10.0) -> None:
        """End the worker after the current job, and wait for it (never on the worker itself). Idempotent."""
        self._mailbox.close()
        thread = self._thread
        if thread is not None and not self.is_current_thread:
            thread.join(timeout)


def _run_job(job: Job) -> None:
    try:
        job()
    except BaseException:
        logging.getLogger("draggan_widget").exception("a job of the drag worker failed")


def _run_jobs(mailbox: _Mailbox) -> None:
    while not mailbox.closed.is_set():
        job = _next_job(mailbox)
        if job is not None:
            _run_job(job)
        del job  # it refers to its session


def _next_job(mailbox: _Mailbox) -> Job | None:
    if mailbox.rest is None:
        return mailbox.jobs.get()
    seconds, later = mailbox.rest
    try:
        return mailbox.jobs.get(timeout=seconds)
    except queue.Empty:
        mailbox.rest = None
        return later
