"""What every reader returns: the family, its numbers, its tensors and where they came from."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file, whatever its format was.

    Args:
        family: which generator the tensors belong to, e.g. "mobilestylegan".
        config: the family's numbers, plain JSON values only (lists, not tuples), so that they survive a file unchanged.
        tensors: our tensor name -> values; treat them as read-only, they may lie in a memory-mapped file.
        meta: licence, provenance, sha256 of the source, and the like, as text.
    """

    family: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    meta: dict[str, str]
