"""Files whose hash nobody published: trusted on first use, held to it from then on.

The record lies beside the file, as ``FILENAME.json``, and outlives it: a download of another day must be the same.
"""

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from draggan_widget.checkpoints.hub.catalog import NamedCheckpoint
from draggan_widget.errors import CheckpointError
from draggan_widget.files import sha256, write_atomically


@dataclass(frozen=True)
class Trusted:
    """What a file was when it was first used.

    Args:
        url: where it came from.
        sha256: what it hashed to.
        size: its length in bytes.
        first_used: the day, as year-month-day.
    """

    url: str
    sha256: str
    size: int
    first_used: str


def record_path(named: NamedCheckpoint, home: Path) -> Path:
    """Where the record of a checkpoint kept in ``home`` lies."""
    return home / f"{named.filename}.json"


def recorded(named: NamedCheckpoint, home: Path) -> Trusted | None:
    """What the file was at its first use; None before that.

    Raises:
        CheckpointError: the record is damaged.
    """
    path = record_path(named, home)
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Trusted(str(found["url"]), str(found["sha256"]), int(found["size"]), str(found["first_used"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"record {path} cannot be understood ({error!r}); expected what was noted when {named.filename} was first "
            "used; delete it to trust the file anew"
        ) from error


def record(named: NamedCheckpoint, home: Path, file: Path) -> None:
    """Note what the file is, for every later download of it."""
    today = datetime.date.today().isoformat()
    text = json.dumps(asdict(Trusted(named.origin, sha256(file), file.stat().st_size, today)), indent=1)
    write_atomically(record_path(named, home), lambda target: target.write(text.encode()))


def due_sha256(named: NamedCheckpoint, home: Path) -> str | None:
    """What the file must hash to: the published sum, else that of its first use, else None."""
    if named.sha256 is not None:
        return named.sha256
    known = recorded(named, home)
    return None if known is None else known.sha256
