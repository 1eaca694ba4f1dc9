"""Pins for files whose sha256 nobody published: the hash of the first download is kept, and every later one must match.

The pin lies beside the file, as `FILENAME.json`, and stays when the file is removed.
"""

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from draggan_widget.checkpoints.hub.catalog import NamedCheckpoint
from draggan_widget.errors import CheckpointError
from draggan_widget.files import read_remedy, sha256, write_atomically


@dataclass(frozen=True)
class Pin:
    """A file as it was when it was first used.

    Attributes:
        url: address it was downloaded from.
        sha256: its sha256 in hexadecimal.
        size: its length in bytes.
        first_used: day of the first use, as year-month-day.
    """

    url: str
    sha256: str
    size: int
    first_used: str


def pin_path(named: NamedCheckpoint, home: Path) -> Path:
    """Path of the pin of a checkpoint that is kept in `home`."""
    return home / f"{named.filename}.json"


def read_pin(named: NamedCheckpoint, home: Path) -> Pin | None:
    """Read the pin; None before the first use.

    Raises:
        CheckpointError: the pin's file cannot be read, or is damaged.
    """
    path = pin_path(named, home)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Pin(str(found["url"]), str(found["sha256"]), int(found["size"]), str(found["first_used"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CheckpointError(
            f"record {path} cannot be read ({error}); expected the sha256 of {named.filename}; "
            f"{read_remedy(error, path)}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"record {path} cannot be understood ({error!r}); expected url, sha256, size and day of the first use of "
            f"{named.filename}; delete it to trust the file anew"
        ) from error


def write_pin(named: NamedCheckpoint, home: Path, file: Path) -> None:
    """Pin the file: every later download must be the same."""
    today = datetime.date.today().isoformat()
    text = json.dumps(asdict(Pin(named.origin, sha256(file), file.stat().st_size, today)), indent=1)
    write_atomically(pin_path(named, home), lambda target: target.write(text.encode()))


def expected_sha256(named: NamedCheckpoint, home: Path) -> str | None:
    """The sha256 that the file must have: the published one, else the pinned one, else None."""
    if named.sha256 is not None:
        return named.sha256
    pin = read_pin(named, home)
    return None if pin is None else pin.sha256
