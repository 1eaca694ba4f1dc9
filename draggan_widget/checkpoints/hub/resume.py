"""A download that can be resumed: its bytes so far, and a note that tells whether the server still has the same file.

Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (range requests).
"""

import contextlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import requests


class Interrupted(Exception):
    """A download failed in a way that another attempt may overcome.

    Attributes:
        wait: time that the server asked to wait before another attempt, in seconds.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        """Describe the failure.

        Args:
            reason: the failure, as a clause of an error text.
            wait: time that the server asked to wait before another attempt, in seconds.
        """
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class ServerNote:
    """The server's statements about the file when its download began.

    Attributes:
        url: the address that was requested.
        validator: the file's strong ETag, else its Last-Modified time, else empty.
        size: the file's length in bytes; 0 where the server did not state it.
    """

    url: str
    validator: str
    size: int


@dataclass(frozen=True)
class PartialDownload:
    """The bytes that were downloaded so far, in a file with a note beside it.

    Attributes:
        path: the file that holds the bytes.
        url: the address they come from.
    """

    path: Path
    url: str

    @property
    def note_path(self) -> Path:
        """Path of the note."""
        return self.path.with_name(f"{self.path.name}.json")

    def length(self) -> int:
        """Number of bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """Request headers for the remaining bytes; empty where the download cannot be resumed."""
        note, length = self._read_note(), self.length()
        if note is None or not 0 < length < note.size:
            return {}
        condition = {"If-Range": note.validator} if note.validator else {}
        return {"Range": f"bytes={length}-", **condition}

    def begin(self, response: requests.Response) -> tuple[int, int]:
        """Prepare for the body of the server's answer.

        Returns:
            The file offset where the body begins, and the file's length (0 where it is not known), in bytes.

        Raises:
            Interrupted: the answer is another part of the file than was requested.
        """
        if response.status_code == 206:
            return self._resume(response)
        self.drop()  # before the new note, which must never describe another file's bytes
        self.path.touch()
        note = ServerNote(self.url, _validator(response), _size(response))
        self.note_path.write_text(json.dumps(asdict(note)), encoding="utf-8")
        return 0, note.size

    def drop(self) -> None:
        """Remove the bytes and their note."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Move the complete file to `target`."""
        self.path.replace(target)
        self.note_path.unlink(missing_ok=True)

    def _read_note(self) -> ServerNote | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self.note_path.read_text(encoding="utf-8"))
            note = ServerNote(str(found["url"]), str(found["validator"]), int(found["size"]))
            return note if note.url == self.url else None
        return None

    def _resume(self, response: requests.Response) -> tuple[int, int]:
        note, length = self._read_note(), self.length()
        text = response.headers.get("Content-Range", "")
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text.strip())
        if note is not None and place is not None:
            fits = int(place[1]) == length and place[2] in ("*", str(note.size))
            if fits and _validator(response) in ("", note.validator):
                return length, note.size
        self.drop()
        raise Interrupted(f"the server answered with the part {text!r}, which is not the rest of the kept file")


def _validator(response: requests.Response) -> str:
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _size(response: requests.Response) -> int:
    # An encoded body has another length than the file has.
    text = response.headers.get("Content-Length", "") if "Content-Encoding" not in response.headers else ""
    return int(text) if text.isdecimal() else 0
