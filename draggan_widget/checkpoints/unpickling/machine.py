"""The state of a pickle being read: a stack, its marks, a memo, and the table of known globals."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from draggan_widget.checkpoints.unpickling.byte_source import Source, brief
from draggan_widget.checkpoints.unpickling.stream import Stream
from draggan_widget.errors import CheckpointError

DANGER = "it may run code in tools that unpickle it; take the file from a source you trust, or a .safetensors of it"
TENSORFLOW = "take NVIDIA's PyTorch version of the model, or convert it with their legacy.py"


@dataclass(frozen=True, eq=False)
class Known:
    """A global that may be named.

    Args:
        name: in full.
        call: what REDUCE makes of the arguments; None if it may not be called.
        new: what NEWOBJ makes of no arguments; None if it may not.
    """

    name: str
    call: Callable[[Source, tuple], object] | None = None
    new: Callable[[], object] | None = None


class Buildable(ABC):
    """A value of ours that takes its state from BUILD; nothing of a file's choosing is ever called for that."""

    @abstractmethod
    def build(self, source: Source, state: object) -> None:
        """Take the state."""


Globals = Mapping[tuple[str, str], Known]
Persistent = Callable[[Source, object], object]


class Machine:
    """What the operations of a pickle work on.

    Args:
        stream: where the pickle begins; left behind its last byte.
        known: (module, name) -> what that global is.
        persistent: makes a value of a persistent id; None refuses all of them.
    """

    def __init__(self, stream: Stream, known: Globals, persistent: Persistent | None = None) -> None:
        self.stream, self.known, self.persistent = stream, known, persistent
        self.stack: list = []
        self.marks: list[list] = []
        self.memo: dict[int, object] = {}

    def refuse(self, found: str, expected: str, remedy: str = DANGER) -> CheckpointError:
        """The error for something that this reader does not do."""
        return self.stream.source.refuse(f"{found} before byte {self.stream.position}", expected, remedy)

    def pop_mark(self) -> list:
        """What was pushed since the last mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def find(self, module: object, name: object) -> Known:
        """The known global of that name, looked up in the table and nowhere else."""
        if type(module) is not str or type(name) is not str:
            raise self.refuse(f"names a global by {brief(module)} and {brief(name)}", "two texts")
        # Apart, never joined: the name "a.b" of module "c" is no other name for "b" of module "c.a".
        found = self.known.get((module, name))
        if found is not None:
            return found
        full = ascii(f"{module}.{name}"[:200])[1:-1]
        if module.split(".")[:2] == ["dnnlib", "tflib"]:
            found = f"holds {full}: a TensorFlow pickle of StyleGAN, which is not read yet"
            raise self.refuse(found, "NVIDIA's PyTorch .pkl", TENSORFLOW)
        raise self.refuse(f"names the global {full}", "only those that a network's weights need")
