"""Face landmark manipulation (Pan et al. 2023, table 1): drag the landmarks of one face to those of another.

Differs from the paper: 1. landmarks are dlib's; 2. psi, the seeds, the dragged landmarks and the cap are stated with
every figure; 3. identity, brightness and a feature distance are reported besides the landmark distance.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.loop import drag
from draggan_widget.engine.step import DragStep
from draggan_widget.evaluation.faces import SIDE, FaceDetector
from draggan_widget.generators.generator import Generator
from draggan_widget.images import to_uint8

PSI = 0.7
POPULATION = range(5000, 5064)  # seeds of the faces whose features count as usual


@dataclass(frozen=True)
class Task:
    """One drag of the study.

    Attributes:
        name: name of the kind of task: "nose", "five", "nose+40", ...
        pair: number of the pair of faces.
        seed: seed of the face that is dragged.
        landmarks: dlib's indices of the dragged landmarks.
        start: positions of these landmarks before the drag, as dlib finds them, (x, y) in 512-px coordinates.
        goal: positions to which they are dragged, (x, y) in 512-px coordinates.
    """

    name: str
    pair: int
    seed: int
    landmarks: tuple[int, ...]
    start: Float[np.ndarray, "points 2"]
    goal: Float[np.ndarray, "points 2"]


@dataclass(frozen=True)
class Row:
    """The result of one drag, a row of the study's table.

    Attributes:
        setting: name of the drag's settings.
        task: name of the task.
        pair: number of the pair of faces.
        before: mean distance of the landmarks from their goals before the drag, px in 512-px coordinates.
        after: the same after the drag, with the landmarks found anew by dlib; NaN where it finds no face.
        steps: number of steps of the drag.
        seconds: wall-clock time of the drag without pictures.
        ended: why the drag was over.
        identity: distance between the identity embeddings before and after; NaN where dlib finds no face.
        brightness: change of the mean grey level, of 255.
        feature_distance: `Judge.feature_distance` of the last latent.
    """

    setting: str
    task: str
    pair: int
    before: float
    after: float
    steps: int
    seconds: float
    ended: str
    identity: float
    brightness: float
    feature_distance: float


class Judge:
    """Makes the tasks of the study and measures drags on one generator."""

    def __init__(self, generator: Generator):
        self.generator = generator
        self.detector = FaceDetector()
        self.scale = generator.resolution / SIDE
        self._usual: tuple[Tensor, Tensor] | None = None

    def pixels(self, ws: Tensor) -> np.ndarray:
        """The picture of a latent."""
        return to_uint8(self.generator.image(ws)[0])

    def ws(self, seed: int) -> Tensor:
        """The latent of a seed at the study's psi."""
        return self.generator.ws_from_seed(seed, PSI)

    def pair_task(self, name: str, pair: int, landmarks: Sequence[int]) -> Task | None:
        """Drag landmarks of face 2 * pair to those of face 2 * pair + 1; None when dlib does not find both faces."""
        seed = 2 * pair
        seen = [self.detector.landmarks(self.pixels(self.ws(s))) for s in (seed, seed + 1)]
        if seen[0] is None or seen[1] is None:
            return None
        index = list(landmarks)
        return Task(name, pair, seed, tuple(landmarks), seen[0][index], seen[1][index])

    def shift_task(self, name: str, pair: int, landmark: int, shift: tuple[float, float]) -> Task | None:
        """Drag one landmark by (x, y) px in 512-px coordinates; None when dlib finds no face."""
        seen = self.detector.landmarks(self.pixels(self.ws(2 * pair)))
        if seen is None:
            return None
        start = seen[[landmark]]
        return Task(name, pair, 2 * pair, (landmark,), start, start + np.array(shift))

    def run(self, task: Task, setting: str, config: DragConfig) -> Row:
        """Drag and measure the result."""
        first, last, seconds = self._drag(task, config)
        before, after = first.pixels(), last.pixels()
        seen = self.detector.landmarks(after)
        index = list(task.landmarks)
        return Row(
            setting=setting,
            task=task.name,
            pair=task.pair,
            before=_mean_distance(task.start, task.goal),
            after=float("nan") if seen is None else _mean_distance(seen[index], task.goal),
            steps=last.index,
            seconds=seconds,
            ended=str(last.ended),
            identity=self._identity(before, after),
            brightness=float(after.mean() - before.mean()),
            feature_distance=self.feature_distance(last.ws),
        )

    def _drag(self, task: Task, config: DragConfig) -> tuple[DragStep, DragStep, float]:
        edit = Edit(self._image_px(task.start), self._image_px(task.goal))
        began = time.perf_counter()
        steps = drag(self.generator, self.ws(task.seed), edit, config)
        first = last = next(steps)
        for step in steps:
            last = step
        return first, last, time.perf_counter() - began

    def _image_px(self, points: np.ndarray) -> list[tuple[float, float]]:
        limit = self.generator.resolution - 1
        image = np.clip((points + 0.5) * self.scale - 0.5, 0, limit)
        return [(float(round(x)), float(round(y))) for x, y in image]

    def _identity(self, before: np.ndarray, after: np.ndarray) -> float:
        one, other = self.detector.identity(before), self.detector.identity(after)
        return float("nan") if one is None or other is None else float(np.linalg.norm(one - other))

    def feature_distance(self, ws: Tensor) -> float:
        """How unusual a picture's features are, in standard deviations of the population.

        The RMS over the channels' means and spreads. About 1 for faces of the generator; much larger for a collapsed
        picture, in which dlib may still find a face.
        """
        if self._usual is None:
            stats = torch.stack([self._statistics(self.ws(seed)) for seed in POPULATION])
            self._usual = (stats.mean(dim=0), stats.std(dim=0).clamp_min(1e-6))
        mean, spread = self._usual
        return float(((self._statistics(ws) - mean) / spread).square().mean().sqrt())

    def _statistics(self, ws: Tensor) -> Tensor:
        with torch.no_grad():
            values = self.generator.features(ws, self.generator.num_blocks - 3).whole.flatten(1)
        return torch.cat([values.mean(dim=1), values.std(dim=1)])


def _mean_distance(points: np.ndarray, goal: np.ndarray) -> float:
    return float(np.linalg.norm(points - goal, axis=1).mean())
