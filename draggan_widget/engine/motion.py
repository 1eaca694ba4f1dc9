"""Motion supervision (Pan et al. 2023, eq. 1, without the mask term).

Differs from the official renderer: 1. discs sit on the exact pixel grid; 2. disc pixels outside the picture are left
out; 3. a point whose tracking error passed the confidence gate is pulled toward its start patch instead of the current
one (template supervision, as in GoodDrag and StableDrag).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from draggan_widget.engine.references import PointReference, disc_reach
from draggan_widget.features.sample import read_grid
from draggan_widget.generators.generator import FeatureMap
from draggan_widget.geometry import Point, steps_inside


def disc(xs: range, ys: range, radius: float, device: torch.device) -> Bool[Tensor, "ys xs"]:
    """Which whole steps of the grid lie strictly inside the radius."""
    squares = [[x * x + y * y < radius * radius for x in xs] for y in ys]
    return torch.tensor(squares, device=device)


def motion_loss(
    features: FeatureMap,
    point: PointReference,
    shift: Point,
    radius: float,
    image_size: tuple[int, int],
    from_start: bool,
) -> Float[Tensor, ""]:
    """Mean over channels and q in the disc of |sg[F(q)] - F(q + d)| for one point.

    Args:
        features: the current map, with its graph.
        point: the tracked handle and its references.
        shift: d, (x, y) in image px.
        radius: r1, image px.
        image_size: (height, width) in px.
        from_start: pull toward the start patch F0(p0 + o) instead of the current F(q).
    """
    x, y = point.position
    reach = disc_reach(radius)
    steps_x = steps_inside(x, reach, image_size[1])
    steps_y = steps_inside(y, reach, image_size[0])
    inside = disc(steps_x, steps_y, radius, point.feature.device)
    xs, ys = [x + o for o in steps_x], [y + o for o in steps_y]
    moved = read_grid(features, [v + shift[0] for v in xs], [v + shift[1] for v in ys], image_size)
    if from_start:
        rows = slice(steps_y[0] + reach, steps_y[-1] + reach + 1)
        columns = slice(steps_x[0] + reach, steps_x[-1] + reach + 1)
        wanted = point.patch[:, rows, columns]
    else:
        wanted = read_grid(features.detach(), xs, ys, image_size)
    return (wanted - moved)[:, inside].abs().mean()
