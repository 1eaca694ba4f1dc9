"""A download that may be cut: the bytes so far, and what tells whether the server still has the same file.

Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (range requests).
"""

import contextlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import requests


class Interrupted(Exception):
    """A download came to a halt that another attempt may pass.

    Args:
        reason: what happened, as a clause.
        wait: how long the server asked to be left alone, in seconds.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Note:
    """What the server said of the file when its download began.

    Args:
        url: the address asked.
        validator: its strong ETag, else the time it was last modified, else empty.
        size: its length in bytes, 0 when not told.
    """

    url: str
    validator: str
    size: int


@dataclass(frozen=True)
class Partial:
    """The bytes so far, with their note beside them.

    Args:
        path: of the bytes.
        url: the address they come from.
    """

    path: Path
    url: str

    @property
    def note_path(self) -> Path:
        """Where the note lies."""
        return self.path.with_name(f"{self.path.name}.json")

    def length(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """What to ask for the rest with; nothing when there is no rest to ask for."""
        note, length = self._note(), self.length()
        if note is None or not 0 < length < note.size:
            return {}
        condition = {"If-Range": note.validator} if note.validator else {}
        return {"Range": f"bytes={length}-", **condition}

    def begin(self, response: requests.Response) -> tuple[int, int]:
        """Make ready for the answer's body: (the byte it starts at, the file's size or 0).

        Raises:
            Interrupted: the answer is another part than was asked for.
        """
        if response.status_code == 206:
            return self._go_on(response)
        self.drop()  # before the new note: a note never describes another file's bytes
        self.path.touch()
        note = Note(self.url, _validator(response), _size(response))
        self.note_path.write_text(json.dumps(asdict(note)), encoding="utf-8")
        return 0, note.size

    def drop(self) -> None:
        """Forget the bytes."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Put the whole file in the target's place."""
        self.path.replace(target)
        self.note_path.unlink(missing_ok=True)

    def _note(self) -> Note | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self.note_path.read_text(encoding="utf-8"))
            note = Note(str(found["url"]), str(found["validator"]), int(found["size"]))
            return note if note.url == self.url else None
        return None

    def _go_on(self, response: requests.Response) -> tuple[int, int]:
        note, length = self._note(), self.length()
        text = response.headers.get("Content-Range", "")
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text.strip())
        if note is not None and place is not None:
            fits = int(place[1]) == length and place[2] in ("*", str(note.size))
            if fits and _validator(response) in ("", note.validator):
                return length, note.size
        self.drop()
        raise Interrupted(f"the server answered with the part {text!r}, which is not the rest of what was kept")


def _validator(response: requests.Response) -> str:
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _size(response: requests.Response) -> int:
    # An encoded body has another length than the file.
    text = response.headers.get("Content-Length", "") if "Content-Encoding" not in response.headers else ""
    return int(text) if text.isdecimal() else 0
