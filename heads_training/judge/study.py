"""Many drags at one setting or several; rows are kept as they are made."""

import json
import math
import time

from heads_training.judge import drags, rows, tasks
from heads_training.judge.subject import Subject

FIRST = 24  # drags of each setting: every place in every direction
SWEEP: tuple[dict[str, object], ...] = (  # each beside the generator's own configuration, which {} stands for
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


def dragged(
    subject: Subject, settings: list[dict[str, object]], count: int, minutes: float = math.inf
) -> list[drags.Row]:
    """The first so many drags at each setting, or as many as time allows; rows that are there are not made again."""
    path, started = subject.out / "drags.csv", time.monotonic()
    done = {(row.of, row.setting, row.task): row for row in rows.read(path, drags.Row)}
    looker, found = tasks.Looker(subject.generator, subject.regressor), []
    for plan in tasks.plans(count):
        task = None
        for changes in settings:
            key = (subject.of, name_of(changes), plan.index)
            if key not in done and time.monotonic() - started > 60 * minutes:
                continue
            if key not in done:
                task = task or looker.task(plan)
                if task is None:
                    break
                done[key] = drags.labelled(drags.run(looker, task, changes), subject.of, name_of(changes))
                rows.append(path, done[key])
            found.append(done[key])
    return found


def name_of(changes: dict[str, object]) -> str:
    """A setting as text: "" for the generator's own."""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in changes.items())
