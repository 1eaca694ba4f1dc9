"""One worker thread a session: it runs jobs in order and pulls `drag()` at full speed."""

import atexit
import logging
import queue
import threading
import weakref
from collections.abc import Callable

Job = Callable[[], None]
EXIT_SECONDS = 10.0  # a step under way may take so long when Python ends


class _Mailbox:
    """What owner and worker share; the worker holds nothing else, so that a forgotten session can go."""

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
    """Before Python ends: a daemon thread cut off inside torch would abort the process."""
    mailboxes = list(_running)
    for mailbox in mailboxes:
        mailbox.close()
    for mailbox in mailboxes:
        if mailbox.thread is not None:
            mailbox.thread.join(EXIT_SECONDS)


class Runner:
    """Runs jobs one after another on one daemon thread, which starts with the first of them."""

    def __init__(self, name: str):
        self._mailbox = _Mailbox()
        self._thread: threading.Thread | None = None
        self._name = name
        self._lock = threading.Lock()
        weakref.finalize(self, self._mailbox.close)

    @property
    def closed(self) -> bool:
        """Whether no more work is taken: also asked by pictures under way."""
        return self._mailbox.closed.is_set()

    @property
    def here(self) -> bool:
        """Whether the caller is the worker."""
        return threading.current_thread() is self._thread

    def submit(self, job: Job) -> None:
        """Run a job after those before it; dropped once closed."""
        with self._lock:
            if self.closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=_work, args=(self._mailbox,), name=self._name, daemon=True)
                self._mailbox.thread = self._thread
                _running.add(self._mailbox)
                self._thread.start()
        self._mailbox.jobs.put(job)

    def drain(self, going: Callable[[], bool]) -> None:
        """On the worker, between two steps of a drag: run what came in meanwhile, as long as the drag is going."""
        while going() and not self.closed:
            try:
                job = self._mailbox.jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._mailbox.jobs.put(None)
                return
            _perform(job)

    def after_rest(self, seconds: float, job: Job) -> None:
        """On the worker: run `job` once nothing else came in for so long; a later call replaces it."""
        self._mailbox.rest = (seconds, job)

    def close(self, timeout: float = 10.0) -> None:
        """End the worker after the job under way, and wait for it (never on the worker itself). Idempotent."""
        self._mailbox.close()
        thread = self._thread
        if thread is not None and not self.here:
            thread.join(timeout)


def _perform(job: Job) -> None:
    try:
        job()
    except BaseException:
        logging.getLogger("draggan_widget").exception("a job of the drag worker failed")


def _work(mailbox: _Mailbox) -> None:
    while not mailbox.closed.is_set():
        job = _next(mailbox)
        if job is not None:
            _perform(job)
        del job  # a job holds its session


def _next(mailbox: _Mailbox) -> Job | None:
    if mailbox.rest is None:
        return mailbox.jobs.get()
    seconds, later = mailbox.rest
    try:
        return mailbox.jobs.get(timeout=seconds)
    except queue.Empty:
        mailbox.rest = None
        return later
