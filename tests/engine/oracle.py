"""The slow oracle of a drag with any preset: the whole map at image size, loops over pixels, Adam by hand.

Written from the method (Pan et al. 2023, section 3.2) and the numbered differences at the head of `motion`,
`tracking`, `mask` and `loop`; it shares no code with them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Point = tuple[float, float]


@dataclass
class Slow:
    """One step: what was yielded, then the loss and the gradient of the supervision that followed."""

    ws: Tensor
    handles: list[Point]
    errors: list[float]
    gated: list[bool]
    loss: float | None = None
    gradient: Tensor | None = None


def slow_drag(generator, ws, edit, config, steps: int) -> list[Slow]:
    """`steps` steps of a drag; endings other than arrival are the engine's own and not looked at."""
    height, width = generator.image_size
    rows = 1 if config.latent_space == "W" else len(generator.drag_rows)
    difference = torch.zeros(rows, generator.w_dim, dtype=ws.dtype, requires_grad=True)
    first_moment, second_moment = torch.zeros_like(difference), torch.zeros_like(difference)
    handles = [(min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)) for x, y in edit.handles]
    origins = list(handles)
    masked = edit.mask is not None and not edit.mask.all()
    fed = fed_pixels(generator.block_size(config.block), edit.mask) if masked else None
    first_small: Tensor | None = None
    done: list[Slow] = []
    for update in range(1, steps + 1):
        current = latent(ws, difference, generator.drag_rows)
        small = generator.features(current, config.block).whole
        image = F.interpolate(small[None], size=(height, width), mode="bilinear", align_corners=False)[0]
        still = image.detach()
        if first_small is None:
            first_small, first_image = small.detach(), still
            references = [read(first_image, *origin) for origin in origins]
        found = [track(still.numpy(), p, f.numpy(), config) for p, f in zip(handles, references, strict=True)]
        handles, errors = [p for p, _ in found], [e for _, e in found]
        gated = [config.confidence_gate is not None and error > config.confidence_gate for error in errors]
        step = Slow(current.detach(), list(handles), errors, gated)
        done.append(step)
        distances = [math.dist(p, t) for p, t in zip(handles, edit.targets, strict=True)]
        if all(distance <= stop(config, len(distances)) for distance in distances):
            return done
        if config.rest_distance is None:
            away = [distance > config.stop_distance for distance in distances]
        else:
            away = [distance >= config.rest_distance for distance in distances]
        loss = torch.zeros((), dtype=ws.dtype)
        for n, point in enumerate(handles):
            if away[n]:
                patch = first_image if gated[n] else None
                loss = loss + supervise(image, point, edit.targets[n], origins[n], patch, config)
        if fed is not None:
            if config.mask_norm == "fixed":
                fixed = fixed_loss(small, first_small, fed)
            else:
                change = (image - first_image).abs() * torch.from_numpy(~edit.mask)
                fixed = change.mean() if config.mask_norm == "mean" else change.sum()
            loss = loss + config.mask_weight * fixed
        difference.grad = None
        loss.backward()
        assert difference.grad is not None
        step.loss, step.gradient = float(loss.detach()), difference.grad.clone()
        rate = config.learning_rate * (config.gate_rate if any(gated) else 1.0)
        first_moment = 0.9 * first_moment + 0.1 * step.gradient
        second_moment = 0.999 * second_moment + 0.001 * step.gradient**2
        first, second = first_moment / (1 - 0.9**update), second_moment / (1 - 0.999**update)
        difference = (difference.detach() - rate * first / (second.sqrt() + 1e-8)).requires_grad_()
    return done


def latent(ws: Tensor, difference: Tensor, drag_rows: tuple[int, ...]) -> Tensor:
    """W: the one difference is added to every drag row; W+: each row has its own."""
    rows = []
    for row in range(ws.shape[1]):
        if row in drag_rows:
            own = 0 if len(difference) == 1 else drag_rows.index(row)
            rows.append(ws[0, row] + difference[own])
        else:
            rows.append(ws[0, row])
    return torch.stack(rows)[None]


