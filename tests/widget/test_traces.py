"""The real kernel hears what the pages sent in each recorded trace, and must send and hold the same.

js/test/traces.test.ts does so with the front end. Where both pass, the recorded agreement of the two is theirs.
"""

import threading
import time
from typing import Any

import pytest
from widget.record_traces import SCHEDULES
from widget.traces import TOLERANCE, Entry, load, names, replay
from widget.world import Times, no_waiting

COMPUTED = ("handles", "distances", "steps_per_second")  # by the drag: not the same to the last bit on each machine
BROKEN = "an_error_while_a_drag_runs"


def split(entry: Entry) -> tuple[Any, list[float]]:
    """What must be equal, and the numbers that must be near."""
    kind = "fact" if "fact" in entry else "holds"
    inner = dict(entry[kind])
    numbers = [inner.pop(name, None) for name in COMPUTED]
    flat = [value for number in numbers for value in _flatten(number)]
    return {**entry, kind: inner}, flat


def _flatten(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for inner in value for number in _flatten(inner)]
    return [] if value is None else [value]


def test_only_the_thread_that_moves_the_kernel_must_not_wait():
    """tqdm's monitor, which an earlier test may have started, waits all the time."""
    begin, waited = threading.Lock(), []
    begin.acquire()

    def monitor() -> None:
        with begin:
            time.sleep(0)
            waited.append(threading.Event().wait(0))

    thread = threading.Thread(target=monitor)
    thread.start()
    with no_waiting(Times()):
        begin.release()
        while thread.is_alive():
            pass
        for wait in (threading.Event().wait, time.sleep):
            with pytest.raises(AssertionError, match=r"^the worker waited$"):
                wait(0)
    assert waited == [False]


def test_every_schedule_has_its_trace():
    assert names() == sorted(plan.__name__ for plan in SCHEDULES)


@pytest.mark.parametrize("name", names())
def test_the_kernel_sends_and_holds_what_was_recorded(name):
    entries = load(name)
    found, kernel = replay(entries)
    recorded = [entry for entry in entries if "fact" in entry or "holds" in entry]
    for mine, theirs in zip(found, recorded, strict=False):
        (same, near), (expected, expected_near) = split(mine), split(theirs)
        assert same == expected
        assert near == pytest.approx(expected_near, abs=TOLERANCE)
    assert len(found) == len(recorded)
    assert [str(fault) for fault in kernel.faults] == (["out of memory"] if name == BROKEN else [])


@pytest.mark.parametrize("name", names())
def test_kernel_and_pages_agree_at_the_end_of_a_trace(name):
    entries = load(name)
    last = max(number for number, entry in enumerate(entries) if "holds" in entry)
    held, shown = entries[last]["holds"], [entry["shows"] for entry in entries[last:] if "shows" in entry]
    closed = sum("closes" in entry for entry in entries)
    assert len(shown) == sum("opens" in entry for entry in entries) - closed > 0
    for page in shown:
        assert page["settled"]
        assert {field: page[field] for field in ("revision", "points", "handles", "mask")} == {
            field: held[field] for field in ("revision", "points", "handles", "mask")
        }
        assert page["picture"][1:] == ["final", str(held["step"])]
        assert (page["running"], held["status"]) == (False, "idle")
