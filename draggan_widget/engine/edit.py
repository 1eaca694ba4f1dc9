"""`Edit`: what a drag is to do, as handle points, target points and a mask."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image
from torch import Tensor

from draggan_widget.errors import EditError
from draggan_widget.geometry import Point

MAX_POINTS = 64
Mask = np.ndarray  # bool, (height, width), True where the picture may move
EXPECTED = "expected (height, width) of two values, 0 (stays) and one other (may move)"
CHANNELS = (1, 2, 3, 4)  # grey, grey and opacity, RGB, RGB and opacity
PLAIN_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "F", "I;16")  # of Pillow, whose pixels are grey levels or RGB


def _point(pair: Iterable[float]) -> Point:
    x, y = pair
    if isinstance(pair, bytes) or isinstance(x, (str, bytes)) or isinstance(y, (str, bytes)):
        raise TypeError("text")  # float("1") would accept it
    return float(x), float(y)


def _points(values: Iterable[Iterable[float]], what: str) -> tuple[Point, ...]:
    try:
        points = tuple(_point(pair) for pair in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise EditError(f"{what}s are {values!r}; expected pairs (x, y) of numbers in image px") from error
    for number, point in enumerate(points, start=1):
        if not np.isfinite(point).all():
            raise EditError(f"{what} {number} is {point}; expected finite (x, y) in image px; place it again")
    return points


def _lock_flags(locked: Iterable[bool], count: int) -> tuple[bool, ...]:
    values = tuple(bool(value) for value in locked) or (False,) * count
    if len(values) != count:
        raise EditError(f"locked has {len(values)} values for {count} handles; give each handle one, or none at all")
    return values


def _mask(mask: object) -> Mask | None:
    """The mask as a bool array of its own; `mask` may have any of the forms that `Edit` names."""
    if mask is None:
        return None
    array = _one_channel(_as_array(mask))
    shown = f"mask is {array.shape[1]} x {array.shape[0]} px"  # first: a wrong size is the likelier mistake
    if array.dtype != bool:  # of a bool mask nothing is to check; the widget sends one with each change of the points
        _check_values(mask, array, shown)
    copy = array.astype(bool)
    copy.flags.writeable = False
    return copy


def _check_values(mask: object, array: np.ndarray, shown: str) -> None:
    """Refuse a mask of other values than 0 and one other."""
    if not np.isfinite(array).all():
        raise EditError(f"{shown} and holds NaN or infinity; {EXPECTED}; give np.nan_to_num(mask) > 0")
    values = np.unique(array)
    if len(values) > 2 or (len(values) == 2 and 0 not in values):
        listed = ", ".join(f"{value:g}" for value in values[:4].tolist()) + (", ..." if len(values) > 4 else "")
        comparable = "mask" if isinstance(mask, (np.ndarray, Tensor)) else "np.asarray(mask)"
        raise EditError(
            f"{shown} and holds {len(values)} values ({listed}); {EXPECTED}; give {comparable} > {_middle(values):g}"
        )


def _as_array(mask: object) -> np.ndarray:
    """The mask as an array of numbers or truth values, of any shape."""
    try:
        if isinstance(mask, Image.Image):
            mask = mask if mask.mode in PLAIN_MODES else mask.convert("RGBA")  # a palette's numbers are no grey levels
        elif isinstance(mask, Tensor):
            mask = mask.detach().to("cpu", torch.float64 if mask.is_floating_point() else mask.dtype).numpy()
        array = np.asarray(mask)
    except (TypeError, ValueError, RuntimeError, NotImplementedError, OSError) as error:
        raise EditError(f"mask is of type {type(mask).__name__}, which makes no array ({error}); {EXPECTED}") from error
    if array.dtype.kind not in "biuf":
        raise EditError(f"mask is a {array.dtype} array of shape {array.shape}; {EXPECTED}")
    return array


def _one_channel(given: np.ndarray) -> Shaped[np.ndarray, "height width"]:
    """The array without axes of length 1 around it and without equal channels, which stand last or first."""
    array = given
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[2] not in CHANNELS and array.shape[0] in CHANNELS[2:]:
        array = np.moveaxis(array, 0, 2)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in CHANNELS) or 0 in array.shape:
        raise EditError(f"mask is a {given.dtype} array of shape {given.shape}; {EXPECTED}")
    if array.ndim == 2:
        return array
    shown, count = f"mask is {array.shape[1]} x {array.shape[0]} px", array.shape[2]
    if count in (2, 4):  # the last channel is opacity
        if array[..., -1].min() != array[..., -1].max():
            raise EditError(f"{shown} and transparent in parts; {EXPECTED}; give one channel alone")
        array = array[..., :-1]
    if not np.array_equal(array, np.broadcast_to(array[..., :1], array.shape), equal_nan=array.dtype.kind == "f"):
        raise EditError(f"{shown} and coloured; {EXPECTED}; give one channel alone")
    return array[..., 0]


def _middle(values: np.ndarray) -> float:
    """A number that divides the values in two, whole for whole values."""
    low, high = float(values[0]), float(values[-1])
    return (low + high) // 2 if values.dtype.kind in "iu" else (low + high) / 2


@dataclass(frozen=True, eq=False, init=False)
class Edit:
    """Handle points, target points and mask; never changed in place.

    Attributes:
        handles: handle points, (x, y) in image px, where the user took them; they stay there while the tracked
            handles move.
        targets: target points, (x, y) in image px, one for each handle. A target equal to its handle holds the point.
        mask: (height, width) bool, True where the picture may move; None: everywhere.
        locked: for each point, whether the widget refuses to move its handle and target; all False by default. A drag
            ignores it.

    Examples:
        >>> from draggan_widget import Edit
        >>> Edit(handles=[(64, 70)], targets=[(76, 72)]).targets
        ((76.0, 72.0),)
    """

    handles: tuple[Point, ...]
    targets: tuple[Point, ...]
    mask: Mask | None = field(repr=False)
    locked: tuple[bool, ...]

    def __init__(
        self,
        handles: Iterable[Iterable[float]] = (),
        targets: Iterable[Iterable[float]] = (),
        mask: object = None,
        locked: Iterable[bool] = (),
    ):
        """Copy the points and the mask.

        Args:
            handles: pairs (x, y) as lists, tuples or an array, image px.
            targets: as many pairs (x, y), image px.
            mask: an array, a tensor on any device or a Pillow picture, (height, width), of two values: 0 stays fixed,
                the other (True, 1, 255) may move. Axes of length 1, as in (1, height, width), are dropped; of several
                equal channels, as in a grey RGB picture, one is taken. None: everything may move.
            locked: one bool for each point, or none at all.

        Raises:
            EditError: a value is of another kind, the numbers of points differ, or there are more than 64.
        """
        object.__setattr__(self, "handles", _points(handles, "handle"))
        object.__setattr__(self, "targets", _points(targets, "target"))
        object.__setattr__(self, "mask", _mask(mask))
        if len(self.handles) != len(self.targets):
            raise EditError(
                f"the edit has {len(self.handles)} handles and {len(self.targets)} targets; give each handle one target"
            )
        object.__setattr__(self, "locked", _lock_flags(locked, len(self.handles)))
        if len(self.handles) > MAX_POINTS:
            raise EditError(f"the edit has {len(self.handles)} points; expected at most {MAX_POINTS}; delete some")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Edit):
            return NotImplemented
        mine, others = (self.handles, self.targets, self.locked), (other.handles, other.targets, other.locked)
        return mine == others and self.same_mask(other)

    def __hash__(self) -> int:
        return hash((self.handles, self.targets))

    def __len__(self) -> int:
        return len(self.handles)

    def same_mask(self, other: "Edit") -> bool:
        """Whether both have the same mask."""
        if self.mask is None or other.mask is None:
            return self.mask is other.mask
        return self.mask is other.mask or np.array_equal(self.mask, other.mask)

    def check(self, image_size: tuple[int, int]) -> None:
        """Check that the edit fits a picture.

        Args:
            image_size: (height, width) of the picture, px.

        Raises:
            EditError: a point lies outside the picture, or the mask has another size.
        """
        height, width = image_size
        for what, points in (("handle", self.handles), ("target", self.targets)):
            for number, (x, y) in enumerate(points, start=1):
                if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                    raise EditError(
                        f"{what} {number} at ({x:g}, {y:g}) is outside the {width} x {height} image; move it inside"
                    )
        if self.mask is not None and self.mask.shape != (height, width):
            raise EditError(
                f"the mask is {self.mask.shape[1]} x {self.mask.shape[0]} px and the image {width} x {height}; "
                "give a mask of the image's size"
            )
