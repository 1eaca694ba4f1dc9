"""Takes a checkpoint from its address: pooch, with a downloader of our own.

Differs from pooch's downloader:
1. a download that was cut is gone on with, in this call or the next, where the server can do that;
2. a cut line, a slow or an overloaded server is asked again, after a pause;
3. what is no pickle (a web page, mostly) is refused at its first bytes;
4. every error says what to do.
"""

import contextlib
import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from draggan_widget.checkpoints.hub.catalog import UrlCheckpoint
from draggan_widget.checkpoints.hub.pins import record_path
from draggan_widget.checkpoints.hub.pip import Progress
from draggan_widget.checkpoints.hub.resume import Interrupted, Partial
from draggan_widget.errors import CheckpointError
from draggan_widget.files import sha256

ATTEMPTS = 4
PAUSE_SECONDS = 1.0  # before the second attempt, doubled before each later one
LONGEST_PAUSE_SECONDS = 30.0  # however long the server asks to be left alone
TIMEOUTS = (10.0, 30.0)  # to connect, and between two pieces, in seconds
PIECE = 64 * 1024  # bytes; what is lost when the line is cut
ASKED_AGAIN = (408, 425, 429, 500, 502, 503, 504)
RANGE_REFUSED = 416
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
PICKLE_START, PICKLE_STOP = b"\x80", b"."  # PROTO, since protocol 2, and STOP


def take(named: UrlCheckpoint, home: Path, due: str | None, progress: Progress | None) -> Path:
    """Download the file into ``home``; ``due`` is the sha256 it must have, None when any will do.

    Raises:
        CheckpointError: it cannot be downloaded, or is another file than the one due.
        OSError: it cannot be kept.
    """
    downloader = Downloader(named, home, progress)
    try:
        with _quiet():
            # Its protocol has other names for the parameters, which it passes by place.
            pooch.retrieve(named.url, due, named.filename, home, downloader=downloader)  # type: ignore[arg-type]
    except ValueError as error:  # pooch's word for another hash
        when, anew = "as published", "update draggan-widget"
        if named.sha256 is None:
            record = record_path(named, home)
            when, anew = f"when it was first used (noted in {record})", f"delete {record.name} to trust the new one"
        raise CheckpointError(
            f"{named.url} gives a file with sha256 {downloader.sha256}; expected {due}, that of {named.filename} "
            f"{when}; try again, and if it stays so the publisher replaced it: {anew}, {named.by_hand}"
        ) from error
    return home / named.filename


def partial_of(named: UrlCheckpoint, home: Path) -> Partial:
    """Where the bytes of a cut download are kept."""
    return Partial(home / f"{named.filename}.part", named.url)


class Downloader:
    """What pooch calls to fetch an address into a file.

    Args:
        named: whose file it is, for errors.
        home: the folder that keeps a part of it.
        progress: called with (bytes so far, bytes in all or 0).
    """

    def __init__(self, named: UrlCheckpoint, home: Path, progress: Progress | None) -> None:
        self.named = named
        self.partial = partial_of(named, home)
        self.progress: Callable[[int, int], object] = progress or (lambda done, total: None)
        self.sha256 = ""  # of the file, once it is there

    def __call__(
        self, url: str, target: str | os.PathLike[str] | None, pooch: object, /, *, check_only: bool | None = False
    ) -> None:
        """Fetch the address into the file; pooch's interface."""
        if target is None:
            raise TypeError("target is None; expected the path pooch keeps the download at")
        try:
            with requests.Session() as session:
                self._persist(session)
            self._check_end()
            self.sha256 = sha256(self.partial.path)
            self.partial.finish(Path(target))
        except OSError as error:
            if error.errno in DISK_FULL:
                self.partial.drop()
            raise

    def _persist(self, session: requests.Session) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(session)
            except Interrupted as error:
                if attempt == ATTEMPTS:
                    raise self._gave_up(error) from error
                pause = max(PAUSE_SECONDS * 2 ** (attempt - 1), error.wait)
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))

    def _attempt(self, session: requests.Session) -> None:
        # Not encoded: lengths and places then count the file's own bytes.
        headers = {"Accept-Encoding": "identity", **self.partial.range_headers()}
        try:
            with session.get(self.named.url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
                self._check_answer(response)
                self._receive(response)
        except (requests.exceptions.SSLError, requests.exceptions.ProxyError) as error:
            raise self._failure(f"no line to the server ({error})", "check certificates and proxy settings") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Interrupted(f"the server was not reached ({error})") from error
        except (requests.RequestException, ValueError) as error:
            raise self._failure(f"the request failed ({error})", "check the network and the proxy settings") from error

    def _check_answer(self, response: requests.Response) -> None:
        status = response.status_code
        words = f"the server answered {status} {response.reason or ''}".rstrip()
        if status == RANGE_REFUSED:
            self.partial.drop()
            raise Interrupted(words)
        if status in ASKED_AGAIN:
            raise Interrupted(words, _asked_pause(response))
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise self._failure(words, "its publisher may have moved or withdrawn it; update draggan-widget")
        if urlsplit(self.named.url).scheme == "https" and urlsplit(response.url).scheme != "https":
            raise self._failure(f"the server points on to {response.url}, an open line", "check the network")

    def _receive(self, response: requests.Response) -> None:
        done, total = self.partial.begin(response)
        self._check_room(total - done)
        with self.partial.path.open("ab") as file:
            for piece in _pieces(response):
                if done == 0:
                    self._check_start(piece)
                file.write(piece)
                done += len(piece)
                self.progress(done, total)
        if done < total:
            raise Interrupted(f"the line was cut after {done} of {total} bytes")
        if done > total > 0:
            self.partial.drop()
            raise Interrupted(f"the server sent {done} bytes instead of {total}")

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.partial.path.parent).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"{free} bytes free on this disk, {needed} needed")

    def _check_start(self, piece: bytes) -> None:
        if not piece.startswith(PICKLE_START):
            self.partial.drop()
            start = piece.lstrip()[:40]
            found = "a web page" if start.startswith(b"<") else f"something that begins with {start!r}"
            raise self._failure(f"the server sent {found} instead of a pickle", "it may want a log-in or be blocked")

    def _check_end(self) -> None:
        with self.partial.path.open("rb") as file:
            file.seek(max(0, self.partial.length() - 1))
            if file.read() == PICKLE_STOP:
                return
        self.partial.drop()
        raise self._failure("the server sent a pickle without its end", "try again")

    def _gave_up(self, last: Interrupted) -> CheckpointError:
        kept = self.partial.length()
        again = f"; {kept} bytes are kept, and the next call goes on from them" if self.partial.range_headers() else ""
        return self._failure(f"{last} (attempt {ATTEMPTS} of {ATTEMPTS}){again}", "check the network, then try again")

    def _failure(self, found: str, remedy: str) -> CheckpointError:
        named = self.named
        return CheckpointError(
            f"checkpoint {named.name!r} ({named.url}) was not downloaded: {found}; expected the file "
            f"{named.filename}; {remedy}, {named.by_hand}"
        )


def _pieces(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(PIECE)
    except requests.RequestException as error:
        raise Interrupted(f"the line was cut ({error})") from error


def _asked_pause(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0  # its other form, a date, is rare


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep pooch's own account of a download off the screen: ours says more."""
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
