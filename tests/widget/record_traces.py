"""Record the traces of tests/golden/traces anew, after a deliberate change of the protocol:

    PYTHONPATH=tests python -m widget.record_traces    # all of them; with names as arguments, only these

The real kernel side (`widget.world`) and the real front end in Node (`widget.front_end`; needs `npm ci` in js/) talk to
each other by the schedules below. Read the diff of the traces before you commit it: it is the change of the protocol.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from widget.front_end import GOOD, Fate, Network, Node
from widget.traces import FOLDER, save
from widget.world import no_waiting

PAGES = 3  # at most, in one schedule
LOST = Fate(0, 0)
Plan = Callable[["Schedule"], None]


@dataclass
class Schedule:
    """A network and its future."""

    network: Network

    def at(self, ms: int, what: Callable[[], object]) -> None:
        self.network.times.at(ms, lambda: what() and None)

    def opens(self, ms: int, colab: bool = False) -> None:
        self.at(ms, lambda: self.network.open(colab))

    def user(self, ms: int, page: int = 0, **act: object) -> None:
        """One act of a page's user, as `UserAct` in js/test/page/page.ts."""
        self.at(ms, lambda: self.network.act(page, act))

    def clicks(self, ms: int, action: str, page: int = 0) -> None:
        self.user(ms, page, click=action)

    def draws(self, ms: int, *path: tuple[int, int], page: int = 0, every: int = 20) -> None:
        """A press, moves and a release."""
        self.user(ms, page, press=path[0])
        self._moves(ms, path[1:], page, every)

    def moves(self, ms: int, index: int, end: str, *path: tuple[int, int], page: int = 0, every: int = 20) -> None:
        """An end of a point is taken, moved and released."""
        self.user(ms, page, take={"index": index, "end": end})
        self._moves(ms, path, page, every)

    def _moves(self, ms: int, path: Sequence[tuple[int, int]], page: int, every: int) -> None:
        for place in path:
            ms += every
            self.user(ms, page, drag=place)
        self.user(ms + every, page, release=True)

    def python(self, ms: int, **act: object) -> None:
        self.at(ms, lambda: self.network.perform(act))

    def line(self, ms: int, *fates: Fate, page: int = 0, up: bool = True, down: bool = True) -> None:
        self.at(ms, lambda: self.network.line(page, fates, up, down))

    def look(self, *moments: int) -> None:
        for ms in moments:
            self.at(ms, self.network.look)


def a_drag_to_its_end(s: Schedule) -> None:
    s.opens(0)
    s.draws(1000, (15, 15), (18, 15), (24, 15))
    s.clicks(1500, "start")
    s.look(1400, 2200, 7000)


