"""Values from a file as plain JSON: what may go into a checkpoint's config."""

from typing import Any

from draggan_widget.checkpoints.stylegan2.config import real
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError

DEEPEST = 8
MOST_VALUES = 2000
REMEDY = "save the network with plain arguments"


def as_json(value: object, name: str) -> Any:
    """The value with lists for tuples; bounded, since a file may nest and repeat values without end.

    Raises:
        CheckpointError: it holds what JSON cannot, or too much, or too deep.
    """
    return _convert(value, name, [MOST_VALUES], 0)


def _convert(value: object, name: str, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > DEEPEST:
        raise CheckpointError(
            f"{name}: has over {MOST_VALUES} arguments, or nests them over {DEEPEST} deep; expected few; {REMEDY}"
        )
    if value is None or type(value) in (bool, str) or real(value) or (type(value) is int and abs(value) < 2**63):
        return value
    if isinstance(value, (list, tuple)):
        return [_convert(item, name, left, depth + 1) for item in value]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {key: _convert(item, name, left, depth + 1) for key, item in value.items()}
    raise CheckpointError(f"{name}: has an argument that is {brief(value)}; expected numbers and text; {REMEDY}")
