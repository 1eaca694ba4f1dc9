"""Whole drags by windows and by the whole map: `python -m benchmarks.drags --json FILE`.

The nose tip of a face is dragged a twelfth of the picture to one side, with each generator's own settings; the two
drags take their steps in turns in one process with one thread, without pictures. The nose tip is then found in the last
picture: by dlib on faces (the extra "study"), by the regressor of `make heads-judge` on drawn heads.
"""

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import save_rows, timed
from draggan_widget import DragConfig, Edit, Generator, drag, load_generator
from draggan_widget.engine.step import DragStep
from draggan_widget.engine.step_windows import step_windows
from draggan_widget.evaluation.faces import NOSE_TIP, SIDE, FaceDetector
from draggan_widget.geometry import Point, distance
from heads_training import regressor

FIRST_SEED = 1000
LENGTH = 1 / 12  # share of the picture's side: distance from handle to target
REGRESSOR = Path("heads_training/runs/regressor/regressor.safetensors")
Finder = Callable[[np.ndarray], Point | None]  # finds the nose tip of a picture, image px


def face_finder(generator: Generator) -> Finder:
    """A finder by dlib, which sees the picture at 512 px."""
    detector, scale = FaceDetector(), generator.resolution / SIDE

    def find(pixels: np.ndarray) -> Point | None:
        seen = detector.landmarks(pixels)
        return None if seen is None else tuple((seen[NOSE_TIP] + 0.5) * scale - 0.5)

    return find


def head_finder(file: Path) -> Finder:
    """A finder by the regressor."""
    judge = regressor.load(file)
    index = judge.names.index("nose_tip")

    def find(pixels: np.ndarray) -> Point:
        picture = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
        x, y = judge.landmarks(picture)[0][0, index].tolist()
        return x, y

    return find


def task(generator: Generator, find: Finder, seed: int) -> tuple[Tensor, Edit] | None:
    """The start latent and the edit of a seed; None if no face is found."""
    ws = generator.ws_from_seed(seed, 0.7)
    found = find(_pixels(generator, ws))
    if found is None:
        return None
    x, y = (float(round(value)) for value in found)
    dx = round(LENGTH * generator.resolution) * (1 if x < generator.resolution / 2 else -1)
    return ws, Edit([(x, y)], [(x + dx, y)])


def run_both(generator: Generator, ws: Tensor, edit: Edit, find: Finder) -> list[dict[str, Any]]:
    """Run the drag by the whole map and by windows (`now`), in turns."""
    config = DragConfig.for_generator(generator)
    running = {False: drag(generator, ws, edit, config), True: drag(generator, ws, edit, config)}
    took: dict[bool, list[tuple[float, float, bool]]] = {False: [], True: []}
    last: dict[bool, DragStep] = {}
    while running:
        for now, steps in list(running.items()):
            with patch.object(generator, "windows_pay", generator.windows_pay if now else lambda *_: False):
                before = last.get(now)
                windows = None if before is None else step_windows(generator, before.references, edit, config)
                step = timed(lambda steps=steps: next(steps), generator.device)
            last[now] = step.result
            took[now].append((step.ms, step.wall_ms, windows is not None))
            if step.result.ended is not None:
                del running[now]
    return [_row(now, last[now], took[now], find) for now in took]


def _row(now: bool, last: DragStep, took: list[tuple[float, float, bool]], find: Finder) -> dict[str, Any]:
    found = find(last.pixels())
    return {
        "now": now,
        "steps": last.index,
        "ended": str(last.ended),
        "seconds": sum(ms for ms, _, _ in took) / 1000,
        "wall_seconds": sum(ms for _, ms, _ in took) / 1000,
        "by_windows": sum(windows for *_, windows in took) / len(took),
        "handle_px": last.distances[0],
        "landmark_px": None if found is None else distance(found, last.targets[0]),
    }


def _pixels(generator: Generator, ws: Tensor) -> np.ndarray:
    return np.asarray(((generator.image(ws)[0] * 127.5 + 128).clamp(0, 255)).byte().permute(1, 2, 0).cpu())


HEAD = (
    "| generator | way | drags, arrived | steps by windows | steps | steps a second | s to the end (wall) | handle to "
    "target, px | landmark to target, px |\n|---|---|---|---|---|---|---|---|---|"
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Medians for each generator, by the whole map and by windows; distances are means."""
    lines = [HEAD]
    for name, now in dict.fromkeys((row["generator"], row["now"]) for row in rows):
        own = [row for row in rows if (row["generator"], row["now"]) == (name, now)]
        medians = {key: statistics.median(row[key] for row in own) for key in ("steps", "seconds", "wall_seconds")}
        rate = statistics.median(row["steps"] / row["seconds"] for row in own)
        seen = [row["landmark_px"] for row in own if row["landmark_px"] is not None]
        lines.append(
            f"| {name} | {'now' if now else 'whole map'} | {len(own)}, {sum(r['ended'] == 'arrived' for r in own)} | "
            f"{statistics.mean(row['by_windows'] for row in own):.0%} | {medians['steps']:.0f} | {rate:.1f} | "
            f"{medians['seconds']:.1f} ({medians['wall_seconds']:.1f}) | "
            f"{statistics.mean(row['handle_px'] for row in own):.2f} | {statistics.mean(seen or [math.nan]):.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table; with --json also save the rows, and the table beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=["heads", "mobilestylegan-ffhq"])
    parser.add_argument("--drags", type=int, default=8)
    parser.add_argument("--regressor", type=Path, default=REGRESSOR)
    parser.add_argument("--json", type=Path, help="drags that are in it are not made again")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(chosen.json.read_text()) if chosen.json is not None and chosen.json.exists() else []
    for name in chosen.generators:
        generator = load_generator(name)
        find = head_finder(chosen.regressor) if name == "heads" else face_finder(generator)
        for seed in range(FIRST_SEED, FIRST_SEED + chosen.drags):
            if any((row["generator"], row["seed"]) == (name, seed) for row in rows):
                continue
            given = task(generator, find, seed)
            if given is None:
                continue
            rows += [{"generator": name, "seed": seed, **row} for row in run_both(generator, *given, find)]
            print(json.dumps(rows[-2:]), flush=True)
            save_rows(chosen.json, rows, table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