def ends_moved_while_a_drag_runs(s: Schedule) -> None:
    """Places on the way are sent 30 times a second at most; the last place always arrives."""
    s.opens(0)
    s.line(0, Fate(1, 20))
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.moves(1800, 0, "target", *((24, 15 + i // 3) for i in range(30)), every=10)
    s.moves(2300, 0, "handle", (15, 14), (15, 12), (14, 12), every=15)
    s.look(1900, 2150, 2600, 8000)


def a_target_held_while_kernel_and_user_change_the_edit(s: Schedule) -> None:
    """At rest nothing is sent before the release, which is refused if the kernel's edit is newer."""
    s.opens(0)
    s.draws(1000, (10, 10), (20, 10))
    s.moves(2000, 0, "target", (20, 12), (20, 16), (20, 20), every=200)
    s.python(2500, edit=[[5, 5], [9, 9]])
    s.look(2300, 2550, 2750)
    s.user(4000, take={"index": 0, "end": "target"})
    s.python(4100, edit=[[6, 6], [8, 8]])  # shown when the end is let go unmoved
    s.user(4300, release=True)
    s.look(4200, 4350, 7000)


def an_edit_refused_because_of_an_older_revision(s: Schedule) -> None:
    s.opens(0)
    s.line(1000, Fate(1, 200), down=False)
    s.draws(1100, (10, 10), (20, 10))
    s.python(1250, edit=[[5, 5], [9, 9]])
    s.look(1200, 1300, 1400)
    s.draws(2000, (12, 20), (25, 20))
    s.draws(2060, (20, 5), (25, 9))  # waits for the answer to the edit before
    s.clicks(2150, "start")  # waits for both edits
    s.look(2200, 8000)


def undo_in_python_while_the_pointer_is_down(s: Schedule) -> None:
    s.opens(0)
    s.draws(1000, (10, 10), (20, 10))
    s.draws(1500, (10, 20), (20, 20))
    s.moves(2000, 1, "target", (20, 21), (20, 22), (20, 23), (20, 24), every=100)
    s.python(2250, undo=True)
    s.look(2240, 2300, 3500)
    s.draws(4000, (10, 20), (20, 20))
    s.user(4500, press=[3, 3])
    s.user(4550, drag=[9, 9])
    s.python(4600, undo=True)  # a point that is being drawn outlasts it
    s.user(4700, release=True)
    s.look(4650, 8000)


def two_pages(s: Schedule) -> None:
    """Each sees the other's edits; of two at once one is refused; one starts, the other stops."""
    s.opens(0)
    s.opens(300)
    s.line(400, Fate(1, 30), page=1)
    s.draws(1000, (10, 10), (20, 10))
    s.draws(1500, (10, 20), (20, 20), page=1)
    s.moves(2000, 0, "target", (22, 10), page=0)
    s.moves(2000, 1, "target", (22, 22), page=1)
    s.look(1400, 1800, 2200)
    s.clicks(2500, "start")
    s.moves(2700, 0, "target", (24, 10), page=1)
    s.clicks(3200, "start", page=1)  # the button says Stop while a drag runs
    s.look(2750, 3150, 7000)


def a_page_loaded_again_while_a_drag_runs(s: Schedule) -> None:
    """The new page is told what the old one knew, the mask too; the old one's unconfirmed frames stop nothing."""
    s.opens(0)
    s.user(900, edit={"type": "tool", "tool": "brush"})
    s.draws(1000, (12, 12), (18, 18))
    s.user(1100, edit={"type": "tool", "tool": "points"})
    s.draws(1200, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.at(2000, lambda: s.network.close_page(0))
    s.opens(2300)
    s.moves(2600, 0, "target", (24, 20), page=1)
    s.look(1900, 2500, 9000)


def stop_step_undo_redo_reset(s: Schedule) -> None:
    s.opens(0)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.clicks(1900, "start")
    s.look(1800, 3000)
    for i, action in enumerate(["step", "undo", "undo", "redo", "reset", "undo"]):
        s.clicks(4000 + 1500 * i, action)
        s.look(5400 + 1500 * i)


def what_is_said_after_the_end_of_a_drag(s: Schedule) -> None:
    """Each line describes the state that is shown; a reset at the start is not offered, so redo stays possible."""
    s.opens(0)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.look(7000)
    for i, action in enumerate(["undo", "reset", "redo", "reset", "undo", "seed", "undo"]):
        s.clicks(7500 + 1500 * i, action)
        s.look(8900 + 1500 * i)
    s.python(18500, go_to=2)
    s.look(20000)
    s.moves(20500, 0, "target", (26, 15))
    s.look(22000)


def what_the_page_has_missed(s: Schedule) -> None:
    """Neither the end of a drag nor a click that was lost leaves a wrong word: the page asks what the kernel does."""
    s.opens(0)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.line(1700, LOST, up=False)
    s.look(6000)
    s.line(6500, GOOD)
    s.look(14000)
    s.clicks(14500, "undo")
    s.line(16000, LOST, down=False)
    s.clicks(16500, "start")
    s.line(17000, GOOD)
    s.look(17500, 26000)


def an_error_while_a_drag_runs(s: Schedule) -> None:
    s.opens(0)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.python(1900, **{"break": True})
    s.look(3000)
    s.python(3500, **{"break": False})
    s.clicks(3600, "dismiss")
    s.clicks(3700, "start")
    s.look(3650, 9000)


def a_mask_painted_erased_and_cleared(s: Schedule) -> None:
    """A mask whose revision was missed on the way is asked for."""
    s.opens(0)
    s.opens(100)
    s.user(900, edit={"type": "tool", "tool": "brush"})
    s.draws(1000, (6, 6), (12, 6), (12, 20))
    s.user(1500, edit={"type": "tool", "tool": "erase"})
    s.draws(1600, (12, 12), (14, 12))
    s.user(2000, edit={"type": "tool", "tool": "points"})
    s.look(1020, 1300, 1900)
    s.line(2000, LOST, page=1, up=False)
    s.draws(2100, (10, 10), (20, 10))
    s.line(2200, GOOD, page=1)
    s.draws(2300, (10, 20), (20, 20))  # page 1 hears of it, but not of the edit before
    s.look(2320, 4000)
    s.clicks(4500, "clear-mask")
    s.moves(5000, 0, "target", (21, 12), page=1)
    s.look(4800, 7000)


def messages_lost_and_doubled(s: Schedule) -> None:
    """An edit that was lost is sent again; one whose answer was lost, or that came twice, is taken once."""
    s.opens(0)
    s.line(900, LOST, down=False)
    s.draws(1000, (10, 10), (20, 10))
    s.line(1500, GOOD)
    s.look(1400, 8000)
    s.line(8500, LOST, up=False)
    s.draws(9000, (10, 20), (20, 20))
    s.draws(9500, (4, 4), (8, 8))  # waits for the answer
    s.line(9700, GOOD)
    s.look(9600, 16000)
    s.line(16500, Fate(2, 40))
    s.moves(17000, 0, "target", (22, 12))
    s.clicks(17100, "start")
    s.line(17500, GOOD)
    s.line(24000, Fate(2, 100), up=False)
    s.moves(24100, 0, "target", (22, 14))
    s.moves(24250, 1, "target", (22, 22))
    s.line(24270, Fate(1, 200), up=False)
    s.moves(24350, 2, "target", (9, 9))  # waits: only the first edit's answer has come, for the second time
    s.line(24500, GOOD)
    s.look(24400, 29000)


def answers_out_of_order(s: Schedule) -> None:
    s.opens(0)
    s.line(900, Fate(1, 300), Fate(1, 10), Fate(1, 150), Fate(1, 1))
    s.draws(1000, (10, 10), (20, 10))
    s.python(1100, edit=[[5, 5], [9, 9]])
    s.draws(1300, (10, 20), (20, 20))
    s.python(1500, undo=True)
    s.draws(1700, (4, 4), (8, 8))
    s.user(1800, edit={"type": "lock", "index": 0})
    s.user(2000, edit={"type": "delete", "index": 0})
    s.line(4000, GOOD)
    s.line(5000, Fate(1, 500), Fate(1, 1), up=False)  # the older of two edits arrives last
    s.python(5100, edit=[[1, 2], [3, 4]])
    s.python(5150, edit=[[5, 6], [7, 8]])
    s.line(5200, GOOD)
    s.look(1600, 5300, 5700, 8000)


def a_line_that_is_cut_and_back(s: Schedule) -> None:
    """The page owes nothing to what was before: the kernel's next edit counts, and clicks that waited are given up."""
    s.opens(0)
    s.draws(1000, (10, 10), (20, 10))
    s.line(1500, LOST)
    s.draws(1600, (10, 20), (20, 20))
    s.draws(1700, (4, 4), (8, 8))
    s.clicks(1800, "start")
    s.user(2000, connected=False)
    s.python(2500, undo=True)
    s.look(1900, 2100)
    s.line(3000, GOOD)
    s.user(3000, connected=True)
    s.look(6000)


def a_hidden_page(s: Schedule) -> None:
    """It gives no credit back, so the kernel soon sends no more; shown again, it gets the newest picture."""
    s.opens(0)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.user(1700, hidden=True)
    s.look(2900)
    s.python(10500, seed=3)  # nobody has been heard for long: no picture is sent
    s.user(12000, hidden=False)
    s.look(16000)


def a_cell_that_keeps_the_kernel(s: Schedule) -> None:
    """Nothing is heard while it runs; the page asks, and what it sent is taken in the end."""
    s.opens(0)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.python(1600, cell=7000)
    s.draws(2000, (4, 4), (8, 8))
    s.clicks(2500, "step")
    s.look(2600, 7500, 14000)


def colab(s: Schedule) -> None:
    """Frames of a running drag wait for the page's requests."""
    s.opens(0, colab=True)
    s.draws(1000, (15, 15), (24, 15))
    s.clicks(1500, "start")
    s.moves(2000, 0, "target", (24, 20))
    s.look(2200, 9000)


def what_is_entered_in_the_panel(s: Schedule) -> None:
    """Settings, seeds and overlays; what the kernel refuses is said, and changes nothing."""
    s.opens(0)
    s.opens(100)
    s.draws(1000, (15, 15), (24, 15))
    for i, (field, value) in enumerate(
        [("max-steps", "3"), ("latent-space", "W"), ("preset", "default"), ("overlay", "colours"), ("brush", "9")]
    ):
        s.user(2000 + 500 * i, enter={"field": field, "value": value})
    s.user(5000, page=1, enter={"field": "preset", "value": "no such preset"})
    s.clicks(6000, "seed")
    s.user(7000, enter={"field": "seed", "value": "7"})
    s.user(8000, enter={"field": "truncation", "value": "0.5"})
    s.python(9000, seed=3)
    s.user(9500, enter={"field": "overlay", "value": "none"})
    s.look(4800, 5500, 12000)


SCHEDULES: tuple[Plan, ...] = (
    a_drag_to_its_end,
    ends_moved_while_a_drag_runs,
    a_target_held_while_kernel_and_user_change_the_edit,
    an_edit_refused_because_of_an_older_revision,
    undo_in_python_while_the_pointer_is_down,
    two_pages,
    a_page_loaded_again_while_a_drag_runs,
    stop_step_undo_redo_reset,
    what_is_said_after_the_end_of_a_drag,
    what_the_page_has_missed,
    an_error_while_a_drag_runs,
    a_mask_painted_erased_and_cleared,
    messages_lost_and_doubled,
    answers_out_of_order,
    a_line_that_is_cut_and_back,
    a_hidden_page,
    a_cell_that_keeps_the_kernel,
    colab,
    what_is_entered_in_the_panel,
)


@contextmanager
def front_ends(count: int) -> Iterator[list[Node]]:
    nodes = [Node() for _ in range(count)]
    try:
        yield nodes
    finally:
        for node in nodes:
            node.close()


def record(plan: Plan, nodes: Sequence[Node]) -> Network:
    """Play a schedule to its last look."""
    network = Network(nodes)
    with no_waiting(network.times):
        plan(Schedule(network))
        network.kernel.worker.run_until(network.times.last() + 1)
    return network


def main(chosen: Sequence[str]) -> None:
    with front_ends(PAGES) as nodes:
        for plan in SCHEDULES:
            if not chosen or plan.__name__ in chosen:
                network = record(plan, nodes)
                save(plan.__name__, network.tape.entries)
                print(f"{plan.__name__}: {len(network.tape.entries)} entries")
    for path in FOLDER.glob("*.json"):
        if not chosen and path.stem not in {plan.__name__ for plan in SCHEDULES}:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
