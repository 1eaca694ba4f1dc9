"""The landmark study: `make study-landmarks`, or `python -m benchmarks.landmarks --settings default official`.

Each row is saved when its drag is done, so that an interrupted run resumes.
"""

import argparse
import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from draggan_widget import DragConfig, Generator, load_generator
from draggan_widget.evaluation.faces import FIVE, NOSE_TIP
from draggan_widget.evaluation.landmarks import Judge, Row, Task

FIRST_PAIR = 500  # pair p has the faces of seeds 2 p and 2 p + 1
MAX_STEPS = 150
TASKS = {"nose": (NOSE_TIP,), "five": FIVE}
FAR = "nose 40"  # the nose tip goes 40 px to the right, in odd pairs to the left
FAR_PAIRS = 20
SETTINGS: dict[str, tuple[str, dict[str, float]]] = {
    "default": ("default", {}),
    "without mean removal": ("default", {"mean_removal": 0.0, "confidence_gate": 0.4}),
    "paper": ("paper", {}),
    "official": ("official", {}),
    "official, rate 2e-3": ("official", {"learning_rate": 2e-3}),
    "official, rate 4e-3": ("official", {"learning_rate": 4e-3}),
    "official, rate 8e-3": ("official", {"learning_rate": 8e-3}),
}


def config_of(generator: Generator, setting: str) -> DragConfig:
    preset, changes = SETTINGS[setting]
    return DragConfig.for_generator(generator, preset).replace(max_steps=MAX_STEPS, **changes)


def tasks(judge: Judge, pairs: int) -> Iterator[Task]:
    for pair in range(FIRST_PAIR, FIRST_PAIR + pairs):
        for name, landmarks in TASKS.items():
            task = judge.pair_task(name, pair, landmarks)
            if task is not None:
                yield task
    for pair in range(FIRST_PAIR, FIRST_PAIR + min(pairs, FAR_PAIRS)):
        task = judge.shift_task(FAR, pair, NOSE_TIP, (-40.0 if pair % 2 else 40.0, 0.0))
        if task is not None:
            yield task


def read_rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        kinds = {field.name: field.type for field in dataclasses.fields(Row)}
        return [Row(**{name: kinds[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]


def append(path: Path, row: Row) -> None:
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Row)])
        if fresh:
            writer.writeheader()
        writer.writerow(dataclasses.asdict(row))


def table(rows: list[Row]) -> str:
    head = "| setting | task | n | no edit, px | after, px | ratio | within 5 / 10 px | steps | s "
    lines = [head + "| identity | brightness | feature distance, most |", "|" + "---|" * 12]
    for setting, task in dict.fromkeys((row.setting, row.task) for row in rows):
        own = [row for row in rows if (row.setting, row.task) == (setting, task)]
        after = np.array([row.after for row in own])
        mean = {
            f.name: np.nanmean([getattr(r, f.name) for r in own]) for f in dataclasses.fields(Row) if f.type is float
        }
        steps = np.mean([row.steps for row in own])
        lines.append(
            f"| {setting} | {task} | {len(own)} | {mean['before']:.1f} | {mean['after']:.2f} "
            f"| {mean['after'] / mean['before']:.3f} | {np.mean(after <= 5):.2f} / {np.mean(after <= 10):.2f} "
            f"| {steps:.0f} | {mean['seconds']:.1f} | {mean['identity']:.2f} | {mean['brightness']:+.1f} "
            f"| {max(row.feature_distance for row in own):.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the missing drags, and print the table of all rows in the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", nargs="+", default=["default"], choices=SETTINGS)
    parser.add_argument("--tasks", nargs="+", default=[*TASKS, FAR], choices=[*TASKS, FAR])
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--rows", type=Path, default=Path("landmarks.csv"))
    chosen = parser.parse_args()
    judge = Judge(load_generator("mobilestylegan-ffhq"))
    done = {(row.setting, row.task, row.pair) for row in read_rows(chosen.rows)}
    for task in tasks(judge, chosen.pairs):
        for setting in chosen.settings:
            if task.name in chosen.tasks and (setting, task.name, task.pair) not in done:
                append(chosen.rows, judge.run(task, setting, config_of(judge.generator, setting)))
    print(table(read_rows(chosen.rows)))


if __name__ == "__main__":
    main()
