"""A model of the page: how js/src keeps the edit (editor.ts, facts.ts, outbox.ts) and shows frames (frames.ts)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from widget.world import Buffers, Times

ANSWER_WAIT, LONGEST_WAIT = 5.0, 60.0  # s until a missing answer is asked for, and at most between two questions
MOST_JOBS = 16  # clicks kept while an edit is unanswered
WATCH, TICK = 5.0, 0.1  # s of silence after which a running drag is asked for, and between Colab's requests
TICK_ON = 6.0  # s after the start of a drag for which it asks
PAINT = 0.03  # s from a frame's arrival to the screen


@dataclass(frozen=True)
class Drawing:
    """Points as the wire has them, and the mask's bytes."""

    points: tuple[tuple[tuple[float, float], tuple[float, float], bool], ...] = ()
    mask: bytes | None = None


class Page:
    """One view with its draft, its unanswered edit and its frames."""

    def __init__(self, client: str, times: Times, colab: bool):
        self.client, self._times, self._colab = client, times, colab
        self.base = self.shown = Drawing()
        self.revision, self.resync = 0, True
        self.pending: int | None = None
        self.overdue = self.unsent = self.running = False
        self.lost: int | None = None
        self.newest: dict[str, Any] | None = None  # the frame on the screen
        self._sent_mask: bytes | None = None
        self._rid = 0
        self._patience, self._question = ANSWER_WAIT, 0
        self._jobs: list[dict[str, Any]] = []
        self._heard = times.now
        self._hidden_until = 0.0
        self._waiting: dict[str, Any] | None = None
        self._painting = False
        self._passed_over: list[int] = []
        self.send: Callable[..., None] = lambda content, buffers=(): None

    def open(self, send: Callable[..., None]) -> None:
        self.send = send
        self.hello()
        self._times.after(1.0, self._watch)

    def hello(self) -> None:
        self.send({"type": "hello", "client": self.client, "colab": self._colab})

    # What the user does

    def draw(self, drawing: Drawing) -> None:
        if drawing != self.shown:
            self.shown, self.unsent = drawing, True
        self._poke()

    def click(self, kind: str, **more: object) -> None:
        """A button; Stop waits for nothing."""
        wish = {"type": kind, "client": self.client, "rid": self._next_rid(), **more}
        if kind == "stop":
            self.send(wish)
            return
        if len(self._jobs) < MOST_JOBS:
            self._jobs.append(wish)
        self._poke()

    def hide(self, seconds: float) -> None:
        """Nothing is painted in a hidden page; one that shows again says hello."""
        self._hidden_until = self._times.now + seconds
        self._times.after(seconds, self.hello)

    # The edit

    def hear(self, content: dict[str, Any], buffers: Buffers) -> None:
        self._heard = self._times.now
        kind = content["type"]
        if kind == "edit":
            self._take(content, buffers)
        elif kind == "frame":
            self._push(content)
        elif kind in ("started", "ended"):
            self.running = kind == "started"
            if self.running and self._colab:
                self._tick(self._heard + TICK_ON)

    def _take(self, fact: dict[str, Any], buffers: Buffers) -> None:
        answers = fact["client"] == self.client and fact["rid"] is not None and fact["rid"] == self.pending
        was_overdue, before = self.overdue, self.revision
        if answers:
            self.pending, self.overdue = None, False
        if fact["revision"] >= before or self.resync:
            mine = answers and fact["accepted"]
            self._take_base(fact, buffers, mine)
            if answers and not fact["accepted"]:
                self.unsent = False
            elif was_overdue and not answers:  # the kernel's word settles it: never taken, or passed by
                self.pending, self.overdue = None, False
                self.unsent = self.unsent or fact["revision"] == before
        self._settle()
        self._poke()

    def _take_base(self, fact: dict[str, Any], buffers: Buffers, mine: bool) -> None:
        missed = fact["mask"] == "keep" and not mine and not self.resync and fact["revision"] > self.revision + 1
        kept = self._sent_mask if mine else self.base.mask
        mask = {"none": None, "keep": kept}[fact["mask"]] if fact["mask"] != "buffer" else bytes(buffers[0])
        points = ((tuple(p["handle"]), tuple(p["target"]), p["locked"]) for p in fact["points"])
        self.base, self.revision, self.resync = Drawing(tuple(points), mask), fact["revision"], False
        if missed and self.lost != self.revision:
            self.hello()
        self.lost = self.revision if missed else self.lost if fact["mask"] == "keep" else None

    def _settle(self) -> None:
        if self.pending is None and not self.unsent:
            self.shown = self.base

    def _poke(self) -> None:
        if self.pending is None:
            self._question, self._patience = self._question + 1, ANSWER_WAIT
        if self.unsent and self.pending is not None:
            return
        if self.unsent:
            self._send_edit()
        jobs, self._jobs = self._jobs, []
        for wish in jobs:
            self.send(wish)

    def _send_edit(self) -> None:
        mask = self.shown.mask
        word = "keep" if mask == self.base.mask else "none" if mask is None else "buffer"
        self.pending, self.overdue, self.unsent, self._sent_mask = self._next_rid(), False, False, mask
        points = [{"handle": list(h), "target": list(t), "locked": locked} for h, t, locked in self.shown.points]
        content = {"type": "edit", "client": self.client, "rid": self.pending, "revision": self.revision}
        self.send({**content, "points": points, "mask": word}, [mask] if word == "buffer" and mask is not None else [])
        self._ask_after(self._question)

    def _ask_after(self, question: int) -> None:
        def ask() -> None:
            if question == self._question and self.pending is not None:
                self._patience = min(2 * self._patience, LONGEST_WAIT)
                self.overdue = True
                self.hello()
                self._ask_after(question)

        self._times.after(self._patience, ask)

    def _next_rid(self) -> int:
        self._rid += 1
        return self._rid

    # Frames

    def _push(self, frame: dict[str, Any]) -> None:
        if self._waiting is not None:
            self._passed_over.append(self._waiting["seq"])
        self._waiting = frame
        if not self._painting:
            self._paint()

    def _paint(self) -> None:
        frame, self._waiting = self._waiting, None
        self._painting = frame is not None
        if frame is not None:
            self._times.after(max(PAINT, self._hidden_until - self._times.now), lambda: self._painted(frame))

    def _painted(self, frame: dict[str, Any]) -> None:
        self.newest = frame
        for seq in (frame["seq"], *self._passed_over):
            self.send({"type": "shown", "client": self.client, "seq": seq})
        self._passed_over.clear()
        self._paint()

    def _watch(self) -> None:
        hidden = self._times.now < self._hidden_until
        if self.running and not hidden and self._times.now - self._heard > WATCH:
            self._heard = self._times.now
            self.hello()
        self._times.after(1.0, self._watch)

    def _tick(self, last: float) -> None:
        self.send({"type": "tick", "client": self.client})
        if self._times.now < last:
            self._times.after(TICK, lambda: self._tick(last))
