"""Edits, masks and latents as JSON values, and back; every value is checked when it is read.

A mask is a 1-bit PNG in base64 (white: may move), which other programs open; a latent is base64 of little-endian
float32.
"""

import base64
import binascii
import difflib
import io
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image, UnidentifiedImageError

from draggan_widget.engine.edit import MAX_POINTS, Edit
from draggan_widget.errors import ExportError

LARGEST_MASKS = 1 << 29  # px, all masks of a file together: 512 masks of 1024 x 1024
LARGEST_COUNT = 2**32 - 1  # of any whole number, such as a seed
LARGEST_LATENT = 1 << 24  # numbers along one axis of a latent


class EditPacker:
    """Turns edits into JSON values; edits with the same mask share one entry of `masks`.

    Attributes:
        masks: the different masks so far, as text; an edit holds the position of its mask in this list.
    """

    def __init__(self) -> None:
        self.masks: list[str] = []
        self._held: list[np.ndarray] = []

    def edit(self, edit: Edit) -> dict[str, Any]:
        """An edit as JSON values: handles, targets, locks, and the position of its mask."""
        return {
            "handles": [list(point) for point in edit.handles],
            "targets": [list(point) for point in edit.targets],
            "locked": list(edit.locked),
            "mask": None if edit.mask is None else self._mask_position(edit.mask),
        }

    def _mask_position(self, mask: np.ndarray) -> int:
        for position, held in enumerate(self._held):
            if np.array_equal(held, mask):
                return position
        self._held.append(mask)
        if sum(held.size for held in self._held) > LARGEST_MASKS:
            raise ExportError(f"{len(self._held)} masks have over {LARGEST_MASKS} px in all; save a shorter drag")
        self.masks.append(pack_mask(mask))
        return len(self.masks) - 1


def unpack_edit(value: object, masks: list[np.ndarray]) -> Edit:
    """Read an edit from JSON values.

    Raises:
        ValueError: the values are not an edit; EditError is a ValueError, too.
    """
    entry = as_object(value, "the edit", ("handles", "targets", "locked", "mask"))
    position = entry["mask"]
    if position is not None and not (as_count(position, "mask") < len(masks)):
        raise ValueError(f"the edit has mask {position} of {len(masks)}")
    points = [as_points(entry[what], what) for what in ("handles", "targets")]
    locked = entry["locked"]
    if not isinstance(locked, list) or not all(isinstance(one, bool) for one in locked):
        raise ValueError(f"locked is {shorten(locked)}; expected true or false for each point")
    return Edit(*points, mask=None if position is None else masks[position], locked=locked)


def as_points(value: object, what: str) -> list[list[float]]:
    """Return a JSON list of pairs of finite numbers, as many as an edit may have."""
    if not isinstance(value, list):
        raise ValueError(f"{what} is {shorten(value)}; expected a list of pairs")
    if len(value) > MAX_POINTS:
        raise ValueError(f"{what} has {len(value)} pairs; expected at most {MAX_POINTS}")
    return [[as_number(part, what) for part in as_list(pair, what, 2)] for pair in value]


def pack_mask(mask: Bool[np.ndarray, "height width"]) -> str:
    """Encode a mask as a 1-bit PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpack_masks(values: list) -> list[Bool[np.ndarray, "height width"]]:
    """Read the masks of a file.

    Raises:
        ValueError: a value is not a mask, or the masks together are too large.
    """
    masks, left = [], LARGEST_MASKS
    for value in values:
        masks.append(unpack_mask(value, left))
        left -= masks[-1].size
    return masks


def unpack_mask(value: object, largest: int = LARGEST_MASKS) -> Bool[np.ndarray, "height width"]:
    """Read a mask of at most `largest` px.

    Raises:
        ValueError: the value is not a mask.
    """
    try:
        with Image.open(io.BytesIO(_decode_base64(value, "the mask")), formats=("PNG",)) as image:
            if image.width * image.height > largest:
                raise ValueError(f"a mask has {image.width} x {image.height} px; expected {LARGEST_MASKS} px in all")
            if image.mode != "1":
                raise ValueError(f"the mask is a PNG of mode {image.mode!r}; expected 1 bit a px")
            return np.array(image, dtype=bool)
    except UnidentifiedImageError as error:  # its text holds a memory address
        raise ValueError("the mask is not a PNG") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the mask is not a PNG ({error})") from error


def pack_latent(ws: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Encode a latent as float32, bit for bit."""
    values = np.ascontiguousarray(ws, "<f4")
    return {"shape": list(values.shape), "float32": base64.b64encode(values.tobytes()).decode("ascii")}


def unpack_latent(value: object) -> Float[np.ndarray, "1 num_ws w_dim"]:
    """Read a latent.

    Raises:
        ValueError: the value is not a latent.
    """
    entry = as_object(value, "ws", ("shape", "float32"))
    shape = [as_count(side, "shape") for side in as_list(entry["shape"], "shape", 3)]
    if shape[0] != 1 or not all(0 < side <= LARGEST_LATENT for side in shape):
        raise ValueError(f"ws has shape {shape}; expected [1, num_ws, w_dim]")
    data = _decode_base64(entry["float32"], "ws")
    if len(data) != 4 * shape[1] * shape[2]:
        raise ValueError(f"ws has {len(data)} bytes; expected {4 * shape[1] * shape[2]} for shape {shape}")
    values = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("ws holds NaN or infinity; expected finite numbers")
    return values


def _decode_base64(value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{what} is {shorten(value)}; expected base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what} is not base64 ({error})") from error


def as_object(value: object, what: str, names: Iterable[str]) -> Mapping[str, Any]:
    """Return a JSON object that has exactly the given names.

    Raises:
        ValueError: the value is not an object, lacks a name, or has an unknown one.
    """
    names = tuple(names)
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {shorten(value)}; expected an object with {', '.join(names)}")
    for name in value:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
            raise ValueError(f"{what} has an unknown {shorten(name)}; {hint}")
    for name in names:
        if name not in value:
            raise ValueError(f"{what} has no {name!r}")
    return value


def as_list(value: object, what: str, count: int | None = None) -> list:
    """Return a JSON list; if `count` is given, one of that length."""
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise ValueError(f"{what} holds {shorten(value)}; expected a list" + (f" of {count}" if count else ""))
    return value


def as_number(value: object, what: str) -> float:
    """Return a finite JSON number as float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{what} holds {shorten(value)}; expected finite numbers")
    return float(value)


def as_count(value: object, what: str, most: int = LARGEST_COUNT) -> int:
    """Return a JSON whole number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{what} is {shorten(value)}; expected a whole number from 0")
    if value > most:
        raise ValueError(f"{what} is {shorten(value)}; expected at most {most}")
    return value


def as_text(value: object, what: str) -> str | None:
    """Return a JSON text, or None for null."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} is {shorten(value)}; expected a text")
    return value


def shorten(value: object) -> str:
    """The value's repr in at most 60 characters."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
