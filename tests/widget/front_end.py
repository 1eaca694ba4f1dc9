"""The real front end in a test: js/src runs in Node, over doubles of what needs a DOM (js/test/page).

A page has the clock of the test. What it sends goes over a line that may lose, double, delay and reorder.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from widget.traces import Tape, holds, pack, unpack
from widget.world import SIDE, Buffers, Kernel, Times

JS = Path(__file__).parents[2] / "js"


class Node:
    """A Node process that serves one page at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "test/page/serve.mjs"], cwd=JS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the front end ended; its error is on stderr"
        return json.loads(answer)

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


@dataclass(frozen=True)
class Fate:
    """What a bad line does with a message.

    Attributes:
        copies: how many arrive.
        delay: ms until the first arrives, and between two copies.
    """

    copies: int
    delay: int


GOOD = Fate(1, 1)


class Line:
    """One direction between a page and the kernel."""

    def __init__(self, times: Times, fates: Sequence[Fate]):
        self._times = times
        self.become(fates)

    def become(self, fates: Sequence[Fate]) -> None:
        """What happens to the messages from now on, in turn."""
        self._fates = cycle(fates)

    def put(self, deliver: Callable[[], None]) -> None:
        fate = next(self._fates)
        for copy in range(fate.copies):
            self._times.at(self._times.ms + fate.delay * (copy + 1), deliver)


class Page:
    """One view in its Node process."""

    def __init__(self, node: Node, number: int, times: Times, sends: Callable[[int, dict[str, Any], list[Any]], None]):
        self._node, self.number, self._times, self._sends = node, number, times, sends
        self._wake = 0  # number of the newest plan to wake it
        self._revision = 0  # the newest that the page knows

    def open(self, colab: bool) -> None:
        self._ask({"open": {"client": self.number + 1, "colab": colab, "side": SIDE}})

    def act(self, act: dict[str, Any]) -> None:
        self._ask({"act": act})

    def hear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._ask({"hear": content, "buffers": buffers})

    def shows(self) -> dict[str, Any]:
        return self._ask({"look": True})["shows"]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._node.ask({"at": self._times.ms} | request)
        assert answer["revision"] >= self._revision, "the page took an older edit for news"
        self._revision = answer["revision"]
        self._wake += 1
        wake = self._wake
        if answer["next"] is not None:
            self._times.at(answer["next"], lambda: self._ask({}) if wake == self._wake else None)
        for sent in answer["sent"]:
            assert sent["at"] == self._times.ms, "the page was woken late"
            self._sends(self.number, sent["wish"], sent["buffers"])
        return answer


class Network:
    """The kernel, its pages and the lines between them; everything that happens is kept on a tape."""

    def __init__(self, nodes: Sequence[Node]):
        self.times, self.tape = Times(), Tape()
        self.kernel = Kernel(self.times, self._told)
        self._nodes, self.pages = nodes, list[Page]()
        self._lines: list[tuple[Line, Line]] = []  # to each page, to the kernel
        self.gone: set[int] = set()  # pages that were closed

    def open(self, colab: bool = False, down: Sequence[Fate] = (GOOD,), up: Sequence[Fate] = (GOOD,)) -> Page:
        number = len(self.pages)
        page = Page(self._nodes[number], number, self.times, self._sent)
        self.pages.append(page)
        self._lines.append((Line(self.times, down), Line(self.times, up)))
        self.tape.add(self.times.ms, page=number, opens={"colab": colab})
        page.open(colab)
        return page

    def act(self, page: int, act: dict[str, Any]) -> None:
        self.tape.add(self.times.ms, page=page, user=act)
        self.pages[page].act(act)

    def perform(self, act: dict[str, Any]) -> None:
        self.tape.add(self.times.ms, python=act)
        self.kernel.perform(act)

    def look(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What the kernel holds and what each open page shows."""
        held = self.tape.entries[self.tape.add(self.times.ms, holds=holds(self.kernel))]["holds"]
        shown = []
        for page in self.pages:
            if page.number not in self.gone:
                shown.append(page.shows())
                self.tape.add(self.times.ms, page=page.number, shows=shown[-1])
        return held, shown

    def line(self, page: int, fates: Sequence[Fate], up: bool = True, down: bool = True) -> None:
        """What happens from now on to messages from the page (up) and to it (down)."""
        to_page, to_kernel = self._lines[page]
        if up:
            to_kernel.become(fates)
        if down:
            to_page.become(fates)

    def _sent(self, page: int, content: dict[str, Any], buffers: list[Any]) -> None:
        if page in self.gone:
            return
        number = self.tape.add(self.times.ms, page=page, wish=content, buffers=buffers)
        written = self.tape.entries[number]["wish"]
        self._lines[page][1].put(lambda: self._arrive(number, written, unpack(buffers)))

    def _arrive(self, number: int, content: dict[str, Any], buffers: Buffers) -> None:
        if self.times.ms < self.kernel.deaf_until:  # it waits for the cell to end
            self.times.at(self.kernel.deaf_until, lambda: self._arrive(number, content, buffers))
            return
        self.tape.add(self.times.ms, kernel_hears=number)
        self.kernel.receive(content, buffers)

    def _told(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        packed = pack(buffers)
        number = self.tape.add(self.times.ms, fact=content, buffers=packed)
        written = self.tape.entries[number]["fact"]
        for page, (down, _) in zip(self.pages, self._lines, strict=True):
            down.put(lambda page=page: self._hear(page, number, written, packed))

    def _hear(self, page: Page, number: int, content: dict[str, Any], buffers: list[Any]) -> None:
        if page.number not in self.gone:
            self.tape.add(self.times.ms, page=page.number, page_hears=number)
            page.hear(content, buffers)

    def close_page(self, page: int) -> None:
        """The page is loaded again or closed: what it sends and hears is lost."""
        self.tape.add(self.times.ms, page=page, closes=True)
        self.gone.add(page)
