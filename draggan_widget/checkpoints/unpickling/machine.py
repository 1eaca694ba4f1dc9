"""The state of a pickle while it is read: a stack, its marks, a memo, and the table of allowed globals."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.stream import PickleStream
from draggan_widget.errors import CheckpointError

DANGER = "it may run code in tools that unpickle it; take the file from a source you trust, or a .safetensors of it"
TENSORFLOW = "take NVIDIA's PyTorch version of the model, or convert it with their legacy.py"


@dataclass(frozen=True, eq=False)
class AllowedGlobal:
    """A global that a pickle may name.

    Attributes:
        name: module and name, joined by a dot.
        call: makes the value of the opcode REDUCE from the call's arguments; None where calling it is refused.
        new: makes the value of the opcode NEWOBJ, which passes no arguments; None where that is refused.
    """

    name: str
    call: Callable[[ByteSource, tuple], object] | None = None
    new: Callable[[], object] | None = None


class Buildable(ABC):
    """A value of ours whose state the opcode BUILD sets; no method that the file chooses is ever called."""

    @abstractmethod
    def build(self, source: ByteSource, state: object) -> None:
        """Take over the state."""


AllowedGlobals = Mapping[tuple[str, str], AllowedGlobal]
PersistentLoad = Callable[[ByteSource, object], object]


class Machine:
    """The stack, marks and memo that the opcodes of a pickle work on.

    Attributes:
        stream: the pickle's bytes; reading begins at its position and ends after the pickle's last byte.
        allowed: (module, name) -> the allowed global.
        persistent_load: makes the value of a persistent id; None refuses all of them.
        stack: the values since the last mark.
        marks: the stacks before each open mark.
        memo: index -> the value stored under it.
    """

    def __init__(
        self, stream: PickleStream, allowed: AllowedGlobals, persistent_load: PersistentLoad | None = None
    ) -> None:
        self.stream, self.allowed, self.persistent_load = stream, allowed, persistent_load
        self.stack: list = []
        self.marks: list[list] = []
        self.memo: dict[int, object] = {}

    def refuse(self, found: str, expected: str, remedy: str = DANGER) -> CheckpointError:
        """The error for an operation that this reader does not do."""
        return self.stream.source.refuse(f"{found} before byte {self.stream.position}", expected, remedy)

    def pop_mark(self) -> list:
        """Remove and return the values that were pushed since the last mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def find_global(self, module: object, name: object) -> AllowedGlobal:
        """The allowed global of that name, looked up in the table and nowhere else."""
        if type(module) is not str or type(name) is not str:
            raise self.refuse(f"names a global by {brief(module)} and {brief(name)}", "two texts")
        # Looked up as a pair, never joined: the name "a.b" of module "c" is not another name for "b" of module "c.a".
        found = self.allowed.get((module, name))
        if found is not None:
            return found
        full = ascii(f"{module}.{name}"[:200])[1:-1]
        if module.split(".")[:2] == ["dnnlib", "tflib"]:
            found = f"holds {full}: a TensorFlow pickle of StyleGAN, which is not read yet"
            raise self.refuse(found, "NVIDIA's PyTorch .pkl", TENSORFLOW)
        raise self.refuse(f"names the global {full}", "only those that a network's weights need")
