"""Latents of a drag: distance travelled, principal components of W, interpolation, a drag's change on other seeds.

Functions that return latents for a generator return a tensor on its device (for `generator.image(ws)` or
`DragSession(G, ws=ws)`); the other functions return NumPy arrays.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.counts import counted
from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.generators.generator import Generator
from draggan_widget.inspection.pca import principal_components
from draggan_widget.inspection.records import require_steps
from draggan_widget.torch_modes import in_own_modes

BATCH = 1000  # z in one call of the mapping network


def travelled(record: DragRecord) -> Float[np.ndarray, "steps num_ws"]:
    """Distance (L2 norm) of each row of the latent from the same row at the record's first step, at every step.

    An empty record gives an empty array.
    """
    ws = record.ws
    return np.linalg.norm(ws - ws[:1], axis=2)


@dataclass(frozen=True, eq=False)
class WComponents:
    """Mean and principal components of W, from the latents of many seeds.

    Attributes:
        mean: mean of w.
        components: unit vectors, the direction of most variance first.
        variance: variance of w along each component.

    Examples:
        >>> from draggan_widget import load_generator
        >>> generator = load_generator("heads")
        >>> components = WComponents.fit(generator, samples=2000)
        >>> components.project(generator.ws_from_seed(3)).shape == (1, generator.num_ws, generator.w_dim)
        True
    """

    mean: Float[np.ndarray, " w_dim"]
    components: Float[np.ndarray, "w_dim w_dim"]
    variance: Float[np.ndarray, " w_dim"]

    @classmethod
    @in_own_modes
    def fit(cls, generator: Generator, samples: int = 10_000, seed: int = 0) -> "WComponents":
        """Map random z without truncation and decompose the covariance of the resulting w exactly.

        Args:
            generator: generator with the mapping network; a conditional one is given its classes in turn.
            samples: number of z; with w_dim or fewer, some components are arbitrary.
            seed: seed of `numpy.random.RandomState`, which draws z; the same seed and number give the same components.

        Raises:
            ConfigError: `samples` is below 2, or the seed is out of range.
        """
        if samples < 2:
            raise ConfigError(f"samples is {samples}; expected at least 2")
        if not 0 <= seed < 2**32:
            raise ConfigError(f"seed is {seed}; expected a whole number from 0 to 2**32 - 1")
        return cls(*principal_components(_sample_w(generator, samples, np.random.RandomState(seed))))

    @property
    def explained(self) -> Float[np.ndarray, " w_dim"]:
        """Share of the variance of w along each component; they sum to 1."""
        return self.variance / self.variance.sum()

    def project(self, ws: Float[Tensor, "*rows w_dim"] | Float[np.ndarray, "*rows w_dim"]) -> np.ndarray:
        """Coordinates of latents along the components, measured from the mean.

        Args:
            ws: latents with any number of leading axes: (w_dim,), (steps, w_dim), (steps, num_ws, w_dim).

        Returns:
            Array of the same shape; its last axis holds the w_dim coordinates, the one of most variance first. Divide
            them by `variance ** 0.5` to get standard deviations.

        Raises:
            ConfigError: the latents have another w_dim.
        """
        values = ws.detach().cpu().numpy() if isinstance(ws, Tensor) else np.asarray(ws)
        if values.shape[-1] != len(self.mean):
            raise ConfigError(f"ws has shape {values.shape}; expected {len(self.mean)} numbers along its last axis")
        return (values - self.mean) @ self.components.T


@in_own_modes
def between(record: DragRecord, a: int, b: int, count: int) -> Float[Tensor, "count num_ws w_dim"]:
    """Latents on the straight line between two steps, both ends included.

    Args:
        record: record of a drag.
        a: position in the record of the step at which the line starts; negative positions count from the end.
        b: position of the step at which the line ends.
        count: number of latents, at least 2.

    Raises:
        RecordError: the record has no such step.
        ConfigError: `count` is below 2.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> pictures = [session.generator.image(ws[None]) for ws in between(session.record, 0, -1, count=5)]
        >>> len(pictures)
        5
    """
    if count < 2:
        raise ConfigError(f"count is {count}; expected at least 2: both ends are included")
    for position in (a, b):
        if not -len(record) <= position < len(record):
            raise RecordError(f"position is {position}; the record has {counted(len(record), 'step')}, counted from 0")
    first, last = record[a].ws, record[b].ws
    shares = torch.linspace(0.0, 1.0, count, dtype=first.dtype, device=first.device)[:, None, None]
    return torch.lerp(first, last, shares)


@in_own_modes
def edit_delta(record: DragRecord) -> Float[Tensor, "num_ws w_dim"]:
    """The change that a drag made to the latent: the last latent minus the first.

    Raises:
        RecordError: the record is empty.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> delta = edit_delta(session.record)
        >>> other = DragSession(session.generator, ws=apply_delta(session.generator, delta, seed=8))
    """
    record = require_steps(record)
    return (record[-1].ws - record[0].ws)[0]


@in_own_modes
def apply_delta(
    generator: Generator,
    delta: Float[Tensor, "..."] | np.ndarray,
    seed: int,
    truncation_psi: float = 0.7,
    strength: float = 1.0,
) -> Float[Tensor, "1 num_ws w_dim"]:
    """The latent of another seed, changed as a drag changed its own latent; example at `edit_delta`.

    With a conditional generator use `generator.ws_from_seed(seed, truncation_psi, label) + delta` instead.

    Args:
        generator: generator of the drag.
        delta: change of the latent from `edit_delta`, (num_ws, w_dim).
        seed: seed of the other latent.
        truncation_psi: truncation psi of the other latent.
        strength: factor of the delta; a negative one edits in the opposite direction.

    Raises:
        ConfigError: the delta has another shape than the generator's latents, or the seed is out of range.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> from draggan_widget.inspection import edit_delta
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> ws = apply_delta(session.generator, edit_delta(session.record), seed=8, strength=-1.0)
        >>> picture = session.generator.image(ws)
    """
    expected = (generator.num_ws, generator.w_dim)
    if tuple(delta.shape) != expected:
        raise ConfigError(f"the delta has shape {tuple(delta.shape)}; {generator.name} expects {expected}")
    ws = generator.ws_from_seed(seed, truncation_psi)
    return ws + strength * torch.as_tensor(delta, dtype=ws.dtype, device=ws.device)


@torch.no_grad()
def _sample_w(generator: Generator, samples: int, random: np.random.RandomState) -> Float[np.ndarray, "samples w_dim"]:
    found = []
    for first in range(0, samples, BATCH):
        numbers = range(first, min(first + BATCH, samples))
        z = torch.from_numpy(random.randn(len(numbers), generator.z_dim)).to(generator.device, generator.dtype)
        found.append(generator.mapping(z, c=_one_hot_classes(generator, numbers))[:, 0].cpu().double().numpy())
    return np.concatenate(found)


def _one_hot_classes(generator: Generator, numbers: range) -> Tensor | None:
    if generator.c_dim == 0:
        return None
    labels = torch.tensor([number % generator.c_dim for number in numbers], device=generator.device)
    return torch.nn.functional.one_hot(labels, generator.c_dim).to(generator.dtype)
