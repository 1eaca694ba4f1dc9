"""When a drag is over: arrived, cap, stalled or lost."""

from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from draggan_widget.engine.config import DragConfig

Ending = Literal["arrived", "cap", "stalled", "lost"]

ADVICE: dict[str, str] = {
    "arrived": "Every point has reached its target.",
    "cap": "The step cap was reached: start again to go on, raise the cap, or bring the targets nearer.",
    "stalled": "No point came nearer for a while: try a nearer target, fewer points, a smaller fixed part or W+.",
    "lost": "The tracker lost a point: undo, then take the handle on a clearer detail or drag in smaller moves.",
}


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
