"""When a drag is over: arrived, cap, stalled or lost, and what to do then."""

from dataclasses import dataclass, field
from statistics import median
from typing import Literal

import torch

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.references import PointReference, References
from draggan_widget.generators.feature_map import read_point
from draggan_widget.geometry import distance

Ending = Literal["arrived", "cap", "stalled", "lost"]

SLIDE_ERROR = 0.1  # of ||f||; on the bundled heads a plain background lies below, and every detail above. Ours


def advice(ended: Ending, edit: Edit, config: DragConfig, slid: bool = False) -> str:
    """Why a drag has ended, in a sentence, and what a person can do about it.

    Args:
        ended: the reason in one word.
        edit: the edit that the drag pursued.
        config: the settings of the drag.
        slid: whether a point has slid along a plain part of the picture.
    """
    match ended:
        case "arrived":
            return "Every point has reached its target."
        case "cap":
            return "The step cap was reached: start again to go on, raise the cap, or bring the targets nearer."
        case "lost" if slid:
            return (
                "A point was lost: it slid along a plain part of the picture, where every place looks like its handle. "
                "Undo, then take the handle on a clearer detail, such as an edge or a corner."
            )
        case "lost":
            return "The tracker lost a point: undo, then take the handle on a clearer detail or drag in smaller moves."
        case "stalled":
            return f"No point came nearer for a while: try {_join_with_or(_remedies(edit, config))}."


def _remedies(edit: Edit, config: DragConfig) -> list[str]:
    """What can help a drag that has stalled; only what this drag does not have already."""
    remedies = ["a nearer target", "a handle on a clearer detail"]
    if len(edit) > 1:
        remedies.append("fewer points")
    if edit.mask is not None:
        remedies.append("a smaller fixed part")
    if config.latent_space == "W":
        remedies.append("the latent space W+")
    return remedies


def _join_with_or(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def has_slid(references: References, config: DragConfig, image_size: tuple[int, int]) -> bool:
    """Whether a point was tracked along a plain part of the picture.

    There the next place, one tracking radius further on its way, looked like the handle before the drag began. Such a
    point follows nothing: the tracker may even take it to its target although nothing was moved there. A point that is
    still nearer to its start is not judged.

    Args:
        references: the points as they were last tracked, and F0.
        config: the settings of the drag; the faithful presets never lose a point.
        image_size: (height, width) in px.
    """
    return config.loses_points and any(_is_slide(point, references, config, image_size) for point in references.points)


def _is_slide(point: PointReference, references: References, config: DragConfig, image_size: tuple[int, int]) -> bool:
    (x, y), (to_x, to_y) = point.taken_at, point.position
    moved = distance(point.taken_at, point.position)
    if moved <= config.tracking_radius:
        return False
    share = config.tracking_radius / moved
    ahead = (x + share * (to_x - x), y + share * (to_y - y))
    away = read_point(references.start, ahead, image_size) - point.feature
    return float(torch.linalg.vector_norm(away)) <= SLIDE_ERROR * float(torch.linalg.vector_norm(point.feature))


@dataclass
class TerminationCheck:
    """Decides whether a drag is over, from its steps since the edit last changed; local to one loop.

    Attributes:
        config: settings of the drag.
        distances: distance from each handle to its target, image px, at every step.
        errors: tracking error of each handle, at every step.
    """

    config: DragConfig
    distances: list[tuple[float, ...]] = field(default_factory=list)
    errors: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, distances: tuple[float, ...], errors: tuple[float, ...]) -> None:
        """Add the distances and tracking errors of one step."""
        self.distances.append(distances)
        self.errors.append(errors)

    def ending(self, step: int) -> Ending | None:
        """Why the drag is over at this step, or None; `step` counts from the start of the drag."""
        near = self.config.stop_distance_for(len(self.distances[-1]))
        if all(distance <= near for distance in self.distances[-1]):
            return "arrived"
        if step >= self.config.max_steps:
            return "cap"
        if self._is_lost():
            return "lost"
        return "stalled" if self._is_stalled() else None

    def _is_stalled(self) -> bool:
        window = self.config.stall_steps
        if len(self.distances) <= window:
            return False
        for point in range(len(self.distances[-1])):
            before = min(row[point] for row in self.distances[:-window])
            lately = min(row[point] for row in self.distances[-window:])
            if lately <= before - self.config.stall_distance:
                return False
        return True

    def _is_lost(self) -> bool:
        config = self.config
        if len(self.errors) < config.lost_baseline + config.lost_steps:
            return False
        for point in range(len(self.errors[-1])):
            early = median(row[point] for row in self.errors[: config.lost_baseline])
            limit = max(config.lost_factor * early, config.lost_error)
            if all(row[point] > limit for row in self.errors[-config.lost_steps :]):
                return True
        return False
