"""Recorded traces of the protocol, shared with js/test/traces.test.ts.

A trace is one JSON file in tests/golden/traces: a list of entries in the order in which they happened. `at` is the time
in ms; an entry says one thing that happened:

- `page`, `opens`: a page was opened. `page`, `user`: its user acted (`UserAct` in js/test/page/page.ts). `page`,
  `closes`: the page is closed.
- `page`, `wish`, `buffers`: the page sent a message. `kernel_hears`: the number of the entry whose wish arrived.
- `python`: Python acted (`Kernel.perform` in tests/widget/world.py).
- `fact`, `buffers`: the kernel sent a message to all pages. `page`, `page_hears`: the number of the entry whose fact
  arrived.
- `holds`: what the kernel holds then. `page`, `shows`: what the page shows then.

A message that never arrives was lost; one that arrives twice was doubled. In `buffers` a picture is its MIME type,
since its bytes depend on the version of the encoder, and a mask is the lengths of its runs, of 0 first.

The client ids and the times are those of the test, so nothing else has to be put right before two runs are compared,
except that positions which the drag computes are rounded (`rounded`) and compared within `TOLERANCE`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from widget.world import Kernel, Times, no_waiting

from draggan_widget.session.session import controller_of

FOLDER = Path(__file__).parents[1] / "golden" / "traces"
TOLERANCE = 2e-3  # image px, and steps a second
MAGIC = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png"}
Entry = dict[str, Any]


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> list[Entry]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def save(name: str, entries: Sequence[Entry]) -> None:
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n", "utf-8")


class Tape:
    """The entries of a trace as they happen."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, at: int, **what: Any) -> int:
        """The number of the entry."""
        self.entries.append({"at": at} | rounded(what))
        return len(self.entries) - 1


def rounded(value: Any) -> Any:
    """The value as JSON has it, floats with three decimals."""
    if isinstance(value, float):
        return round(value, 3) if value != int(value) else int(value)
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def pack(buffers: Sequence[bytes]) -> list[Any]:
    """Buffers as a trace has them."""
    return [MAGIC.get(buffer[:2]) or _runs(buffer) for buffer in buffers]


def unpack(buffers: Sequence[Any]) -> list[bytes]:
    """The masks of a trace; pictures go to pages only."""
    return [np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8).tobytes() for runs in buffers]


def holds(kernel: Kernel) -> dict[str, Any]:
    """What the kernel holds, as a trace has it; a page's `shows` has the same names for the same things."""
    session, edit = kernel.session, kernel.session.edit
    points = zip(edit.handles, edit.targets, edit.locked, strict=True)
    return {
        "revision": controller_of(session).revision,
        "points": [[*handle, *target, locked] for handle, target, locked in points],
        "handles": [list(handle) for handle in session.handles],
        "mask": None if edit.mask is None else _runs(edit.mask.tobytes()),
        "status": session.status,
        "step": session.current.index,
        "can_undo": session.can_undo,
    }


def _runs(mask: bytes) -> list[int]:
    values = np.frombuffer(mask, np.uint8)
    changes = np.flatnonzero(np.diff(values)) + 1
    lengths = np.diff([0, *changes, len(values)]).tolist()
    return lengths if values[0] == 0 else [0, *lengths]


def replay(entries: Sequence[Entry]) -> tuple[list[Entry], Kernel]:
    """Let a real kernel hear a trace's wishes; what it then sends and holds."""
    times, told = Times(), Tape()
    kernel = Kernel(times, lambda content, buffers: told.add(times.ms, fact=content, buffers=pack(buffers)) and None)

    def feed(entry: Entry) -> None:
        if "kernel_hears" in entry:
            sent = entries[entry["kernel_hears"]]
            kernel.receive(sent["wish"], unpack(sent["buffers"]))
        elif "python" in entry:
            kernel.perform(entry["python"])
        elif "holds" in entry:
            told.add(times.ms, holds=holds(kernel))

    with no_waiting(times):
        for entry in entries:
            times.at(entry["at"], lambda entry=entry: feed(entry))
        kernel.worker.run_until(entries[-1]["at"] + 1)
    return told.entries, kernel
