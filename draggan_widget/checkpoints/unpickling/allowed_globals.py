"""The globals that a file of weights may name, and the plain values that stand for what they would make.

Source: how `torch`, `numpy` and NVIDIA's `torch_utils.persistence` reduce their objects.

Differs from the originals: 1. nothing named here is imported or called; 2. a persistent object's source code is
dropped; 3. every shape is checked against the number of bytes before anything is allocated.
"""

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import (
    STORAGES,
    PersistentObject,
    Span,
    StoredTensor,
    checked_axes,
    checked_tensor,
)
from draggan_widget.checkpoints.unpickling.machine import AllowedGlobal, Buildable

ARRAY_DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


@dataclass(frozen=True, eq=False, slots=True)
class Latin1Bytes:
    """A few bytes given as Latin-1 text; not encoded until read, since a file may ask for the same text 80,000 times.

    A text that is longer than a name stays in the file: `Span.latin1`.

    Attributes:
        text: the text, one character for each byte.
    """

    text: str

    @property
    def length(self) -> int:
        """Length in bytes."""
        return len(self.text)

    def read(self) -> bytes:
        """Encode the text."""
        return self.text.encode("latin-1")


class StoredDtype(Buildable):
    """A numpy dtype of plain numbers, never of objects."""

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)

    def build(self, source: ByteSource, state: object) -> None:
        """Check the byte order; the version and the fields of structured types are not used."""
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise source.refuse("a numpy type has another state", "version and little-endian byte order")