def read(image, x: float, y: float):
    """An image-size map (tensor or array) at a fractional position, bilinearly; outside, the edge counts."""
    height, width = image.shape[1:]
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = math.floor(x), math.floor(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    upper = (left + 1 - x) * image[:, top, left] + (x - left) * image[:, top, right]
    lower = (left + 1 - x) * image[:, bottom, left] + (x - left) * image[:, bottom, right]
    return (top + 1 - y) * upper + (y - top) * lower


def stop(config, points: int) -> float:
    return config.crowded_stop_distance if config.preset == "paper" and points > 5 else config.stop_distance


def track(image: np.ndarray, point: Point, reference: np.ndarray, config) -> tuple[Point, float]:
    """The position in the square whose feature is nearest to the reference (Pan et al. 2023, eq. 2), and e_i."""
    height, width = image.shape[1:]
    best, nearest, error, radius = point, math.inf, math.nan, config.tracking_radius
    for down in range(-radius, radius + 1):
        for across in range(-radius, radius + 1):
            x, y = point[0] + across, point[1] + down
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            difference = read(image, x, y) - reference
            away = float(np.abs(difference).sum() if config.tracking_norm == "L1" else np.linalg.norm(difference))
            if away < nearest:
                best, nearest, error = (x, y), away, float(np.linalg.norm(difference))
    return best, error / float(np.linalg.norm(reference))


def supervise(image: Tensor, point: Point, target: Point, origin: Point, start: Tensor | None, config) -> Tensor:
    """Mean over channels and the disc of |sg[F(q)] - F(q + d)| (Pan et al. 2023, eq. 1).

    `start` is the first image-size map: then the patch around the origin is wanted instead of the current one.
    """
    height, width = image.shape[1:]
    length = math.dist(point, target)
    shift = [config.step_length * (t - p) / length if length else 0.0 for p, t in zip(point, target, strict=True)]
    reach = math.ceil(config.supervision_radius)
    terms = []
    if config.disc == "official":
        across, down = torch.linspace(0, width, width).double(), torch.linspace(0, height, height).double()
        for j in range(height):
            for i in range(width):
                if math.hypot(across[i] - point[0], down[j] - point[1]) < config.supervision_radius:
                    terms.append((read(image.detach(), i, j) - read(image, i + shift[0], j + shift[1])).abs())
        return torch.stack(terms).mean()
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            x, y = point[0] + across, point[1] + down
            outside = not (0 <= x <= width - 1 and 0 <= y <= height - 1)
            if outside or not math.hypot(across, down) < config.supervision_radius:
                continue
            wanted = read(image.detach(), x, y) if start is None else read(start, origin[0] + across, origin[1] + down)
            terms.append((wanted - read(image, x + shift[0], y + shift[1])).abs())
    return torch.stack(terms).sum() if config.motion_norm == "sum" else torch.stack(terms).mean()


def fed_pixels(size: tuple[int, int], mask) -> Tensor:
    """How many fixed pixels (mask 0) each feature cell feeds, by the upsampling of one cell at a time."""
    fixed = torch.from_numpy(~mask).double()
    fed = torch.zeros(size, dtype=torch.float64)
    for row in range(size[0]):
        for column in range(size[1]):
            one = torch.zeros(1, 1, *size, dtype=torch.float64)
            one[0, 0, row, column] = 1.0
            spread = F.interpolate(one, size=fixed.shape, mode="bilinear", align_corners=False)[0, 0]
            fed[row, column] = (spread * fixed).sum()
    return fed


def fixed_loss(small: Tensor, first: Tensor, fed: Tensor) -> Tensor:
    """|F - F0| at feature resolution, each cell weighted by the fixed pixels it feeds, as a mean over those."""
    return ((small - first).abs().mean(dim=0) * fed.to(small.dtype)).sum() / fed.sum().to(small.dtype)
