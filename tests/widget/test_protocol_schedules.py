"""The edit protocol over bad lines: messages lost, doubled, late and out of order in both directions.

The TypeScript twin, js/test/protocol.test.ts, has the real browser side and a model of the kernel; here it is the other
way round. Nothing waits and no time passes but that of the test (`widget.world`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from widget.page import Drawing, Page
from widget.world import SIDE, Fate, Kernel, Line, Times, no_waiting

from draggan_widget.engine.edit import Edit
from draggan_widget.session.session import controller_of

LATE = 20.0  # s, the longest delay
DOUBT = 130.0  # s until the page has asked twice for what never came

fates = st.builds(
    Fate,
    st.sampled_from([1, 1, 1, 1, 0, 2]),
    st.sampled_from([0.001, 0.01, 0.05, 0.05, 0.1, 0.1, 0.2, 0.4, 3.0, LATE / 2]),
)
place = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)).map(lambda p: (float(p[0]), float(p[1])))
outside = st.just((float(SIDE + 8), 3.0))


@dataclass(frozen=True)
class Act:
    """Something done after a pause, by the user of one of the pages or by Python."""

    pause: float
    page: int
    what: str
    at: tuple[float, float]
    to: tuple[float, float]


WHATS = ("add and start",) * 4 + ("add",) * 2 + ("move",) * 3 + ("delete", "lock", "mask", "no mask", "start", "stop")
WHATS += ("step", "undo", "redo", "reset", "seed", "hide", "cell", "python edit", "python undo", "python seed")
acts = st.builds(
    Act,
    st.sampled_from([0.0, 0.02, 0.1, 0.5, 3.0, 8.0]),
    st.integers(0, 1),
    st.sampled_from(WHATS),
    place,
    st.one_of(*[place] * 7, outside),
)


def draw(page: Page, act: Act) -> None:
    """The user changes the draft."""
    points, mask = list(page.shown.points), page.shown.mask
    index = int(act.at[0]) % max(1, len(points))
    match act.what:
        case "add" | "add and start":
            points.append((act.at, act.to, False))
        case "move" if points:
            points[index] = (points[index][0], act.to, points[index][2])
        case "lock" if points:
            points[index] = (*points[index][:2], not points[index][2])
        case "delete" if points:
            del points[index]
        case "mask":
            mask = (np.arange(SIDE * SIDE, dtype=np.int64) % (2 + int(act.at[0])) == 0).astype(np.uint8).tobytes()
        case "no mask":
            mask = None
    page.draw(replace(page.shown, points=tuple(points), mask=mask))


def perform(act: Act, kernel: Kernel, page: Page) -> None:
    match act.what:
        case "start" | "stop" | "undo" | "redo" | "reset":
            page.click(act.what)
        case "step":
            page.click("step", n=2)
        case "seed":
            page.click("seed", seed=int(act.at[0]), truncation_psi=None)
        case "hide":
            page.hide(8.0)
        case "cell":
            kernel.run_cell(4.0)
        case "python edit":
            kernel.session.edit = Edit([act.at], [act.at[::-1]])
        case "python undo":
            kernel.session.undo()
        case "python seed":
            kernel.session.new_seed(int(act.at[1]))
        case "add and start":
            draw(page, act)
            page.click("start")
        case _:
            draw(page, act)


def play(script: Sequence[Act], down: Sequence[Fate], up: Sequence[Fate], pages: int, colab: bool):
    """Act over bad lines, mend them, and let everything come to rest."""
    times = Times()
    with no_waiting(times):
        kernel = Kernel(times)
        views = [Page(f"page{number}", times, colab) for number in range(pages)]
        lines = [(Line(times, down[n:] + down[:n]), Line(times, up[n:] + up[:n])) for n in range(pages)]
        for view, (to_page, to_kernel) in zip(views, lines, strict=True):
            view.open(kernel.connect(view.hear, to_page, to_kernel))
        pause = 1.0
        for act in script:
            pause += act.pause
            times.after(pause, lambda act=act: perform(act, kernel, views[act.page % pages]))
        kernel.runner.run_until(times.now + pause + 2 * LATE)  # two copies are twice as late
        for line in (line for pair in lines for line in pair):
            line.heal()
        kernel.runner.run_until(times.now + DOUBT)
        kernel.session.edit = Edit([(1.0, 2.0)], [(3.0, 4.0)], kernel.session.edit.mask)
        kernel.runner.run_until(times.now + 1.0)
        check_edits(kernel, views)
        for view in views:
            view.hello()  # as when the page is shown again: frames stopped where nobody was heard
        kernel.runner.run_until(times.now + 10.0)
    return kernel, views


def drawing(edit: Edit) -> Drawing:
    points = tuple(zip(edit.handles, edit.targets, edit.locked, strict=True))
    return Drawing(points, None if edit.mask is None else edit.mask.tobytes())


def check_edits(kernel: Kernel, views: Sequence[Page]) -> None:
    for view in views:
        assert (view.pending, view.unsent, view.lost) == (None, False, None)
        assert view.revision == controller_of(kernel.session).revision
        assert view.shown == view.base == drawing(kernel.session.edit)


def check_agreement(kernel: Kernel, views: Sequence[Page]) -> None:
    session = kernel.session
    assert kernel.faults == []
    assert (session.status, session.last_error, len(kernel.runner.jobs)) == ("idle", None, 0)
    check_edits(kernel, views)
    for view in views:
        assert view.newest is not None
        seen = [view.newest[name] for name in ("kind", "step", "revision", "handles")]
        handles = [list(handle) for handle in session.handles]
        assert seen == ["final", session.current.index, controller_of(session).revision, handles]


schedules = given(
    st.lists(acts, min_size=8, max_size=30),
    st.lists(fates, min_size=7, max_size=25),
    st.lists(fates, min_size=7, max_size=25),
    st.integers(1, 2),
    st.booleans(),
)


@pytest.mark.timeout(120)
@settings(deadline=None, max_examples=25)
@schedules
def test_pages_and_kernel_agree_after_whatever_the_lines_did(script, down, up, pages, colab):
    check_agreement(*play(script, down, up, pages, colab))
