"""Tensors as places in the file: their numbers are read only once `read_tensors` asks for them.

Differs from PyTorch's loader:
1. a tensor is checked against its storage before a byte is allocated;
2. a storage is read only when a tensor of the wanted network needs it, and once, however many tensors share it.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.latin1 import latin1_source
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
class PersistentObject:
    """A persistent object of NVIDIA's `torch_utils.persistence`; its source code is not kept.

    Attributes:
        class_name: name of its class.
        state: its attributes by name.
    """

    class_name: str
    state: dict[Any, Any]


@dataclass(frozen=True, eq=False)
class Span:
    """Bytes, or text too long for a name, that stay in the file.

    Attributes:
        source: the file they lie in.
        offset: where they begin, in bytes from the start of the source.
        length: length in bytes.
    """

    source: ByteSource
    offset: int
    length: int

    def read(self) -> bytes:
        """Read the bytes; for short spans only."""
        return self.source.read(self.offset, self.length)

    @cached_property
    def latin1(self) -> "Span":
        """The bytes that this text stands for in Latin-1; kept, since a file may ask for the same text 80,000 times.

        Raises:
            CheckpointError: the bytes cannot be read.
        """
        source = latin1_source(self.source, self.offset, self.length)
        return Span(source, 0, source.size)


@dataclass(eq=False)
class StoredStorage:
    """The values of one or more tensors, still in the file.

    Attributes:
        dtype: type of one element.
        numel: number of elements.
        source: the file that holds the values.
        offset: where they begin, in bytes from the start of the source; -1 until it is known.
        crc: CRC-32 of their bytes; None where the file states none.
    """

    dtype: torch.dtype
    numel: int
    source: ByteSource
    offset: int = -1
    crc: int | None = None

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return self.numel * self.dtype.itemsize

    def place(self, source: ByteSource, offset: int, crc: int | None = None) -> None:
        """Set where the values lie in the file."""
        source.check(offset, self.nbytes)
        self.source, self.offset, self.crc = source, offset, crc


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor's place in its storage; `checked_tensor` makes one.

    Attributes:
        storage: the storage that holds its elements.
        offset: index of its first element in the storage.
        shape: its sizes.
        stride: steps between neighbours along each axis, in elements.
    """

    storage: StoredStorage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def checked_tensor(storage: object, offset: object, shape: object, stride: object, source: ByteSource) -> StoredTensor:
    """Check that the tensor at that place lies within its storage and has no more elements, and return the tensor."""
    if type(storage) is not StoredStorage:
        raise source.refuse(f"a tensor's storage is {brief(storage)}", "a storage")
    start = checked_size(offset, source)
    sizes, steps = checked_axes(shape, source), checked_axes(stride, source)
    if len(sizes) != len(steps):
        raise source.refuse(f"a tensor has {len(sizes)} axes and {len(steps)} strides", "as many of each")
    count = math.prod(sizes)
    last = start + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True)) if count else start
    # Without the limit on the count, a stride of 0 would make a petabyte of one number.
    if count > storage.numel or (count and last >= storage.numel):
        raise source.refuse(
            f"a tensor of shape {sizes}, strides {steps} and offset {start} reaches element {last}",
            f"one within the {storage.numel} elements of its storage",
        )
    return StoredTensor(storage, start, sizes, steps)


def checked_axes(value: object, source: ByteSource) -> tuple[int, ...]:
    """A shape or strides from a file, checked."""
    if type(value) not in (tuple, list) or len(value) > MOST_AXES:  # type: ignore[arg-type]
        raise source.refuse(f"a tensor's shape or strides are {brief(value)}", f"a tuple of at most {MOST_AXES}")
    return tuple(checked_size(item, source) for item in value)  # type: ignore[union-attr]


def checked_size(value: object, source: ByteSource) -> int:
    """A size, a stride or an offset from a file, checked."""
    if type(value) is not int or not 0 <= value < LARGEST_AXIS:
        raise source.refuse(f"a size, a stride or an offset is {brief(value)}", f"a number from 0 to {LARGEST_AXIS}")
    return value


def read_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """Read the tensors, each storage once.

    Raises:
        CheckpointError: the file ends early, a checksum differs, or memory runs out.
    """
    storages: dict[tuple[int, int], Tensor] = {}
    tensors = {}
    for name, tensor in stored.items():
        values = _storage_values(tensor.storage, storages)
        tensors[name] = values.as_strided(tensor.shape, tensor.stride, tensor.offset)
    return tensors


def _storage_values(storage: StoredStorage, read: dict[tuple[int, int], Tensor]) -> Tensor:
    """The storage's values, from `read` (place -> values) where it holds them already."""
    # By place and not by object: a file may name the same bytes a thousand times.
    place = (id(storage.source.file), storage.source.start + storage.offset)
    if not storage.numel or place not in read:
        values = _read_values(storage)
        if storage.numel:
            read[place] = values
        return values
    values = read[place]
    if (values.dtype, len(values)) != (storage.dtype, storage.numel):
        raise storage.source.refuse(
            f"the storage at byte {place[1]} has {len(values)} elements of {values.dtype}, then {storage.numel} of "
            f"{storage.dtype}",
            "one size and one type",
        )
    return values


def _read_values(storage: StoredStorage) -> Tensor:
    source = storage.source
    source.check(storage.offset, storage.nbytes)
    try:
        values = torch.empty(storage.numel, dtype=storage.dtype)
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f"{source.name}: {storage.nbytes} bytes of memory could not be allocated ({type(error).__name__}); "
            "expected room for the whole network; close other programs"
        ) from error
    if storage.numel:
        buffer = memoryview(values.view(torch.uint8).numpy())  # type: ignore[arg-type]
        source.read_into(storage.offset, buffer)
        if storage.crc is not None and zlib.crc32(buffer) != storage.crc:
            raise source.refuse(
                f"the bytes at {storage.offset} have another checksum than the archive states", "unaltered bytes"
            )
    return values
