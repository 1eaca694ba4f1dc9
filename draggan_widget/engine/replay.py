"""The drags of a record, made again: the same edits are sent at the same steps.

On the same CPU with the same process settings the steps are equal bit for bit; elsewhere rounding makes them differ.
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
    """The steps of one `drag()` in a record.

    Attributes:
        count: number of its steps, the unchanged start included.
        ended: whether the drag ended by itself; else it reached its cap or was stopped after `count` steps.
        edits: each edit with the index of the first step that followed it; the first index is 0.
        config: settings of the drag; None where the record does not hold them: then those of the whole replay.
    """

    count: int
    ended: bool
    edits: tuple[tuple[int, Edit], ...]
    config: DragConfig | None = None


def split_segments(steps: Sequence[DragStep]) -> tuple[Segment, ...]:
    """Split the steps of a record into its drags."""
    starts = [place for place, step in enumerate(steps) if place == 0 or step.index == 0]
    return tuple(_make_segment(steps[a:b]) for a, b in zip(starts, [*starts[1:], len(steps)], strict=True))


def _make_segment(steps: Sequence[DragStep]) -> Segment:
    edits = [(0, steps[0].edit)]
    for index, step in enumerate(steps):
        if step.edit != edits[-1][1]:
            edits.append((index, step.edit))
    by_itself = steps[-1].ended not in (None, "cap")  # the count repeats a cap, also where settings are not known
    return Segment(len(steps), by_itself, tuple(edits), steps[0].config)


class Replay:
    """The drags of a record, made again one after another, with the interface of a single `drag()`.

    Attributes:
        segments: the recorded drags, at least one.
        after: the edit of the session when the record was saved, if it is not that of the last step; else None.
        more: whether recorded steps follow the newest one. None before the first step, and after the replay was left:
            by an edit that was sent, or by a step past the end of the record.
    """

    def __init__(self, segments: tuple[Segment, ...], after: Edit | None = None):
        self.segments, self.after = segments, after
        self.more: bool | None = None

    @property
    def first(self) -> Edit:
        """The edit of the first step."""
        return self.segments[0].edits[0][1]

    def steps(
        self, generator: Generator, ws: Float[Tensor, "1 num_ws w_dim"], config: DragConfig
    ) -> Steps[DragStep, Edit | None, None]:
        """Make the recorded drags again.

        A drag that ended by itself runs until it ends again, which may be some steps earlier or later; a drag that was
        stopped is stopped after as many steps. Each drag takes over the references of the one before.

        Args:
            generator: the generator that draws the picture.
            ws: the start latent of the first drag.
            config: settings of the drags whose segment holds none.

        Yields:
            The same as `drag`. `send(edit)` leaves the replay and drags on with that edit. After the last recorded
            step of a stopped drag, `next()` continues the drag with its last edit.
        """
        resume = None
        for segment in self.segments:
            dragged = drag(generator, ws, segment.edits[0][1], segment.config or config, resume)
            edits, step, index = dict(segment.edits), next(dragged), 0
            while not _is_over(segment, step, index):
                self.more = True
                sent = yield step
                if sent is not None:
                    yield from self._leave(dragged, sent)
                    return
                index += 1
                step = dragged.send(edits.get(index))
            self.more = segment is not self.segments[-1]
            sent = yield step
            if sent is not None or not self.more:
                if step.ended is None:
                    yield from self._leave(dragged, sent)
                return
            ws, resume = step.ws, step.references

    def _leave(
        self, dragged: Steps[DragStep, Edit | None, None], sent: Edit | None
    ) -> Steps[DragStep, Edit | None, None]:
        self.more = None
        try:
            while True:
                sent = yield dragged.send(sent)
        except StopIteration:
            return


def _is_over(segment: Segment, step: DragStep, index: int) -> bool:
    return step.ended is not None or (not segment.ended and index == segment.count - 1)
