"""Where a saved drag ended, and how far from there a replay of it ends."""

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
        steps: number of steps in the record, the start of each drag included.
        ending: why the drag ended; None if it was stopped.
        handles: the tracked handles at the end, (x, y) in image px.
        not_reproduced: sentences that say what a replay cannot reproduce; empty if it reproduces everything.
    """

    steps: int
    ending: str | None
    handles: tuple[Point, ...]
    not_reproduced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Difference between a replay and the saved result.

    Attributes:
        apart: distance of each handle's end from the saved one, image px.
        steps: number of steps of the replay and of the saved drag.
        endings: why the replay ended and why the saved drag ended; None: stopped.
    """

    apart: tuple[float, ...]
    steps: tuple[int, int]
    endings: tuple[str | None, str | None]

    @property
    def largest(self) -> float:
        """The largest distance, image px."""
        return max(self.apart, default=0.0)


def make_result(record: DragRecord) -> Result:
    """The result of a record with at least one step."""
    last = record.steps[-1]
    return Result(len(record), last.ended, last.handles, tuple(_find_not_reproduced(record.steps)))


def _find_not_reproduced(steps: list[DragStep]) -> list[str]:
    """What a replay of these steps cannot reproduce; weights that changed between drags leave no trace in a record."""
    found, first = [], steps[0]
    if first.index != 0:
        found.append(
            f"the record begins at step {first.index} of its drag: a replay begins there, with the handles where they "
            "were first put, new references and a new Adam state"
        )
    elif any(distance(p, q) > 1.0 for p, q in zip(first.edit.handles, first.handles, strict=True)):
        found.append("the first drag continued another one: a replay takes new references where its handles were put")
    if first.config is None and any(step.index == 0 for step in steps[1:]):
        found.append("the record does not hold the settings of each of its drags: a replay takes the same for all")
    if any(b.index not in (0, a.index + 1) for a, b in itertools.pairwise(steps)):
        found.append("steps are missing from the record: a replay makes fewer than the drag did")
    return found


def compare(result: Result, record: DragRecord) -> Comparison:
    """Compare the record of a replay with the saved result."""
    last = record.steps[-1]
    apart = [distance(p, q) for p, q in zip(last.handles, result.handles, strict=False)]
    apart += [float("inf")] * abs(len(last.handles) - len(result.handles))
    return Comparison(tuple(apart), (len(record), result.steps), (last.ended, result.ending))


def pack_result(result: Result | None) -> dict[str, Any] | None:
    """A result as JSON values."""
    if result is None:
        return None
    handles = [list(handle) for handle in result.handles]
    return {**vars(result), "handles": handles, "not_reproduced": list(result.not_reproduced)}


def unpack_result(value: object) -> Result | None:
    """Read a result from JSON values.

    Raises:
        ValueError: the value is not a result.
    """
    if value is None:
        return None
    entry = json_values.as_object(value, "result", ("steps", "ending", "handles", "not_reproduced"))
    if entry["ending"] not in ENDINGS:
        raise ValueError(f"ending is {json_values.shorten(entry['ending'])}; expected one of {ENDINGS}")
    sentences = json_values.as_list(entry["not_reproduced"], "not_reproduced")
    if not all(isinstance(sentence, str) for sentence in sentences):
        raise ValueError(f"not_reproduced is {json_values.shorten(sentences)}; expected texts")
    points = tuple((x, y) for x, y in json_values.as_points(entry["handles"], "handles"))
    return Result(json_values.as_count(entry["steps"], "steps"), entry["ending"], points, tuple(sentences))
