"""Downloads a checkpoint from its web address, with pooch and a downloader of our own.

Differs from pooch's downloader:
1. an interrupted download is resumed, in this call or the next, where the server supports that;
2. after a lost connection, or where the server is slow or overloaded, the request is repeated after a pause;
3. a file that is not a pickle (mostly a web page) is refused at its first bytes;
4. every error names a remedy.
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
from draggan_widget.checkpoints.hub.pins import pin_path
from draggan_widget.checkpoints.hub.pip import Progress
from draggan_widget.checkpoints.hub.resume import Interrupted, PartialDownload
from draggan_widget.errors import CheckpointError
from draggan_widget.files import DISK_FULL, sha256

ATTEMPTS = 4
PAUSE_SECONDS = 1.0  # pause before the second attempt, doubled before each later one
LONGEST_PAUSE_SECONDS = 30.0  # however long a pause the server asks for
TIMEOUTS = (10.0, 30.0)  # seconds to connect, and between two pieces
PIECE = 64 * 1024  # bytes read at once; at most so many are lost with the connection
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)
RANGE_REFUSED = 416
PICKLE_START, PICKLE_STOP = b"\x80", b"."  # opcodes PROTO (since protocol 2) and STOP


def download(named: UrlCheckpoint, home: Path, expected: str | None, progress: Progress | None) -> Path:
    """Download the file into the folder `home`.

    Args:
        named: the checkpoint.
        home: folder that keeps the file.
        expected: sha256 that the file must have; None accepts any.
        progress: called with (bytes so far, bytes in all, or 0 when not known).

    Returns:
        Path of the file.

    Raises:
        CheckpointError: the file cannot be downloaded, or has another sha256.
        OSError: the file cannot be written.
    """
    downloader = Downloader(named, home, progress)
    try:
        with _pooch_silenced():
            # pooch's protocol names the parameters otherwise, but passes them by position.
            pooch.retrieve(named.url, expected, named.filename, home, downloader=downloader)  # type: ignore[arg-type]
    except ValueError as error:  # pooch raises it for another hash
        when, anew = "as published", "update draggan-widget"
        if named.sha256 is None:
            record = pin_path(named, home)
            when, anew = f"when it was first used (noted in {record})", f"delete {record.name} to trust the new one"
        raise CheckpointError(
            f"{named.url} gives a file with sha256 {downloader.sha256}; expected {expected}, that of {named.filename} "
            f"{when}; try again; if the error returns, the publisher has replaced the file: {anew}, {named.by_hand}"
        ) from error
    return home / named.filename


def partial_download(named: UrlCheckpoint, home: Path) -> PartialDownload:
    """The bytes that an interrupted download left in `home`."""
    return PartialDownload(home / f"{named.filename}.part", named.url)


class Downloader:
    """The function that pooch calls to download a file.

    Attributes:
        named: the checkpoint.
        partial: the bytes downloaded so far.
        progress: called with (bytes so far, bytes in all, or 0 when not known).
        sha256: sha256 of the file; empty before the download is complete.
    """

    def __init__(self, named: UrlCheckpoint, home: Path, progress: Progress | None) -> None:
        self.named = named
        self.partial = partial_download(named, home)
        self.progress: Callable[[int, int], object] = progress or (lambda done, total: None)
        self.sha256 = ""

    def __call__(
        self, url: str, target: str | os.PathLike[str] | None, pooch: object, /, *, check_only: bool | None = False
    ) -> None:
        """Download the file to `target`; the signature is pooch's."""
        if target is None:
            raise TypeError("target is None; expected the path pooch keeps the download at")
        try:
            with requests.Session() as session:
                self._fetch_with_retries(session)
            self._check_end()
            self.sha256 = sha256(self.partial.path)
            self.partial.finish(Path(target))
        except OSError as error:
            if error.errno in DISK_FULL:
                self.partial.drop()
            raise

    def _fetch_with_retries(self, session: requests.Session) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._fetch_once(session)
            except Interrupted as error:
                if attempt == ATTEMPTS:
                    raise self._give_up(error) from error
                pause = max(PAUSE_SECONDS * 2 ** (attempt - 1), error.wait)
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))

    def _fetch_once(self, session: requests.Session) -> None:
        # Without an encoding, lengths and offsets count the file's own bytes.
        headers = {"Accept-Encoding": "identity", **self.partial.range_headers()}
        try:
            with session.get(self.named.url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
                self.check_answer(response)
                self._receive(response)
        except (requests.exceptions.SSLError, requests.exceptions.ProxyError) as error:
            raise self._failure(
                f"no connection to the server ({error})", "check certificates and proxy settings"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Interrupted(f"the server was not reached ({error})") from error
        except (requests.RequestException, ValueError) as error:
            raise self._failure(f"the request failed ({error})", "check the network and the proxy settings") from error

    def check_answer(self, response: requests.Response) -> None:
        """Refuse an answer that holds no part of the file.

        Raises:
            Interrupted: another attempt may get a better answer.
            CheckpointError: it never will.
        """
        status = response.status_code
        words = f"the server answered {status} {response.reason or ''}".rstrip()
        if status == RANGE_REFUSED:
            self.partial.drop()
            raise Interrupted(words)
        if status in RETRIED_STATUSES:
            raise Interrupted(words, _retry_after(response))
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise self._failure(words, "its publisher may have moved or withdrawn it; update draggan-widget")
        if urlsplit(self.named.url).scheme == "https" and urlsplit(response.url).scheme != "https":
            raise self._failure(
                f"the server redirects to {response.url}, an unencrypted connection", "check the network"
            )

    def _receive(self, response: requests.Response) -> None:
        done, total = self.partial.begin(response)
        self._check_room(total - done)
        with self.partial.path.open("ab") as file:
            for piece in _read_pieces(response):
                if done == 0:
                    self._check_start(piece)
                file.write(piece)
                done += len(piece)
                self.progress(done, total)
        if done < total:
            raise Interrupted(f"the connection was lost after {done} of {total} bytes")
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
            raise self._failure(f"the server sent {found} instead of a pickle", "it may require a log-in or be blocked")

    def _check_end(self) -> None:
        with self.partial.path.open("rb") as file:
            file.seek(max(0, self.partial.length() - 1))
            if file.read() == PICKLE_STOP:
                return
        self.partial.drop()
        raise self._failure("the server sent a pickle without its end", "try again")

    def _give_up(self, last: Interrupted) -> CheckpointError:
        kept = self.partial.length()
        again = f"; {kept} bytes are kept, and the next call resumes from them" if self.partial.range_headers() else ""
        return self._failure(f"{last} (attempt {ATTEMPTS} of {ATTEMPTS}){again}", "check the network, then try again")

    def _failure(self, found: str, remedy: str) -> CheckpointError:
        named = self.named
        return CheckpointError(
            f"checkpoint {named.name!r} ({named.url}) was not downloaded: {found}; expected the file "
            f"{named.filename}; {remedy}, {named.by_hand}"
        )


def _read_pieces(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(PIECE)
    except requests.RequestException as error:
        raise Interrupted(f"the connection was lost ({error})") from error


def _retry_after(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0  # the header's other form, a date, is rare


@contextlib.contextmanager
def _pooch_silenced() -> Iterator[None]:
    """Silence pooch's log of a download, since our message says more."""
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
