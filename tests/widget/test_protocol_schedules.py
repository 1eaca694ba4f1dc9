"""The edit protocol over bad lines: messages lost, doubled, late and out of order in both directions.

Both sides are the real ones: the kernel side of `widget.world`, and js/src in Node (`widget.front_end`). Nothing waits,
and no time passes but that of the test. js/test/protocol.test.ts plays far more schedules of the browser side, with a
model of the kernel; the recorded schedules of test_traces.py need no Node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from widget.front_end import GOOD, JS, Fate, Network
from widget.record_traces import Schedule, front_ends
from widget.world import SIDE, no_waiting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (JS / "node_modules" / "esbuild").exists(), reason="needs `npm ci` in js/"),
]
LATE = 20_000  # ms, the longest delay
DOUBT = 130_000  # ms until the page has asked twice for what never came

fates = st.builds(
    Fate,
    st.sampled_from([1, 1, 1, 1, 0, 2]),
    st.sampled_from([1, 10, 50, 50, 100, 100, 200, 400, 3000, LATE // 2]),
)
place = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))


@dataclass(frozen=True)
class Act:
    """Something done after a pause, by the user of one of the pages or by Python."""

    pause: int  # ms
    page: int
    what: str
    at: tuple[int, int]
    to: tuple[int, int]


WHATS = ("add and start",) * 4 + ("add",) * 2 + ("move",) * 2 + ("slow move",) * 2
WHATS += ("delete", "lock", "mask", "clear-mask", "start", "stop", "step", "undo", "redo", "reset", "seed")
WHATS += ("hide", "cell", "python edit", "python undo", "python seed")
acts = st.builds(
    Act, st.sampled_from([0, 20, 100, 500, 3000, 8000]), st.integers(0, 1), st.sampled_from(WHATS), place, place
)


def plan(s: Schedule, ms: int, act: Act, page: int) -> None:
    """What the act does, and when."""
    index, end = act.at[0] % 4, "handle" if act.at[1] % 3 == 0 else "target"
    match act.what:
        case "add" | "add and start":
            s.user(ms, page, edit={"type": "tool", "tool": "points"})
            s.draws(ms, act.at, act.to, page=page, every=0)
            if act.what == "add and start":
                s.clicks(ms, "start", page)
        case "move" | "slow move":
            s.user(ms, page, edit={"type": "tool", "tool": "points"})
            s.moves(ms, index, end, act.at, act.to, page=page, every=150 if act.what == "slow move" else 0)
        case "delete" | "lock":
            s.user(ms, page, edit={"type": act.what, "index": index})
        case "mask":
            s.user(ms, page, edit={"type": "tool", "tool": "brush" if act.at[0] % 4 else "erase"})
            s.draws(ms, act.at, act.to, page=page, every=0)
        case "seed":
            s.user(ms, page, enter={"field": "seed", "value": str(act.at[0])})
        case "hide":
            s.user(ms, page, hidden=True)
            s.user(ms + 8000, page, hidden=False)
        case "stop":  # the start button says Stop while a drag runs
            s.clicks(ms, "start", page)
        case "cell":
            s.python(ms, cell=4000)
        case "python edit":
            s.python(ms, edit=[act.at, act.at[::-1]])
        case "python undo":
            s.python(ms, undo=True)
        case "python seed":
            s.python(ms, seed=act.at[1])
        case _:
            s.clicks(ms, act.what, page)


def play(
    script: Sequence[Act], down: Sequence[Fate], up: Sequence[Fate], pages: int, colab: bool, network: Network
) -> None:
    """Act over bad lines, mend them, let everything come to rest, and compare."""
    schedule = Schedule(network)
    with no_waiting(network.times):
        for n in range(pages):
            schedule.at(0, partial(network.open, colab, down[n:] + down[:n], up[n:] + up[:n]))
        ms = 1000
        for act in script:
            ms += act.pause
            plan(schedule, ms, act, act.page % pages)
        ms += 2 * LATE  # two copies are twice as late
        for n in range(pages):
            schedule.line(ms, GOOD, page=n)
        ms += DOUBT
        schedule.python(ms, edit=[[1, 2], [3, 4]])
        schedule.at(ms + 1000, lambda: check_edits(network))
        for n in range(pages):  # frames stopped where nobody was heard
            schedule.user(ms + 1000, n, hidden=False)
        schedule.at(ms + 11_000, lambda: check_agreement(network))
        network.kernel.worker.run_until(ms + 11_001)


def check_edits(network: Network) -> None:
    held, shown = network.look()
    for page in shown:
        assert page["settled"]
        for field in ("revision", "points", "mask"):
            assert page[field] == held[field], field


def check_agreement(network: Network) -> None:
    kernel, session = network.kernel, network.kernel.session
    assert kernel.faults == []
    assert (session.status, session.last_error, len(kernel.worker.jobs)) == ("idle", None, 0)
    check_edits(network)
    held, shown = network.look()
    for page in shown:
        assert page["picture"][1:] == ["final", str(held["step"])]
        assert page["handles"] == held["handles"]


@pytest.fixture(scope="module")
def nodes():
    with front_ends(2) as opened:
        yield opened


schedules = given(
    st.lists(acts, min_size=8, max_size=30),
    st.lists(fates, min_size=7, max_size=25),
    st.lists(fates, min_size=7, max_size=25),
    st.integers(1, 2),
    st.booleans(),
)


@pytest.mark.timeout(240)
@settings(deadline=None, max_examples=25)
@schedules
def test_pages_and_kernel_agree_after_whatever_the_lines_did(nodes, script, down, up, pages, colab):
    play(script, down, up, pages, colab, Network(nodes))
