"""Motion supervision (Pan et al. 2023, eq. 1, without the mask term).

Differs from the official renderer: 1. discs sit on the exact pixel grid, except with `disc` "official"; 2. disc pixels
outside the picture are left out; 3. a point whose tracking error is over the confidence gate is pulled toward its start
patch instead of the current one (template supervision, as in GoodDrag and StableDrag).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.references import PointReference, disc_reach
from draggan_widget.generators.feature_map import FeatureMap, read_grid
from draggan_widget.geometry import Point, steps_inside

Axis = tuple[list[float], list[float]]  # positions in image px, and the distance of each from the handle, signed


def motion_loss(
    features: FeatureMap,
    point: PointReference,
    shift: Point,
    config: DragConfig,
    image_size: tuple[int, int],
    from_start: bool,
) -> Float[Tensor, ""]:
    """|sg[F(q)] - F(q + d)| over the channels and the px q in the disc of one point, in the preset's norm.

    Args:
        features: the current feature map, with its graph.
        point: the tracked handle and its reference.
        shift: d, (x, y) in image px.
        config: settings, for the radius r1, the disc and the norm.
        image_size: (height, width) in px.
        from_start: pull toward the start patch F0(p0 + o) instead of the current F(q).
    """
    axis = _official_axis if config.disc == "official" and not from_start else _exact_axis  # patches lie on whole px
    xs, dx = axis(point.position[0], config.supervision_radius, image_size[1])
    ys, dy = axis(point.position[1], config.supervision_radius, image_size[0])
    inside = [[x * x + y * y < config.supervision_radius**2 for x in dx] for y in dy]
    moved = read_grid(features, [x + shift[0] for x in xs], [y + shift[1] for y in ys], image_size)
    reference = _start_patch(point, dx, dy) if from_start else read_grid(features.detach(), xs, ys, image_size)
    terms = (reference - moved)[:, torch.tensor(inside, device=moved.device)].abs()
    return terms.sum() if config.motion_norm == "sum" else terms.mean()


def _exact_axis(centre: float, radius: float, side: int) -> Axis:
    steps = steps_inside(centre, disc_reach(radius), side)
    return [centre + step for step in steps], [float(step) for step in steps]


def _official_axis(centre: float, radius: float, side: int) -> Axis:
    """Whole px k whose distance is taken from k * S / (S - 1), the values of linspace(0, S, S)."""
    pixels = [k for k in range(side) if abs(k * side / (side - 1) - centre) < radius]
    return [float(k) for k in pixels], [k * side / (side - 1) - centre for k in pixels]


def _start_patch(point: PointReference, dx: list[float], dy: list[float]) -> Tensor:
    """The part of the start patch at these whole distances from the handle."""
    reach = point.patch.shape[1] // 2
    rows, columns = ([int(step) + reach for step in steps] for steps in (dy, dx))
    return point.patch[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
