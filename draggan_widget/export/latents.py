"""Latents as files: .npz, .safetensors, .pt, and the .npy that the official GUI writes.

The official GUI's .npy is one array (1, num_ws, w_dim) of float32 as numpy.save writes it, without room for more.
A .pt is a plain dict of tensors, which `torch.load(path, weights_only=True)` reads.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.arrays import unpacked_size
from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ExportError
from draggan_widget.export.arrays import check_bound, own_header, read_npy, read_npz, write_npz
from draggan_widget.export.writing import as_json, check_version, damaged, ending_of, header, missing, put

SCHEMA = "draggan-widget latents"
VERSION = 1
NAME = "ws"  # of the array beside the header, in every format that has names
HEADER = "draggan_widget"  # JSON: schema, version, about
LARGEST_HEADER = 1 << 20  # bytes of a .safetensors file's own header

Latents = Float[np.ndarray, "latents num_ws w_dim"]


def save_latents(latents: DragRecord | Float[np.ndarray, "..."] | Float[Tensor, "..."], path: str | Path) -> Path:
    """Write latents bit for bit in float32; the ending says how.

    Args:
        latents: a record's, every step, or an array or tensor (num_ws, w_dim) or (latents, num_ws, w_dim).
        path: .npz, .safetensors, .pt or .npy. All but .npy also hold what the record says of how it was made. The
            official GUI reads an .npy of one latent: `save_latents(record.ws[-1], "last.npy")`.

    Raises:
        ExportError: no latents, another ending, or the file cannot be written; an older one stays as it was.
    """
    path = Path(path)
    ending = ending_of(path, "latents", WRITERS)
    about = latents.about if isinstance(latents, DragRecord) else {}
    values = _three_axes(latents.ws if isinstance(latents, DragRecord) else latents)
    text = as_json(header(SCHEMA, VERSION, about))
    return put(path, lambda file: WRITERS[ending](file, values, text))


def load_latents(path: str | Path) -> Latents:
    """Read latents: what `save_latents` wrote, or others' files of one such array.

    Returns:
        (latents, num_ws, w_dim) float32; a file of (num_ws, w_dim) gives one latent.

    Raises:
        ExportError: the file is missing, damaged, foreign, of a newer version, or holds NaN.
    """
    path = Path(path)
    values, text = READERS[ending_of(path, "latents", READERS)](path)
    if text is not None:
        check_version(path, own_header(path, text, SCHEMA).get("version"), VERSION)
    try:
        return _three_axes(values)
    except ExportError as error:
        raise damaged(path, "latents", str(error)) from error


def _three_axes(latents: Any) -> Latents:
    values = _plain(latents) if isinstance(latents, Tensor) else np.asarray(latents)
    if values.ndim not in (2, 3) or 0 in values.shape or values.dtype.kind != "f":
        raise ExportError(
            f"the latents are a {values.dtype} array of shape {values.shape}; expected floating-point numbers "
            "(latents, num_ws, w_dim) or (num_ws, w_dim)"
        )
    with np.errstate(over="ignore"):
        single = np.array(values.reshape(-1, *values.shape[-2:]), np.float32)
    if not np.isfinite(single).all():  # asked of what is kept: a large float64 is infinity in float32
        raise ExportError("the latents hold NaN, infinity or more than float32 can; expected finite numbers")
    return single


def _plain(tensor: Tensor) -> np.ndarray:
    """A strided tensor in memory as an array; bfloat16 and its like, which NumPy lacks, as float32."""
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        raise ExportError(f"the latents are a {tensor.layout} tensor on {tensor.device}; expected plain numbers")
    kept = tensor.dtype in (torch.float16, torch.float32, torch.float64) or not tensor.is_floating_point()
    return (tensor if kept else tensor.float()).detach().cpu().numpy()


def _write_npz(file: BinaryIO, values: Latents, text: str) -> None:
    write_npz(file, {HEADER: text, NAME: values})


def _write_npy(file: BinaryIO, values: Latents, text: str) -> None:
    # Not numpy.save: it writes past Python's file, and a full disk goes unnoticed.
    header = {"descr": "<f4", "fortran_order": False, "shape": values.shape}
    np.lib.format.write_array_header_1_0(file, header)  # pyright: ignore[reportArgumentType]
    file.write(np.ascontiguousarray(values, "<f4").data)


def _write_safetensors(file: BinaryIO, values: Latents, text: str) -> None:
    import safetensors.numpy

    file.write(safetensors.numpy.save({NAME: values}, metadata={HEADER: text}))


def _write_pt(file: BinaryIO, values: Latents, text: str) -> None:
    said = torch.frombuffer(bytearray(text.encode("ascii")), dtype=torch.uint8)
    torch.save({NAME: torch.from_numpy(values), HEADER: said}, file)


def _read_npz(path: Path) -> tuple[np.ndarray, object]:
    arrays = read_npz(path, "latents")
    text = arrays.pop(HEADER, None)
    return _only(path, arrays), text


def _read_npy(path: Path) -> tuple[np.ndarray, object]:
    return read_npy(path, "latents"), None


def _read_safetensors(path: Path) -> tuple[np.ndarray, object]:
    import safetensors

    try:
        with path.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > LARGEST_HEADER:
                raise ValueError(f"a header of over {LARGEST_HEADER} bytes")
        with safetensors.safe_open(path, framework="pt") as file:
            arrays = {name: _plain(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return _only(path, arrays), (file.metadata() or {}).get(HEADER)
    except FileNotFoundError as error:
        raise missing(path) from error
    except (OSError, ValueError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise damaged(path, "latents", error) from error


def _read_pt(path: Path) -> tuple[np.ndarray, object]:
    try:
        if zipfile.is_zipfile(path):
            check_bound(path, unpacked_size(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise missing(path) from error
    except ExportError:
        raise
    except Exception as error:  # torch's own words advise to load it with code
        raise damaged(path, "latents", f"{type(error).__name__}; expected a dict of plain tensors") from error
    held = {"a tensor": found} if isinstance(found, Tensor) else found
    if not isinstance(held, dict) or not all(isinstance(one, Tensor) for one in held.values()):
        raise damaged(path, "latents", f"a {type(found).__name__} of other things than tensors")
    arrays = {str(name): _bounded(path, one) for name, one in held.items()}
    said = arrays.pop(HEADER, None)
    text = None if said is None else said.reshape(-1).astype(np.uint8).tobytes().decode("ascii", "replace")
    return _only(path, arrays), text


def _bounded(path: Path, tensor: Tensor) -> np.ndarray:
    """The array of a tensor that is no larger than its file: an expanded one claims any size."""
    real = tensor.is_floating_point() or tensor.dtype == torch.uint8
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or not real:
        raise damaged(path, "latents", f"a {tensor.layout} tensor of {tensor.dtype} on {tensor.device}")
    claimed, held = tensor.numel() * tensor.element_size(), path.stat().st_size
    if claimed > held:
        raise damaged(path, "latents", f"a tensor of {claimed} bytes in a file of {held}")
    return _plain(tensor)


def _only(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The latents among the arrays of a file: ours by their name, another's where it holds nothing else."""
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
