"""`Edit`: what a drag is to do, as handle points, target points and a mask."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from draggan_widget.errors import EditError
from draggan_widget.geometry import Point

MAX_POINTS = 64
Mask = np.ndarray  # bool, (height, width), True where the picture may move


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
    if mask is None:
        return None
    expected = "expected (height, width) of bool or 0 and 1, 1 = may move"
    try:
        array = np.asarray(mask)
    except (TypeError, ValueError) as error:
        raise EditError(f"mask is of type {type(mask).__name__}, which makes no array ({error}); {expected}") from error
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise EditError(f"mask is an array of type {array.dtype} and shape {array.shape}; {expected}")
    if not np.isin(array, (0, 1)).all():
        raise EditError(f"mask holds values from {array.min():g} to {array.max():g}; {expected}; give mask > 0")
    copy = array.astype(bool)
    copy.flags.writeable = False
    return copy


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
            mask: (height, width) of bool or of 0 and 1, 1 = may move; None: everything may move.
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
