"""What a drag remembers of its start: the reference features of each point and the first map."""

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
    """One point's anchor and where it is now.

    Attributes:
        origin: the edit's handle, (x, y) in image px: what tells this point from others.
        position: the tracked handle, (x, y) in image px.
        taken_at: where feature and patch were taken, (x, y) in image px: the origin, inside the picture.
        searched_from: the middle of the square last searched for it, (x, y) in image px.
        feature: f_i, the feature vector there.
        error: e_i = ||F(p) - f|| / ||f|| at the position, as last tracked.
        patch: features around there, on whole px up to the supervision radius.
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
    """All points' references and F0.

    Attributes:
        start: F0, the whole map when the drag began.
        points: one a handle, in the edit's order.
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
    """The largest whole step strictly inside a disc."""
    return math.ceil(radius) - 1


def take_reference(features: FeatureMap, handle: Point, radius: float, image_size: tuple[int, int]) -> PointReference:
    """Reference of a handle from the current map (no graph)."""
    reach = disc_reach(radius)
    steps = range(-reach, reach + 1)
    x, y = placed(handle, image_size)
    patch = read_grid(features, [x + o for o in steps], [y + o for o in steps], image_size)
    here = (x, y)
    return PointReference(handle, here, here, here, read_point(features, here, image_size), patch)


def placed(handle: Point, image_size: tuple[int, int]) -> Point:
    """A handle inside the picture: it may lie on the outer half of a border pixel."""
    return min(max(handle[0], 0.0), image_size[1] - 1.0), min(max(handle[1], 0.0), image_size[0] - 1.0)


def matches(references: References | None, edit: Edit) -> list[PointReference | None]:
    """For each handle of an edit the reference known for it; None for a new or moved one."""
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
    """References for the edit's points: a handle that is known keeps its own, a new or moved one takes it here.

    What was taken of another block, or with another radius, is taken anew where the handle is now.
    """
    same_block = references is not None and references.start.block == features.block
    side = 2 * disc_reach(config.supervision_radius) + 1
    points = []
    for handle, match in zip(edit.handles, matches(references, edit), strict=True):
        if match is None:
            points.append(take_reference(features, handle, config.supervision_radius, image_size))
            continue
        if not same_block or match.patch.shape[1] != side:
            anew = take_reference(features, match.position, config.supervision_radius, image_size)
            match = dataclasses.replace(anew, origin=match.origin)
        points.append(match)
    start = references.start if references is not None and same_block else features
    return References(start, tuple(points))
