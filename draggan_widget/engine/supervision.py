"""One optimisation step (Pan et al. 2023, eq. 1): terms of the loss, gradient in every row of the latent, Adam."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.adam import Adam
from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.errors import NotFinite
from draggan_widget.engine.mask import FixedPart, mask_loss
from draggan_widget.engine.motion import motion_loss
from draggan_widget.engine.references import References
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.geometry import distance, unit_vector


@dataclass(frozen=True)
class Supervision:
    """Loss values of one optimisation step; None and () where every point was at rest.

    Attributes:
        loss: L = L_motion + lambda L_fix.
        motion_losses: each point's term of L_motion; NaN for a point at rest.
        mask_loss: lambda L_fix; None where everything may move.
        gradient_norms: norm of dL/dw in each of the num_ws rows, also in those that a drag may not move.
    """

    loss: float | None = None
    motion_losses: tuple[float, ...] = ()
    mask_loss: float | None = None
    gradient_norms: tuple[float, ...] = ()


@dataclass(frozen=True)
class LossTerms:
    """The terms of L, with their graph.

    Attributes:
        motion: L_motion of each point; None for a point at rest.
        fixed: lambda L_fix; None where everything may move.
    """

    motion: tuple[Float[Tensor, ""] | None, ...]
    fixed: Float[Tensor, ""] | None


def is_gated(error: float, config: DragConfig) -> bool:
    """Whether a point with this tracking error is pulled toward its start patch (template supervision)."""
    return config.confidence_gate is not None and error > config.confidence_gate


def motion_terms(
    features: FeatureMap, references: References, edit: Edit, config: DragConfig, image_size: tuple[int, int]
) -> tuple[Float[Tensor, ""] | None, ...]:
    """Each point's motion loss; None for a point at rest."""
    terms: list[Tensor | None] = []
    for point, target in zip(references.points, edit.targets, strict=True):
        if config.rests(distance(point.position, target)):
            terms.append(None)
            continue
        x, y = unit_vector(point.position, target)
        shift = (x * config.step_length, y * config.step_length)
        terms.append(motion_loss(features, point, shift, config, image_size, is_gated(point.error, config)))
    return tuple(terms)


def fixed_term(
    features: FeatureMap, references: References, config: DragConfig, fixed: FixedPart | None
) -> Float[Tensor, ""] | None:
    """Lambda L_fix; None where everything may move."""
    return None if fixed is None else config.mask_weight * mask_loss(features, references.start, fixed)


class LatentOptimizer:
    """Adam on the difference between the current latent and the start latent.

    Attributes:
        leaf: the difference, zeros at first: (1, w_dim) for all drag rows together, or one row for each.
        rows: the rows of the latent that the leaf is added to.
    """

    def __init__(self, leaf: Float[Tensor, "_ w_dim"], rows: tuple[int, ...]):
        self.leaf, self.rows = leaf, rows
        self._adam = Adam(leaf)

    def step(self, ws: Float[Tensor, "1 num_ws w_dim"], terms: LossTerms, rate: float, index: int) -> Supervision:
        """Change the leaf by one step of Adam.

        Args:
            ws: the latent that was made from the leaf, with its graph.
            terms: the terms of the loss at this latent.
            rate: learning rate of Adam.
            index: index of the drag's step, for the error text.

        Raises:
            NotFinite: the loss or its gradient is not finite; the leaf stays as it was.
        """
        given = [term for term in (*terms.motion, terms.fixed) if term is not None]
        if not given:
            return Supervision()
        with torch.enable_grad():
            total = torch.stack(given).sum()
        (gradient,) = torch.autograd.grad(total, ws)
        norms = torch.linalg.vector_norm(gradient[0], dim=1)
        loss, *values = torch.cat([torch.stack([total, *given]).detach(), norms]).tolist()  # one copy from the device
        if not all(math.isfinite(value) for value in (loss, *values)):
            raise NotFinite("loss or gradient", index, index)
        moved = gradient[0, list(self.rows)]
        self._adam.step(moved if moved.shape == self.leaf.shape else moved.sum(0, keepdim=True), rate)
        rest = iter(values)
        motion = tuple(math.nan if term is None else next(rest) for term in terms.motion)
        fixed = None if terms.fixed is None else next(rest)
        return Supervision(loss, motion, fixed, tuple(rest))
