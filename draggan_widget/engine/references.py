"""What a drag keeps of its start: the reference features of each point, and the first feature map."""

import dataclasses
import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.generators.feature_map import FeatureMap, read_grid, read_point
from draggan_widget.geometry import Point


@dataclass(frozen=True)
class PointReference:
    """Reference features of one point, and its tracked handle.

    Attributes:
        origin: the edit's handle, (x, y) in image px; it identifies the point.
        position: the tracked handle, (x, y) in image px.
        taken_at: where `feature` and `patch` were read, (x, y) in image px: the origin, clamped to the picture.
        searched_from: centre of the last search square, (x, y) in image px.
        feature: f_i, the feature vector at `taken_at`.
        patch: features around `taken_at`, at whole px up to the supervision radius.
        error: e_i = ||F(p) - f|| / ||f|| at `position`, from the last tracking.
    """

    origin: Point
    position: Point
    taken_at: Point
    searched_from: Point
    feature: Float[Tensor, " channels"]
    patch: Float[Tensor, "channels side side"]
    error: float = 0.0


@dataclass(frozen=True)
class References:
    """The references of all points, and F0.

    Attributes:
        start: F0, the whole feature map when the drag began.
        points: one reference for each handle, in the edit's order.
    """

    start: FeatureMap
    points: tuple[PointReference, ...]

    @property
    def handles(self) -> tuple[Point, ...]:
        """The tracked handles, (x, y) in image px."""
        return tuple(point.position for point in self.points)

    @property
    def errors(self) -> tuple[float, ...]:
        """The tracking error of each handle."""
        return tuple(point.error for point in self.points)


def disc_reach(radius: float) -> int:
    """The largest whole number of px strictly below a disc's radius."""
    return math.ceil(radius) - 1


def take_reference(features: FeatureMap, handle: Point, radius: float, image_size: tuple[int, int]) -> PointReference:
    """Take the reference of a handle from the current feature map, which has no graph."""
    reach = disc_reach(radius)
    steps = range(-reach, reach + 1)
    x, y = clamp_to_picture(handle, image_size)
    patch = read_grid(features, [x + o for o in steps], [y + o for o in steps], image_size)
    here = (x, y)
    return PointReference(handle, here, here, here, read_point(features, here, image_size), patch)


def clamp_to_picture(handle: Point, image_size: tuple[int, int]) -> Point:
    """Move a handle from the outer half of a border pixel to that pixel's centre line."""
    return min(max(handle[0], 0.0), image_size[1] - 1.0), min(max(handle[1], 0.0), image_size[0] - 1.0)


def find_references(references: References | None, edit: Edit) -> list[PointReference | None]:
    """The known reference of each handle of an edit; None for a handle that is new or was moved."""
    known = list(references.points) if references is not None else []
    found = []
    for handle in edit.handles:
        match = next((point for point in known if point.origin == handle), None)
        if match is not None:
            known.remove(match)
        found.append(match)
    return found


def follow_edit(
    references: References | None, edit: Edit, features: FeatureMap, config: DragConfig, image_size: tuple[int, int]
) -> References:
    """The references of an edit's points: a known handle keeps its own, a new or moved one takes it from `features`.

    References from another block or with another supervision radius are taken anew at the tracked handle.
    """
    same_block = references is not None and references.start.block == features.block
    side = 2 * disc_reach(config.supervision_radius) + 1
    points = []
    for handle, match in zip(edit.handles, find_references(references, edit), strict=True):
        if match is None:
            points.append(take_reference(features, handle, config.supervision_radius, image_size))
            continue
        if not same_block or match.patch.shape[1] != side:
            anew = take_reference(features, match.position, config.supervision_radius, image_size)
            match = dataclasses.replace(anew, origin=match.origin)
        points.append(match)
    start = references.start if references is not None and same_block else features
    return References(start, tuple(points))
