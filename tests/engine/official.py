"""Preset "official" without a mask as plain tensor code: the whole map at image size, whole-px handles, Adam by hand.

Fast enough for large pictures and long drags; written from Pan et al. 2023, section 3.2, and itself held against the
slow oracle (`engine.oracle`), from which it takes what a step is.
"""

import math

import torch
import torch.nn.functional as F
from engine.oracle import Slow, latent
from torch import Tensor


def official_drag(generator, ws, edit, config, steps: int) -> list[Slow]:
    """`steps` steps of a drag."""
    rows = 1 if config.latent_space == "W" else len(generator.drag_rows)
    difference = torch.zeros(rows, generator.w_dim, dtype=ws.dtype, requires_grad=True)
    first_moment, second_moment = torch.zeros_like(difference), torch.zeros_like(difference)
    handles = [(int(x), int(y)) for x, y in edit.handles]
    references: list[Tensor] = []
    done: list[Slow] = []
    for update in range(1, steps + 1):
        current = latent(ws, difference, generator.drag_rows)
        small = generator.features(current, config.block).whole
        image = F.interpolate(small[None], size=generator.image_size, mode="bilinear", align_corners=False)[0]
        still = image.detach()
        references = references or [still[:, y, x] for x, y in handles]
        handles = [tracked(still, p, f, config.tracking_radius) for p, f in zip(handles, references, strict=True)]
        done.append(Slow(current.detach(), [(float(x), float(y)) for x, y in handles], [], []))
        pairs = list(zip(handles, edit.targets, strict=True))
        if all(math.dist(p, t) <= config.stop_distance for p, t in pairs):
            return done
        loss = torch.stack([supervised(image, p, t, config) for p, t in pairs if math.dist(p, t) >= 1.0]).sum()
        (gradient,) = torch.autograd.grad(loss, difference)
        done[-1].loss, done[-1].gradient = float(loss.detach()), gradient
        first_moment = 0.9 * first_moment + 0.1 * gradient
        second_moment = 0.999 * second_moment + 0.001 * gradient**2
        first, second = first_moment / (1 - 0.9**update), second_moment / (1 - 0.999**update)
        difference = (difference.detach() - config.learning_rate * first / (second.sqrt() + 1e-8)).requires_grad_()
    return done


def tracked(image: Tensor, point: tuple[int, int], reference: Tensor, radius: int) -> tuple[int, int]:
    """The px of the square nearest to the reference in L2, the first of equals by rows (Pan et al. 2023, eq. 2)."""
    left, top = max(point[0] - radius, 0), max(point[1] - radius, 0)
    square = image[:, top : point[1] + radius + 1, left : point[0] + radius + 1]
    best = int((square - reference[:, None, None]).norm(dim=0).argmin())
    return left + best % square.shape[2], top + best // square.shape[2]


def supervised(image: Tensor, point: tuple[int, int], target: tuple[float, float], config) -> Tensor:
    """Mean of |sg[F(q)] - F(q + d)| over the official disc (Pan et al. 2023, eq. 1)."""
    height, width = image.shape[1:]
    across, down = torch.linspace(0, width, width) - point[0], torch.linspace(0, height, height) - point[1]
    y, x = torch.nonzero(torch.hypot(*torch.meshgrid(down, across, indexing="ij")) < config.supervision_radius).T
    length = math.dist(point, target)
    moved_x = (x + (target[0] - point[0]) / length).clamp(0, width - 1).to(image.dtype)
    moved_y = (y + (target[1] - point[1]) / length).clamp(0, height - 1).to(image.dtype)
    left, top = moved_x.floor(), moved_y.floor()
    right, bottom = (left + 1).clamp(max=width - 1).long(), (top + 1).clamp(max=height - 1).long()
    along, below = moved_x - left, moved_y - top
    left, top = left.long(), top.long()
    upper = (1 - along) * image[:, top, left] + along * image[:, top, right]
    lower = (1 - along) * image[:, bottom, left] + along * image[:, bottom, right]
    return (image.detach()[:, y, x] - ((1 - below) * upper + below * lower)).abs().mean()