class StoredArray(Buildable):
    """A numpy array whose elements stay in the file."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype = np.dtype("u1")
        self.data: Span | None = None

    def build(self, source: ByteSource, state: object) -> None:
        """Take over version, shape, dtype, memory order and bytes."""
        if type(state) is not tuple or len(state) != 5 or type(state[2]) is not StoredDtype:
            raise source.refuse(f"a numpy array's state is {brief(state)}", "version, shape, type, order and bytes")
        _, shape, stored, _, data = state
        shape, size = checked_axes(shape, source), _length_of(data)
        if size != math.prod(shape) * stored.dtype.itemsize:
            raise source.refuse(f"a numpy array of shape {shape} has {size} bytes", f"as many as {stored.dtype} takes")
        self.shape, self.dtype, self.data = shape, stored.dtype, data if type(data) is Span else None


def _length_of(data: object) -> int:
    if isinstance(data, (Span, Latin1Bytes)):
        return data.length
    return len(data) if type(data) is str else -1


def _refuse_arguments(source: ByteSource, name: str, arguments: tuple) -> NoReturn:
    found = ", ".join(brief(item) for item in arguments[:8])
    raise source.refuse(f"{name} gets ({found})", "the arguments that PyTorch, numpy or NVIDIA's writer gives it")


def _persistent_object(source: ByteSource, arguments: tuple) -> PersistentObject:
    meta = arguments[0] if len(arguments) == 1 else None
    if type(meta) is not dict:
        _refuse_arguments(source, "a persistent object", arguments)
    name, state = meta.get("class_name"), meta.get("state")
    if meta.get("type") != "class" or type(name) is not str or type(state) is not dict:
        found = f"type {brief(meta.get('type'))}, class {brief(name)} and state {brief(state)}"
        raise source.refuse(f"a persistent object has {found}", "a class, its name and its attributes")
    return PersistentObject(name, state)


def _tensor(source: ByteSource, arguments: tuple) -> StoredTensor:
    if len(arguments) not in (6, 7) or type(arguments[4]) is not bool:
        _refuse_arguments(source, "_rebuild_tensor_v2", arguments)
    return checked_tensor(arguments[0], arguments[1], arguments[2], arguments[3], source)


def _parameter(source: ByteSource, arguments: tuple) -> StoredTensor:
    if len(arguments) != 3 or type(arguments[0]) is not StoredTensor:
        _refuse_arguments(source, "_rebuild_parameter", arguments)
    return arguments[0]


def _empty_dict(source: ByteSource, arguments: tuple) -> dict:
    if arguments:
        _refuse_arguments(source, "collections.OrderedDict", arguments)
    return {}


def _set_as_list(source: ByteSource, arguments: tuple) -> list:
    if arguments and not (len(arguments) == 1 and type(arguments[0]) is list):
        _refuse_arguments(source, "set", arguments)
    return arguments[0] if arguments else []


def _torch_size(source: ByteSource, arguments: tuple) -> tuple[int, ...]:
    if len(arguments) != 1:
        _refuse_arguments(source, "torch.Size", arguments)
    return checked_axes(arguments[0], source)


def _torch_device(source: ByteSource, arguments: tuple) -> str:
    if not 1 <= len(arguments) <= 2 or type(arguments[0]) is not str:
        _refuse_arguments(source, "torch.device", arguments)
    return arguments[0]


def _latin1_bytes(source: ByteSource, arguments: tuple) -> Latin1Bytes | Span:
    if len(arguments) != 2 or type(arguments[0]) not in (str, Span) or arguments[1] != "latin1":
        _refuse_arguments(source, "_codecs.encode", arguments)
    if type(arguments[0]) is Span:
        return arguments[0].latin1
    arguments[0].encode("latin-1")  # raises ValueError beyond Latin-1
    return Latin1Bytes(arguments[0])


def _no_bytes(source: ByteSource, arguments: tuple) -> Latin1Bytes:
    if arguments:
        _refuse_arguments(source, "bytes", arguments)
    return Latin1Bytes("")


def _numpy_array(source: ByteSource, arguments: tuple) -> StoredArray:
    if len(arguments) != 3 or type(arguments[0]) is not AllowedGlobal or arguments[0].name != "numpy.ndarray":
        _refuse_arguments(source, "numpy's _reconstruct", arguments)
    return StoredArray()


def _numpy_dtype(source: ByteSource, arguments: tuple) -> StoredDtype:
    code = arguments[0] if arguments else None
    if type(code) is not str or code not in ARRAY_DTYPES:
        raise source.refuse(f"holds a numpy array of type {brief(code)}", f"numbers, {', '.join(ARRAY_DTYPES)}")
    return StoredDtype(code)


def _numpy_scalar(source: ByteSource, arguments: tuple) -> bool | int | float:
    if len(arguments) != 2 or type(arguments[0]) is not StoredDtype:
        _refuse_arguments(source, "numpy's scalar", arguments)
    dtype, data = arguments[0].dtype, arguments[1]
    if type(data) not in (Span, Latin1Bytes) or _length_of(data) != dtype.itemsize:
        _refuse_arguments(source, "numpy's scalar", arguments)
    return np.frombuffer(data.read(), dtype)[0].item()


def _make_table() -> dict[tuple[str, str], AllowedGlobal]:
    entries = {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): {"call": _persistent_object},
        ("dnnlib.util", "EasyDict"): {"new": dict},
        ("argparse", "Namespace"): {"new": dict},
        ("collections", "OrderedDict"): {"call": _empty_dict, "new": dict},
        ("builtins", "set"): {"call": _set_as_list},
        ("__builtin__", "set"): {"call": _set_as_list},
        ("_codecs", "encode"): {"call": _latin1_bytes},
        ("builtins", "bytes"): {"call": _no_bytes},
        ("__builtin__", "bytes"): {"call": _no_bytes},
        ("torch._utils", "_rebuild_tensor_v2"): {"call": _tensor},
        ("torch._utils", "_rebuild_parameter"): {"call": _parameter},
        ("torch", "Size"): {"call": _torch_size},
        ("torch", "device"): {"call": _torch_device},
        ("numpy", "dtype"): {"call": _numpy_dtype},
        ("numpy", "ndarray"): {},
    }
    for package in ("numpy.core.multiarray", "numpy._core.multiarray"):
        entries[package, "_reconstruct"] = {"call": _numpy_array}
        entries[package, "scalar"] = {"call": _numpy_scalar}
    for name in (*STORAGES, *(str(dtype).removeprefix("torch.") for dtype in STORAGES.values())):
        entries["torch", name] = {}
    return {key: AllowedGlobal(".".join(key), **entry) for key, entry in entries.items()}


ALLOWED = _make_table()
