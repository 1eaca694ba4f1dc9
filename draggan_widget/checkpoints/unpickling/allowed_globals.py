"""The globals that a file of weights may name, and the plain values we make of them.

Source: how ``torch``, ``numpy`` and NVIDIA's ``torch_utils.persistence`` reduce their objects.

Differs from the originals: 1. nothing named here is imported or called; 2. a persistent object's source code is
dropped; 3. every shape is held against the bytes there are before anything is allocated.
"""

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from draggan_widget.checkpoints.unpickling.byte_source import Source, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import STORAGES, Record, Span, StoredTensor, axes, stored_tensor
from draggan_widget.checkpoints.unpickling.machine import Buildable, Known

ARRAY_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
LONGEST_CODED = 4096  # characters that `_codecs.encode` may turn into bytes


@dataclass(frozen=True, eq=False, slots=True)
class Coded:
    """Text that stands for bytes, one a character; not copied, since a file may ask for it 80,000 times."""

    text: str

    @property
    def length(self) -> int:
        """Of the bytes."""
        return len(self.text)

    def read(self) -> bytes:
        """The bytes themselves."""
        return self.text.encode("latin-1")


class StoredType(Buildable):
    """A numpy dtype: one of numbers, never of objects."""

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)

    def build(self, source: Source, state: object) -> None:
        """Take version, byte order and five fields that only structured types fill."""
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise source.refuse("a numpy type has another state", "version and little-endian byte order")


class StoredArray(Buildable):
    """A numpy array whose numbers stay in the file."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype = np.dtype("u1")
        self.data: Span | None = None

    def build(self, source: Source, state: object) -> None:
        """Take version, shape, type, order and bytes."""
        if type(state) is not tuple or len(state) != 5 or type(state[2]) is not StoredType:
            raise source.refuse(f"a numpy array's state is {brief(state)}", "version, shape, type, order and bytes")
        _, shape, kind, _, data = state
        shape, size = axes(shape, source), _length(data)
        if size != math.prod(shape) * kind.dtype.itemsize:
            raise source.refuse(f"a numpy array of shape {shape} has {size} bytes", f"as many as {kind.dtype} takes")
        self.shape, self.dtype, self.data = shape, kind.dtype, data if type(data) is Span else None


def _length(data: object) -> int:
    if isinstance(data, (Span, Coded)):
        return data.length
    return len(data) if type(data) is str else -1


def _wrong(source: Source, name: str, arguments: tuple) -> NoReturn:
    found = ", ".join(brief(item) for item in arguments[:8])
    raise source.refuse(f"{name} gets ({found})", "what PyTorch, numpy or NVIDIA's writer gives it")


def _persistent_object(source: Source, arguments: tuple) -> Record:
    meta = arguments[0] if len(arguments) == 1 else None
    if type(meta) is not dict:
        _wrong(source, "a persistent object", arguments)
    name, state = meta.get("class_name"), meta.get("state")
    if meta.get("type") != "class" or type(name) is not str or type(state) is not dict:
        found = f"type {brief(meta.get('type'))}, class {brief(name)} and state {brief(state)}"
        raise source.refuse(f"a persistent object has {found}", "a class, its name and its attributes")
    return Record(name, state)


def _tensor(source: Source, arguments: tuple) -> StoredTensor:
    if len(arguments) not in (6, 7) or type(arguments[4]) is not bool:
        _wrong(source, "_rebuild_tensor_v2", arguments)
    return stored_tensor(arguments[0], arguments[1], arguments[2], arguments[3], source)


def _parameter(source: Source, arguments: tuple) -> StoredTensor:
    if len(arguments) != 3 or type(arguments[0]) is not StoredTensor:
        _wrong(source, "_rebuild_parameter", arguments)
    return arguments[0]


def _empty_dict(source: Source, arguments: tuple) -> dict:
    if arguments:
        _wrong(source, "collections.OrderedDict", arguments)
    return {}


def _items(source: Source, arguments: tuple) -> list:
    if arguments and not (len(arguments) == 1 and type(arguments[0]) is list):
        _wrong(source, "set", arguments)
    return arguments[0] if arguments else []


def _size(source: Source, arguments: tuple) -> tuple[int, ...]:
    if len(arguments) != 1:
        _wrong(source, "torch.Size", arguments)
    return axes(arguments[0], source)


def _device(source: Source, arguments: tuple) -> str:
    if not 1 <= len(arguments) <= 2 or type(arguments[0]) is not str:
        _wrong(source, "torch.device", arguments)
    return arguments[0]


def _encode(source: Source, arguments: tuple) -> Coded:
    if len(arguments) != 2 or type(arguments[0]) is not str or arguments[1] != "latin1":
        _wrong(source, "_codecs.encode", arguments)
    if len(arguments[0]) > LONGEST_CODED:
        raise source.refuse(f"_codecs.encode gets {len(arguments[0])} characters", f"at most {LONGEST_CODED}")
    arguments[0].encode("latin-1")  # ValueError where it cannot be
    return Coded(arguments[0])


def _array(source: Source, arguments: tuple) -> StoredArray:
    if len(arguments) != 3 or type(arguments[0]) is not Known or arguments[0].name != "numpy.ndarray":
        _wrong(source, "numpy's _reconstruct", arguments)
    return StoredArray()


def _array_type(source: Source, arguments: tuple) -> StoredType:
    code = arguments[0] if arguments else None
    if type(code) is not str or code not in ARRAY_TYPES:
        raise source.refuse(f"holds a numpy array of type {brief(code)}", f"numbers, {', '.join(ARRAY_TYPES)}")
    return StoredType(code)


def _number(source: Source, arguments: tuple) -> bool | int | float:
    if len(arguments) != 2 or type(arguments[0]) is not StoredType:
        _wrong(source, "numpy's scalar", arguments)
    kind, data = arguments[0].dtype, arguments[1]
    if type(data) not in (Span, Coded) or _length(data) != kind.itemsize:
        _wrong(source, "numpy's scalar", arguments)
    return np.frombuffer(data.read(), kind)[0].item()


def _table() -> dict[tuple[str, str], Known]:
    known = {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): {"call": _persistent_object},
        ("dnnlib.util", "EasyDict"): {"new": dict},
        ("argparse", "Namespace"): {"new": dict},
        ("collections", "OrderedDict"): {"call": _empty_dict, "new": dict},
        ("builtins", "set"): {"call": _items},
        ("__builtin__", "set"): {"call": _items},
        ("_codecs", "encode"): {"call": _encode},
        ("torch._utils", "_rebuild_tensor_v2"): {"call": _tensor},
        ("torch._utils", "_rebuild_parameter"): {"call": _parameter},
        ("torch", "Size"): {"call": _size},
        ("torch", "device"): {"call": _device},
        ("numpy", "dtype"): {"call": _array_type},
        ("numpy", "ndarray"): {},
    }
    for package in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[package, "_reconstruct"] = {"call": _array}
        known[package, "scalar"] = {"call": _number}
    for name in (*STORAGES, *(str(dtype).removeprefix("torch.") for dtype in STORAGES.values())):
        known["torch", name] = {}
    return {key: Known(".".join(key), **entry) for key, entry in known.items()}


KNOWN = _table()
