"""Measure how good a checkpoint of drawn heads is.

`python -m heads_training.judge CHECKPOINT --held-out FOLDER --regressor FILE [--train DATA] [--out FOLDER]` prints
the tables of all sections except the sweep; `--sections sweep` prints one line for each setting, over the first drags.
Features and drags are kept in the folder, and an interrupted run resumes from them.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch

from draggan_widget import load_generator
from heads_training.data import Pictures
from heads_training.judge import drags, sections, sheets, study, tasks
from heads_training.judge.subject import Subject, short_sha256
from heads_training.regressor import load

SECTIONS: dict[str, Callable[[Subject], str]] = {
    "likeness": sections.likeness,
    "frechet": sections.frechet,
    "diversity": sections.diversity,
    "landmarks": sections.landmarks,
    "sheets": sheets.sheets,
}
DRAGS, SWEEP = "drags", "sweep"


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--held-out", type=Path, required=True, help="data set of renders never trained on")
    parser.add_argument("--regressor", type=Path, required=True)
    parser.add_argument("--train", type=Path, help="training data set, for the floor and the nearest pictures")
    parser.add_argument("--out", type=Path, default=Path("judged"))
    parser.add_argument("--sections", nargs="+", choices=[*SECTIONS, DRAGS, SWEEP], default=[*SECTIONS, DRAGS])
    parser.add_argument(
        "--config", type=json.loads, default={}, help='settings of the drags, e.g. {"rows": 6, "learning_rate": 0.01}'
    )
    parser.add_argument("--settings", type=json.loads, default=list(study.SWEEP), help="settings of the sweep, a list")
    parser.add_argument("--first", type=int, help="number of drags; default 200, or 24 for each setting of a sweep")
    parser.add_argument("--minutes", type=float, default=math.inf, help="time for drags; the next run makes the rest")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    subject = Subject(
        load_generator(chosen.checkpoint, device="cpu"),
        Pictures(chosen.held_out),
        load(chosen.regressor),
        None if chosen.train is None else Pictures(chosen.train),
        chosen.out,
        f"{short_sha256(chosen.checkpoint)}-{short_sha256(chosen.regressor)}",
    )
    for name in chosen.sections:
        if name in SECTIONS:
            report(chosen.out, name, SECTIONS[name](subject))
    if DRAGS in chosen.sections:
        found = study.run_drags(subject, [chosen.config], chosen.first or tasks.COUNT, chosen.minutes)
        report(chosen.out, DRAGS, "\n\n".join(drags.table(found, by) for by in ("place", "direction")))
    if SWEEP in chosen.sections:
        found = study.run_drags(subject, chosen.settings, chosen.first or study.FIRST, chosen.minutes)
        report(chosen.out, SWEEP, drags.table(found, "setting"))


def report(out: Path, name: str, text: str) -> None:
    """Print a table, and keep it as NAME.md."""
    print(f"## {name}\n\n{text}\n", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
