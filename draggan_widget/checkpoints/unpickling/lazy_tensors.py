"""What an unpickled file is made of: places in the file, until somebody asks for the numbers.

Differs from PyTorch's loader: 1. a tensor is checked against its storage before a byte is allocated; 2. a storage is
read only when a tensor of the wanted network needs it, and once, however many tensors share it.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from draggan_widget.checkpoints.unpickling.byte_source import Source, brief
from draggan_widget.errors import CheckpointError

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
MOST_AXES = 8
LARGEST_AXIS = 2**40


@dataclass(frozen=True, eq=False)
class Record:
    """A persistent object of NVIDIA's: its class by name and its state. Its source code is not kept."""

    class_name: str
    state: dict[Any, Any]


@dataclass(frozen=True, eq=False)
class Span:
    """Bytes, or text too long to be a name, that stay in the file."""

    source: Source
    offset: int
    length: int

    def read(self) -> bytes:
        """The bytes themselves; for short spans."""
        return self.source.read(self.offset, self.length)


@dataclass(eq=False)
class StoredStorage:
    """The values of one or more tensors; ``offset`` counts from the start of the file, -1 until it is known."""

    dtype: torch.dtype
    numel: int
    source: Source
    offset: int = -1
    crc: int | None = None

    @property
    def nbytes(self) -> int:
        """Its length in the file."""
        return self.numel * self.dtype.itemsize

    def place(self, source: Source, offset: int, crc: int | None = None) -> None:
        """Say where the values lie."""
        source.check(offset, self.nbytes)
        self.source, self.offset, self.crc = source, offset, crc


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor's place in its storage, checked by ``stored_tensor``."""

    storage: StoredStorage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def stored_tensor(storage: object, offset: object, shape: object, stride: object, source: Source) -> StoredTensor:
    """The tensor with that place, once it is known to lie within its storage and to repeat nothing."""
    if type(storage) is not StoredStorage:
        raise source.refuse(f"a tensor's storage is {brief(storage)}", "a storage")
    start = whole(offset, source)
    sizes, steps = axes(shape, source), axes(stride, source)
    if len(sizes) != len(steps):
        raise source.refuse(f"a tensor has {len(sizes)} axes and {len(steps)} strides", "as many of each")
    count = math.prod(sizes)
    last = start + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True)) if count else start
    # No more elements than the storage holds: else a stride of 0 makes a petabyte of one number.
    if count > storage.numel or (count and last >= storage.numel):
        raise source.refuse(
            f"a tensor of shape {sizes}, strides {steps} and offset {start} reaches element {last}",
            f"one within the {storage.numel} elements of its storage",
        )
    return StoredTensor(storage, start, sizes, steps)


def axes(value: object, source: Source) -> tuple[int, ...]:
    """A shape or strides as a file gives them, checked."""
    if type(value) not in (tuple, list) or len(value) > MOST_AXES:  # type: ignore[arg-type]
        raise source.refuse(f"a tensor's shape or strides are {brief(value)}", f"a tuple of at most {MOST_AXES}")
    return tuple(whole(item, source) for item in value)  # type: ignore[union-attr]


def whole(value: object, source: Source) -> int:
    """A size, a stride or an offset as a file gives it, checked."""
    if type(value) is not int or not 0 <= value < LARGEST_AXIS:
        raise source.refuse(f"a size, a stride or an offset is {brief(value)}", f"a number from 0 to {LARGEST_AXIS}")
    return value


def read_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """The tensors, each storage read once.

    Raises:
        CheckpointError: the file ends early, a checksum differs, or memory runs out.
    """
    storages: dict[int, Tensor] = {}
    tensors = {}
    for name, tensor in stored.items():
        values = _values(tensor.storage, storages)
        tensors[name] = values.as_strided(tensor.shape, tensor.stride, tensor.offset)
    return tensors


def _values(storage: StoredStorage, read: dict[int, Tensor]) -> Tensor:
    """By place and not by object: a file may tell of the same bytes a thousand times."""
    place = storage.source.start + storage.offset
    if not storage.numel or place not in read:
        values = _read(storage)
        if storage.numel:
            read[place] = values
        return values
    values = read[place]
    if (values.dtype, len(values)) != (storage.dtype, storage.numel):
        raise storage.source.refuse(
            f"the storage at byte {place} is {values.dtype} and {storage.dtype}", "one type for one storage"
        )
    return values


def _read(storage: StoredStorage) -> Tensor:
    source = storage.source
    source.check(storage.offset, storage.nbytes)
    try:
        values = torch.empty(storage.numel, dtype=storage.dtype)
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f"{source.name}: {storage.nbytes} bytes were not to be had ({type(error).__name__}); expected memory for "
            "the whole network; close other programs"
        ) from error
    if storage.numel:
        buffer = memoryview(values.view(torch.uint8).numpy())  # type: ignore[arg-type]
        source.read_into(storage.offset, buffer)
        if storage.crc is not None and zlib.crc32(buffer) != storage.crc:
            raise source.refuse(
                f"the bytes at {storage.offset} have another checksum than the archive says", "them unaltered"
            )
    return values
