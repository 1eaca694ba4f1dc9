"""The result of every reader: a generator family, its config and tensors, and where they come from."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file of any format.

    Attributes:
        family: the generator family that the tensors belong to, e.g. "mobilestylegan".
        config: the family's settings, as plain JSON values (lists, not tuples), so that a file keeps them unchanged.
        tensors: our tensor name -> values; read-only, because they may lie in a memory-mapped file.
        meta: licence, provenance, sha256 of the source file and the like, as text.
    """

    family: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    meta: dict[str, str]
