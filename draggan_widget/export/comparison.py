"""What came of a saved drag, and how far a replay of it ends from there."""

import itertools
from dataclasses import dataclass
from typing import Any

from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.export import json_values
from draggan_widget.geometry import Point, distance

ENDINGS = ("arrived", "cap", "stalled", "lost", None)


@dataclass(frozen=True)
class Result:
    """Where a drag ended.

    Attributes:
        steps: in the record, the untouched start of each drag included.
        ending: why it was over; None where it was stopped.
        handles: the tracked handles, (x, y) in image px.
        not_reproduced: what a replay cannot make again, in words; none where it makes everything again.
    """

    steps: int
    ending: str | None
    handles: tuple[Point, ...]
    not_reproduced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A replay held against the saved result.

    Attributes:
        apart: how far each handle ends from the saved one, image px.
        steps: of the replay, and saved.
        endings: of the replay, and saved; None: stopped.
    """

    apart: tuple[float, ...]
    steps: tuple[int, int]
    endings: tuple[str | None, str | None]

    @property
    def largest(self) -> float:
        """The largest distance, image px."""
        return max(self.apart, default=0.0)


def result_of(record: DragRecord) -> Result:
    """What a record of at least one step came to."""
    last = record.steps[-1]
    return Result(len(record), last.ended, last.handles, tuple(_not_reproduced(record.steps)))


def _not_reproduced(steps: list[DragStep]) -> list[str]:
    """What a record alone shows of this; other weights between its drags it does not show."""
    found, first = [], steps[0]
    if first.index != 0:
        found.append(
            f"the record begins at step {first.index} of its drag: a replay begins there, with the handles where they "
            "were first put, new anchors and a new Adam"
        )
    elif any(distance(p, q) > 1.0 for p, q in zip(first.edit.handles, first.handles, strict=True)):
        found.append("the first drag went on from another one: a replay takes new anchors where its handles were put")
    if first.config is None and any(step.index == 0 for step in steps[1:]):
        found.append("the record does not say the settings of each of its drags: a replay takes the same for all")
    if any(b.index not in (0, a.index + 1) for a, b in itertools.pairwise(steps)):
        found.append("steps are missing from the record: a replay makes fewer than the drag did")
    return found


def compare(result: Result, record: DragRecord) -> Comparison:
    """Hold a replay against what was saved."""
    last = record.steps[-1]
    both = zip(last.handles, result.handles, strict=False)
    apart = [distance(p, q) for p, q in both]
    apart += [float("inf")] * abs(len(last.handles) - len(result.handles))
    return Comparison(tuple(apart), (len(record), result.steps), (last.ended, result.ending))


def packed_result(result: Result | None) -> dict[str, Any] | None:
    """As JSON holds it."""
    if result is None:
        return None
    handles = [list(handle) for handle in result.handles]
    return {**vars(result), "handles": handles, "not_reproduced": list(result.not_reproduced)}


def unpacked_result(value: object) -> Result | None:
    """From what JSON held.

    Raises:
        ValueError: it is no result.
    """
    if value is None:
        return None
    entry = json_values.fields(value, "result", ("steps", "ending", "handles", "not_reproduced"))
    if entry["ending"] not in ENDINGS:
        raise ValueError(f"ending is {json_values.brief(entry['ending'])}; expected one of {ENDINGS}")
    handles = [json_values.listed(pair, "handles", 2) for pair in json_values.listed(entry["handles"], "handles")]
    words = json_values.listed(entry["not_reproduced"], "not_reproduced")
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f"not_reproduced is {json_values.brief(words)}; expected texts")
    points = tuple((json_values.number(x, "handles"), json_values.number(y, "handles")) for x, y in handles)
    return Result(json_values.whole(entry["steps"], "steps"), entry["ending"], points, tuple(words))
