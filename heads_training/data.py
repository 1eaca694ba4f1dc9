"""Pictures of a rendered data set, in batches; the set may still be growing."""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Pictures:
    """A data set of `heads_training.render.dataset`: pictures, the vectors they were drawn from, and their landmarks.

    Attributes:
        folder: folder of the data set.
        size: side of the pictures, px.
        vector_size: length of a vector.
        landmark_names: names in the order of the landmarks.
    """

    def __init__(self, folder: Path):
        about = json.loads((folder / "dataset.json").read_text())
        self.folder = folder
        self.pictures = np.load(folder / "pictures.npy", mmap_mode="r")
        self.vectors = np.load(folder / "vectors.npy")
        self.landmarks = np.load(folder / "landmarks.npy", mmap_mode="r")
        self.signs = torch.tensor(about["flip_signs"], dtype=torch.float32)
        self.landmark_names: list[str] = about["landmarks"]
        self.swap: list[int] = about["landmark_swap"]
        self.size, self.vector_size = self.pictures.shape[1], self.vectors.shape[1]

    def ready(self) -> np.ndarray:
        """Indices of the pictures drawn so far."""
        ranges = []
        for path in self.folder.glob("progress-*-of-*.txt"):
            index, of = (int(word) for word in path.stem.split("-")[1::2])
            start = len(self.vectors) * index // of
            ranges.append(np.arange(start, start + int(path.read_text())))
        return np.sort(np.concatenate(ranges))

    def open_mouths(self, start: int) -> np.ndarray:
        """Indices of the quarter with the widest mouths among the pictures drawn so far, from index `start` upward."""
        ready = self.ready()
        ready = ready[ready >= start]
        top, bottom = (self.landmark_names.index(name) for name in ("lip_top", "lip_bot"))
        gaps = np.linalg.norm(self.landmarks[:, bottom] - self.landmarks[:, top], axis=1)[ready]
        return ready[np.argsort(-gaps, kind="stable")[: math.ceil(len(ready) / 4)]]

    def take(self, indices: np.ndarray, size: int, flip: np.ndarray | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Read pictures (n, 3, size, size) in [-1, 1], vectors (n, d) and landmarks (n, k, 2) in px of `size`.

        Args:
            indices: indices of the pictures, (n,).
            size: side of the returned pictures, px; it divides that of the set.
            flip: True for each picture to mirror, (n,).
        """
        x = torch.from_numpy(self.pictures[indices]).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        if size != self.size:
            x = F.avg_pool2d(x, self.size // size)
        vectors = torch.from_numpy(self.vectors[indices])
        landmarks = (torch.from_numpy(self.landmarks[indices]) + 0.5) * (size / self.size) - 0.5
        if flip is not None and flip.any():
            which = torch.from_numpy(flip)
            x[which] = x[which].flip(3)
            vectors[which] = vectors[which] * self.signs
            mirrored = landmarks[which][:, self.swap]
            mirrored[..., 0] = size - 1 - mirrored[..., 0]
            landmarks[which] = mirrored
        return x, vectors, landmarks
