"""Latents as numbers: how far rows travelled, principal components of W, ways between steps, an edit on another seed.

What a generator can draw comes as a tensor on its device (`generator.image(ws)`, `DragSession(G, ws=ws)`), what one
looks at as a NumPy array.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.generators.generator import Generator
from draggan_widget.inspection.pca import principal
from draggan_widget.inspection.records import not_empty

BATCH = 1000  # z mapped at once


def travelled(record: DragRecord) -> Float[np.ndarray, "steps num_ws"]:
    """How far each row of the latent is from where it was at the record's first step, at every step (L2 norm)."""
    ws = record.ws
    return np.linalg.norm(ws - ws[:1], axis=2)


@dataclass(frozen=True, eq=False)
class WComponents:
    """Mean and principal components of W, from latents of many seeds.

    Attributes:
        mean: of w.
        components: unit vectors, the direction of most variance first.
        variance: of w along each component.
    """

    mean: Float[np.ndarray, " w_dim"]
    components: Float[np.ndarray, "w_dim w_dim"]
    variance: Float[np.ndarray, " w_dim"]

    @classmethod
    def fit(cls, generator: Generator, samples: int = 10_000, seed: int = 0) -> "WComponents":
        """Map z drawn at random, without truncation, and decompose their covariance exactly.

        Args:
            generator: whose W; of a conditional one the classes take turns.
            samples: how many z; more than w_dim, or some components are arbitrary.
            seed: of `numpy.random.RandomState`, which draws z; the same numbers give the same components.

        Raises:
            ConfigError: too few samples, or the seed is out of range.
        """
        if samples < 2:
            raise ConfigError(f"samples is {samples}; expected at least 2")
        if not 0 <= seed < 2**32:
            raise ConfigError(f"seed is {seed}; expected a whole number from 0 to 2**32 - 1")
        return cls(*principal(_sampled(generator, samples, np.random.RandomState(seed))))

    @property
    def explained(self) -> Float[np.ndarray, " w_dim"]:
        """Share of the variance of w along each component; they sum to 1."""
        return self.variance / self.variance.sum()

    def project(self, ws: Float[Tensor, "*rows w_dim"] | Float[np.ndarray, "*rows w_dim"]) -> np.ndarray:
        """Coordinates of latents along the components, from the mean.

        Args:
            ws: any number of leading axes: (w_dim,), (steps, w_dim), (steps, num_ws, w_dim).

        Returns:
            The same axes, with w_dim coordinates, the one of most variance first. Divide by `variance ** 0.5` for
            standard deviations.

        Raises:
            ConfigError: the latents have another w_dim.
        """
        values = ws.detach().cpu().numpy() if isinstance(ws, Tensor) else np.asarray(ws)
        if values.shape[-1] != len(self.mean):
            raise ConfigError(f"ws has shape {values.shape}; expected {len(self.mean)} numbers along its last axis")
        return (values - self.mean) @ self.components.T


def between(record: DragRecord, a: int, b: int, count: int) -> Float[Tensor, "count num_ws w_dim"]:
    """Latents on the straight way between two steps, both ends among them.

    Args:
        record: of a drag.
        a: position of the first step in the record; negative ones count from the end.
        b: of the last.
        count: how many latents, at least 2.

    Raises:
        RecordError: the record has no such step.
        ConfigError: fewer than 2.
    """
    if count < 2:
        raise ConfigError(f"count is {count}; expected at least 2: both ends are among them")
    for position in (a, b):
        if not -len(record) <= position < len(record):
            raise RecordError(f"position is {position}; the record has {len(record)} steps, counted from 0")
    first, last = record[a].ws, record[b].ws
    shares = torch.linspace(0.0, 1.0, count, dtype=first.dtype, device=first.device)[:, None, None]
    return torch.lerp(first, last, shares)


def edit_delta(record: DragRecord) -> Float[Tensor, "num_ws w_dim"]:
    """What the drag did to the latent: the last minus the first.

    Raises:
        RecordError: the record is empty.
    """
    record = not_empty(record)
    return (record[-1].ws - record[0].ws)[0]


def apply_delta(
    generator: Generator,
    delta: Float[Tensor, "..."] | np.ndarray,
    seed: int,
    truncation_psi: float = 0.7,
    strength: float = 1.0,
) -> Float[Tensor, "1 num_ws w_dim"]:
    """The latent of another seed with an edit's delta added.

    Of a conditional generator take `generator.ws_from_seed(seed, truncation_psi, label) + delta` instead.

    Args:
        generator: the one the edit was made with.
        delta: of `edit_delta`, (num_ws, w_dim).
        seed: of the other latent.
        truncation_psi: of the other latent.
        strength: the delta is multiplied by it; negative ones lead the other way.

    Raises:
        ConfigError: the delta's shape is not the generator's, or the seed is out of range.
    """
    expected = (generator.num_ws, generator.w_dim)
    if tuple(delta.shape) != expected:
        raise ConfigError(f"the delta has shape {tuple(delta.shape)}; {generator.name} expects {expected}")
    ws = generator.ws_from_seed(seed, truncation_psi)
    return ws + strength * torch.as_tensor(delta, dtype=ws.dtype, device=ws.device)


@torch.no_grad()
def _sampled(generator: Generator, samples: int, random: np.random.RandomState) -> Float[np.ndarray, "samples w_dim"]:
    found = []
    for first in range(0, samples, BATCH):
        numbers = range(first, min(first + BATCH, samples))
        z = torch.from_numpy(random.randn(len(numbers), generator.z_dim)).to(generator.device, generator.dtype)
        found.append(generator.mapping(z, c=_classes(generator, numbers))[:, 0].cpu().double().numpy())
    return np.concatenate(found)


def _classes(generator: Generator, numbers: range) -> Tensor | None:
    if generator.c_dim == 0:
        return None
    labels = torch.tensor([number % generator.c_dim for number in numbers], device=generator.device)
    return torch.nn.functional.one_hot(labels, generator.c_dim).to(generator.dtype)
