"""A drag made again: the same edits sent at the same steps, the same drags begun one after another.

On the same CPU and process settings the steps are the same bit for bit; elsewhere rounding lets them part slowly.
"""

from collections.abc import Generator as Steps
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.loop import drag
from draggan_widget.engine.step import DragStep
from draggan_widget.generators.generator import Generator


@dataclass(frozen=True, eq=False)
class Segment:
    """One `drag()` of a record: the first, or one begun anew where an earlier one was left.

    Attributes:
        count: its steps, the untouched start included.
        ended: whether the drag ended by itself; else it reached its cap, was stopped, or was left for the next segment,
            after `count` steps.
        edits: (index, edit): from which of its steps on each was pursued; the first from 0 on.
        config: its settings; None where the record does not say: then those of the whole replay.
    """

    count: int
    ended: bool
    edits: tuple[tuple[int, Edit], ...]
    config: DragConfig | None = None


def segments_of(steps: Sequence[DragStep]) -> tuple[Segment, ...]:
    """What a record says of how its steps were made."""
    starts = [place for place, step in enumerate(steps) if place == 0 or step.index == 0]
    return tuple(_segment(steps[a:b]) for a, b in zip(starts, [*starts[1:], len(steps)], strict=True))


def _segment(steps: Sequence[DragStep]) -> Segment:
    edits = [(0, steps[0].edit)]
    for index, step in enumerate(steps):
        if step.edit != edits[-1][1]:
            edits.append((index, step.edit))
    by_itself = steps[-1].ended not in (None, "cap")  # a cap keeps its count where the settings are not known
    return Segment(len(steps), by_itself, tuple(edits), steps[0].config)


class Replay:
    """A record's segments, pulled like one `drag()`.

    Args:
        segments: at least one.
        after: the edit that stood when the record was saved, where it is another than that of the last step.

    Attributes:
        more: whether recorded steps are still to come after the newest one; None before the first, and once the
            recorded way was left: by an edit sent in, or by asking for more.
    """

    def __init__(self, segments: tuple[Segment, ...], after: Edit | None = None):
        self.segments, self.after = segments, after
        self.more: bool | None = None

    @property
    def first(self) -> Edit:
        """The edit it begins with."""
        return self.segments[0].edits[0][1]

    def steps(
        self, generator: Generator, ws: Float[Tensor, "1 num_ws w_dim"], config: DragConfig
    ) -> Steps[DragStep, Edit | None, None]:
        """Make the recorded drags again, from the latent where the first began.

        A segment that ended by itself goes on until it does so again, be it some steps earlier or later; one that was
        stopped is stopped after as many steps. Each segment has its own settings, `config` where it holds none, and
        each further segment takes over the anchors of the one before.

        Yields:
            As `drag` does. `send(edit)` leaves the recorded way and goes on with that edit; so does asking for more
            after the last recorded step of a drag that was stopped.
        """
        resume = None
        for segment in self.segments:
            drawn = drag(generator, ws, segment.edits[0][1], segment.config or config, resume)
            due, step, index = dict(segment.edits), next(drawn), 0
            while not _over(segment, step, index):
                self.more = True
                sent = yield step
                if sent is not None:
                    yield from self._leave(drawn, sent)
                    return
                index += 1
                step = drawn.send(due.get(index))
            self.more = segment is not self.segments[-1]
            sent = yield step
            if sent is not None or not self.more:
                if step.ended is None:
                    yield from self._leave(drawn, sent)
                return
            ws, resume = step.ws, step.references

    def _leave(
        self, drawn: Steps[DragStep, Edit | None, None], sent: Edit | None
    ) -> Steps[DragStep, Edit | None, None]:
        self.more = None
        try:
            while True:
                sent = yield drawn.send(sent)
        except StopIteration:
            return


def _over(segment: Segment, step: DragStep, index: int) -> bool:
    return step.ended is not None or (not segment.ended and index == segment.count - 1)
