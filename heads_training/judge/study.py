"""Drags at one or several settings; each row is saved at once."""

import json
import math
import time

from heads_training.judge import drags, rows, tasks
from heads_training.judge.subject import Subject

FIRST = 24  # drags for each setting: every place in every direction
SWEEP: tuple[dict[str, object], ...] = (  # differences from the generator's own configuration
    {},
    {"rows": 4},
    {"rows": 8},
    {"latent_space": "W"},
    {"block": 2},
    {"block": 4},
    {"learning_rate": 5e-3},
    {"learning_rate": 1e-2},
    {"learning_rate": 2e-2},
    {"supervision_radius": 3.0},
    {"supervision_radius": 4.0},
    {"tracking_radius": 6},
    {"tracking_radius": 8},
    {"mean_removal": 1.0},
    {"confidence_gate": 0.4},
)


def run_drags(
    subject: Subject, settings: list[dict[str, object]], count: int, minutes: float = math.inf
) -> list[drags.Row]:
    """Make the first `count` drags at each setting, or as many as time allows; saved rows are not made again."""
    path, started = subject.out / "drags.csv", time.monotonic()
    done = {(row.of, row.setting, row.task): row for row in rows.read(path, drags.Row)}
    finder, found = tasks.LandmarkFinder(subject.generator, subject.regressor), []
    for plan in tasks.plans(count):
        task = None
        for changes in settings:
            key = (subject.checksums, setting_name(changes), plan.index)
            if key not in done and time.monotonic() - started > 60 * minutes:
                continue
            if key not in done:
                task = task or finder.task(plan)
                if task is None:
                    break
                done[key] = drags.label(drags.run(finder, task, changes), subject.checksums, setting_name(changes))
                rows.append(path, done[key])
            found.append(done[key])
    return found


def setting_name(changes: dict[str, object]) -> str:
    """A setting as text; "" for the generator's own configuration."""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in changes.items())
