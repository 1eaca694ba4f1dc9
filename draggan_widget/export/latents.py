"""Latents as files: .npz, .safetensors, .pt, and .npy as the official GUI writes it.

The official GUI's .npy is one array (1, num_ws, w_dim) of float32 as `numpy.save` writes it; it cannot hold metadata.
A .pt is a plain dict of tensors, which `torch.load(path, weights_only=True)` reads; here it is read as a checkpoint is,
without torch's unpickler.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.checkpoints.torch_file import read_tensor_file
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource
from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import CheckpointError, ExportError
from draggan_widget.export.arrays import parse_header, read_npy, read_npz, write_npz
from draggan_widget.export.writing import (
    as_json,
    check_ending,
    check_file,
    check_version,
    damaged,
    file_place,
    make_header,
    write_file,
)
from draggan_widget.torch_modes import in_own_modes

SCHEMA = "draggan-widget latents"
VERSION = 1
NAME = "ws"  # name of the array of latents, in every format that has names
HEADER = "draggan_widget"  # name of the header, JSON: schema, version, about
LARGEST_HEADER = 1 << 20  # bytes: the header of the .safetensors format itself

SHAPES = "(latents, num_ws, w_dim), (num_ws, w_dim), or (w_dim,) for one row"

Latents = Float[np.ndarray, "latents num_ws w_dim"]


@in_own_modes
def save_latents(latents: DragRecord | Float[np.ndarray, "..."] | Float[Tensor, "..."], path: str | Path) -> Path:
    """Write latents bit for bit as float32; the path's ending chooses the format.

    Args:
        latents: a record, for the latents of all of its steps, or an array or tensor (latents, num_ws, w_dim),
            (num_ws, w_dim), or (w_dim,) for one row.
        path: .npz, .safetensors, .pt or .npy. All but .npy also hold how the record was made. The official GUI reads
            an .npy of one latent: `save_latents(record.ws[-1], "last.npy")`.

    Raises:
        ExportError: the values are not latents, the ending is unknown, or the file cannot be written; an older file
            stays unchanged.

    Examples:
        >>> from draggan_widget import load_generator, load_latents
        >>> generator = load_generator("heads")
        >>> path = save_latents(generator.ws_from_seed(3), "latent.npz")
        >>> load_latents(path).shape == (1, generator.num_ws, generator.w_dim)
        True
    """
    path = file_place(path)
    ending = check_ending(path, "latents", WRITERS)
    about = latents.about if isinstance(latents, DragRecord) else {}
    values = _as_finite(_with_three_axes(latents.ws if isinstance(latents, DragRecord) else latents))
    text = as_json(make_header(SCHEMA, VERSION, about))
    return write_file(path, lambda file: WRITERS[ending](file, values, text))


@in_own_modes
def load_latents(path: str | Path) -> Latents:
    """Read latents that `save_latents` wrote, or a file of another program that holds one such array.

    Args:
        path: .npz, .safetensors, .pt or .npy.

    Returns:
        (latents, num_ws, w_dim) float32. A file of shape (num_ws, w_dim) gives one latent; one of a single row,
        (w_dim,) or (1, w_dim), gives (1, 1, w_dim), whose row `DragSession(G, ws=...)` takes for all rows.

    Raises:
        ExportError: the file is missing, damaged, another file, of a newer version, of another shape, or holds NaN.

    Examples:
        >>> from draggan_widget import DragSession, load_generator, save_latents
        >>> generator = load_generator("heads")
        >>> path = save_latents(generator.ws_from_seed(3), "latent.npz")
        >>> session = DragSession(generator, ws=load_latents(path)[0])
    """
    path = file_place(path)
    ending = check_ending(path, "latents", READERS)
    check_file(path)
    values, text = READERS[ending](path)
    if text is not None:
        check_version(path, parse_header(path, text, SCHEMA).get("version"), VERSION)
    try:
        shaped = _with_three_axes(values)
    except ExportError as error:
        raise ExportError(f"{path}: {error}; save the latents alone") from error
    try:
        return _as_finite(shaped)
    except ExportError as error:
        raise damaged(path, "latents", str(error)) from error


def _with_three_axes(latents: Any) -> Float[np.ndarray, "latents num_ws w_dim"]:
    values = _to_array(latents) if isinstance(latents, Tensor) else np.asarray(latents)
    shape = (1,) * (3 - values.ndim) + values.shape
    if not 1 <= values.ndim <= 3 or (shape[0] and 0 in shape):
        raise ExportError(f"the latents have shape {values.shape}; expected {SHAPES}")
    if values.dtype.kind != "f":
        raise ExportError(f"the latents are of type {values.dtype}; expected floating-point numbers")
    return values.reshape(shape)


def _as_finite(values: Float[np.ndarray, "latents num_ws w_dim"]) -> Latents:
    with np.errstate(over="ignore"):
        single = np.array(values, np.float32)
    if not np.isfinite(single).all():  # checked after the conversion: a large float64 is infinity in float32
        raise ExportError("the latents hold NaN, infinity or a number too large for float32; expected finite numbers")
    return single


def _to_array(tensor: Tensor) -> np.ndarray:
    """Convert a strided tensor to an array; types that NumPy lacks, such as bfloat16, become float32."""
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        raise ExportError(f"the latents are a {tensor.layout} tensor on {tensor.device}; expected a plain tensor")
    kept = tensor.dtype in (torch.float16, torch.float32, torch.float64) or not tensor.is_floating_point()
    return (tensor if kept else tensor.float()).detach().cpu().numpy()


def _write_npz(file: BinaryIO, values: Latents, text: str) -> None:
    write_npz(file, {HEADER: text, NAME: values})


def _write_npy(file: BinaryIO, values: Latents, text: str) -> None:
    # Not numpy.save: it bypasses Python's file object, so that a full disk goes unnoticed.
    header = {"descr": "<f4", "fortran_order": False, "shape": values.shape}
    np.lib.format.write_array_header_1_0(file, header)  # pyright: ignore[reportArgumentType]
    file.write(np.ascontiguousarray(values, "<f4").data)


def _write_safetensors(file: BinaryIO, values: Latents, text: str) -> None:
    import safetensors.numpy

    file.write(safetensors.numpy.save({NAME: values}, metadata={HEADER: text}))


def _write_pt(file: BinaryIO, values: Latents, text: str) -> None:
    header = torch.frombuffer(bytearray(text.encode("ascii")), dtype=torch.uint8)
    torch.save({NAME: torch.from_numpy(values), HEADER: header}, file)


def _read_npz(path: Path) -> tuple[np.ndarray, object]:
    arrays = read_npz(path, "latents")
    text = arrays.pop(HEADER, None)
    return _pick_latents(path, arrays), text


def _read_npy(path: Path) -> tuple[np.ndarray, object]:
    return read_npy(path, "latents"), None


def _read_safetensors(path: Path) -> tuple[np.ndarray, object]:
    import safetensors

    try:
        with path.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > LARGEST_HEADER:
                raise ValueError(f"a header of over {LARGEST_HEADER} bytes")
        with safetensors.safe_open(path, framework="pt") as file:
            arrays = {name: _to_array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return _pick_latents(path, arrays), (file.metadata() or {}).get(HEADER)
    except (OSError, ValueError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise damaged(path, "latents", error) from error


def _read_pt(path: Path) -> tuple[np.ndarray, object]:
    # Not torch.load: it takes 4 GB for 32 bytes that ask for a bytearray of that size, also with weights_only.
    try:
        with path.open("rb", buffering=0) as file:
            tensors = read_tensor_file(ByteSource(file, str(path), 0, path.stat().st_size))
    except CheckpointError as error:
        raise damaged(path, "latents", str(error).removeprefix(f"{path}: ")) from error
    except (OSError, MemoryError) as error:
        raise damaged(path, "latents", error) from error
    arrays = {name: _to_array(tensor) for name, tensor in tensors.items()}
    header = arrays.pop(HEADER, None)
    text = None if header is None else header.reshape(-1).astype(np.uint8).tobytes().decode("ascii", "replace")
    return _pick_latents(path, arrays), text


def _pick_latents(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Choose the latents among a file's arrays: the one with our name, or the only one."""
    if NAME in arrays:
        return arrays[NAME]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    names = ", ".join(sorted(arrays)[:5]) or "nothing"
    raise damaged(path, "latents", f"it has {names}; expected {NAME!r} or one array alone")


WRITERS: dict[str, Callable[[BinaryIO, Latents, str], None]] = {
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
    ".pt": _write_pt,
    ".npy": _write_npy,
}
READERS: dict[str, Callable[[Path], tuple[np.ndarray, object]]] = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pt": _read_pt,
    ".npy": _read_npy,
}
