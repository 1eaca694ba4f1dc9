"""Values from a file as plain JSON: what may go into a checkpoint's config."""

import math
from typing import Any, TypeGuard

from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError

MAX_DEPTH = 8
MAX_VALUES = 2000
REMEDY = "save the network with plain arguments"


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number of a magnitude below 1e30."""
    return type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)  # type: ignore[arg-type]


def as_json(value: object, name: str) -> Any:
    """The value with lists for tuples; bounded, since a file may nest and repeat values without end.

    Raises:
        CheckpointError: it holds what JSON cannot, too many values, or values nested too deep.
    """
    return _convert(value, name, [MAX_VALUES], 0)


def _convert(value: object, name: str, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > MAX_DEPTH:
        raise CheckpointError(
            f"{name}: has over {MAX_VALUES} arguments, or nests them over {MAX_DEPTH} deep; expected few; {REMEDY}"
        )
    if value is None or type(value) in (bool, str) or is_number(value) or (type(value) is int and abs(value) < 2**63):
        return value
    if isinstance(value, (list, tuple)):
        return [_convert(item, name, left, depth + 1) for item in value]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {key: _convert(item, name, left, depth + 1) for key, item in value.items()}
    raise CheckpointError(f"{name}: has an argument that is {brief(value)}; expected numbers and text; {REMEDY}")
