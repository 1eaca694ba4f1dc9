"""Edits, masks and latents as plain values that JSON holds, and back; every value read is checked.

A mask is a 1-bit PNG in base64 (white: may move), which any program opens; a latent is base64 of little-endian float32.
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

from draggan_widget.engine.edit import Edit
from draggan_widget.errors import ExportError

LARGEST_MASKS = 1 << 29  # px of all masks of a file: 512 of 1024 x 1024
LARGEST_LATENT = 1 << 24  # numbers


class Packer:
    """Edits as plain values, each different mask once.

    Attributes:
        masks: the masks so far, as text; an edit names its own by its place here.
    """

    def __init__(self) -> None:
        self.masks: list[str] = []
        self._held: list[np.ndarray] = []

    def edit(self, edit: Edit) -> dict[str, Any]:
        """Handles, targets and locks, and the place of the mask."""
        return {
            "handles": [list(point) for point in edit.handles],
            "targets": [list(point) for point in edit.targets],
            "locked": list(edit.locked),
            "mask": None if edit.mask is None else self._place(edit.mask),
        }

    def _place(self, mask: np.ndarray) -> int:
        for place, held in enumerate(self._held):
            if np.array_equal(held, mask):
                return place
        self._held.append(mask)
        if sum(held.size for held in self._held) > LARGEST_MASKS:
            raise ExportError(f"{len(self._held)} masks have over {LARGEST_MASKS} px in all; save a shorter drag")
        self.masks.append(pack_mask(mask))
        return len(self.masks) - 1


def unpack_edit(value: object, masks: list[np.ndarray]) -> Edit:
    """The edit of plain values.

    Raises:
        ValueError: they are none (EditError is one).
    """
    entry = fields(value, "the edit", ("handles", "targets", "locked", "mask"))
    place = entry["mask"]
    if place is not None and not (whole(place, "mask") < len(masks)):
        raise ValueError(f"the edit has mask {place} of {len(masks)}")
    points = [_points(entry[what], what) for what in ("handles", "targets")]
    locked = entry["locked"]
    if not isinstance(locked, list) or not all(isinstance(one, bool) for one in locked):
        raise ValueError(f"locked is {brief(locked)}; expected true or false for each point")
    return Edit(*points, mask=None if place is None else masks[place], locked=locked)


def _points(value: object, what: str) -> list[list[float]]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is {brief(value)}; expected a list of pairs")
    return [[number(part, what) for part in listed(pair, what, 2)] for pair in value]


def pack_mask(mask: Bool[np.ndarray, "height width"]) -> str:
    """A mask as a 1-bit PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpack_masks(values: list) -> list[Bool[np.ndarray, "height width"]]:
    """The masks of a file.

    Raises:
        ValueError: one is none, or together they are too large.
    """
    masks, left = [], LARGEST_MASKS
    for value in values:
        masks.append(unpack_mask(value, left))
        left -= masks[-1].size
    return masks


def unpack_mask(value: object, largest: int = LARGEST_MASKS) -> Bool[np.ndarray, "height width"]:
    """The mask of such a text, of at most `largest` px.

    Raises:
        ValueError: it is none.
    """
    try:
        with Image.open(io.BytesIO(_bytes(value, "the mask")), formats=("PNG",)) as image:
            if image.width * image.height > largest:
                raise ValueError(f"a mask has {image.width} x {image.height} px; expected {LARGEST_MASKS} px in all")
            if image.mode != "1":
                raise ValueError(f"the mask is a PNG of mode {image.mode!r}; expected 1 bit a px")
            return np.array(image, dtype=bool)
    except UnidentifiedImageError as error:  # its words hold the address of an object of ours
        raise ValueError("the mask is no PNG") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the mask is no PNG ({error})") from error


def pack_latent(ws: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """A latent of float32, bit for bit."""
    values = np.ascontiguousarray(ws, "<f4")
    return {"shape": list(values.shape), "float32": base64.b64encode(values.tobytes()).decode("ascii")}


def unpack_latent(value: object) -> Float[np.ndarray, "1 num_ws w_dim"]:
    """The latent of such values.

    Raises:
        ValueError: they are none.
    """
    entry = fields(value, "ws", ("shape", "float32"))
    shape = [whole(side, "shape") for side in listed(entry["shape"], "shape", 3)]
    if shape[0] != 1 or not all(0 < side <= LARGEST_LATENT for side in shape):
        raise ValueError(f"ws has shape {shape}; expected [1, num_ws, w_dim]")
    data = _bytes(entry["float32"], "ws")
    if len(data) != 4 * shape[1] * shape[2]:
        raise ValueError(f"ws has {len(data)} bytes; expected {4 * shape[1] * shape[2]} for shape {shape}")
    values = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("ws holds NaN or infinity; expected finite numbers")
    return values


def _bytes(value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{what} is {brief(value)}; expected base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what} is no base64 ({error})") from error


def fields(value: object, what: str, names: Iterable[str]) -> Mapping[str, Any]:
    """A JSON object with exactly these names.

    Raises:
        ValueError: it is none, lacks one or has another.
    """
    names = tuple(names)
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {brief(value)}; expected an object with {', '.join(names)}")
    for name in value:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
            raise ValueError(f"{what} has an unknown {brief(name)}; {hint}")
    for name in names:
        if name not in value:
            raise ValueError(f"{what} has no {name!r}")
    return value


def listed(value: object, what: str, count: int | None = None) -> list:
    """A JSON list, of `count` entries where that is given."""
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise ValueError(f"{what} holds {brief(value)}; expected a list" + (f" of {count}" if count else ""))
    return value


def number(value: object, what: str) -> float:
    """A finite JSON number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{what} holds {brief(value)}; expected finite numbers")
    return float(value)


def whole(value: object, what: str) -> int:
    """A JSON whole number, not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{what} is {brief(value)}; expected a whole number from 0")
    return value


def text(value: object, what: str) -> str | None:
    """A JSON text or null."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} is {brief(value)}; expected a text")
    return value


def brief(value: object) -> str:
    """A value in at most some 60 characters."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
