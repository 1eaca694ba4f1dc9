"""The cost of recording beside that of a step: `python -m benchmarks.recording --json FILE`.

One drag for each kind of recording, all in turns, step by step, in one process with one thread: processor time of a
step, and of adding it to a record. The norms of the gradient, which a step computes for its record, are timed by
themselves. So is the work of a session on one step without callbacks, in records of several lengths.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import timed
from draggan_widget import (
    DragConfig,
    DragRecord,
    DragSession,
    DragStep,
    Edit,
    Generator,
    Keep,
    about_drag,
    drag,
    load_generator,
)
from draggan_widget.session.controller import Controller
from draggan_widget.session.run import Run
from draggan_widget.session.session import controller_of

LENGTHS = (10, 300, 3000)
CPU = torch.device("cpu")
KINDS = {"latents and numbers": {}, "and the drag's map": {"maps": True}, "and pictures": {"pictures": True}}


def rows(name: str, steps: int) -> list[dict[str, Any]]:
    """One row for each kind of recording."""
    generator = load_generator(name)
    config = DragConfig.for_generator(generator)
    drags = {kind: _drag(generator, config) for kind in KINDS}
    records = {
        kind: DragRecord(about_drag(generator, config), keep=_keep(config, **kept)) for kind, kept in KINDS.items()
    }
    spent = {kind: ([], []) for kind in KINDS}
    for _ in range(steps):
        for kind, steps_of_drag in drags.items():
            step = timed(lambda steps_of_drag=steps_of_drag: next(steps_of_drag), CPU)
            noted = timed(lambda record=records[kind], step=step.result: record.append(step), CPU)
            spent[kind][0].append(step.ms)
            spent[kind][1].append(noted.ms)
    norms = _time_norms(generator)
    return [_row(name, kind, *times, norms) for kind, times in spent.items()]


def _drag(generator: Generator, config: DragConfig) -> Any:
    """A drag that does not end: its target is far away."""
    side = generator.resolution
    edit = Edit([(0.5 * side, 0.55 * side)], [(0.9 * side, 0.55 * side)])
    still = config.replace(max_steps=10**6, stall_steps=10**6, lost_factor=1e9, learning_rate=1e-4)
    return drag(generator, generator.ws_from_seed(0, 0.7), edit, still)


def _keep(config: DragConfig, maps: bool = False, pictures: bool = False) -> Keep:
    return Keep(blocks=(config.block,) if maps else (), pictures=pictures, memory=8192)


def _time_norms(generator: Generator) -> float:
    """Milliseconds for computing the norms of a gradient's rows and reading them."""
    gradient = torch.randn(generator.num_ws, generator.w_dim)
    many = timed(lambda: [torch.linalg.vector_norm(gradient, dim=1).tolist() for _ in range(1000)], CPU)
    return many.ms / 1000


def session_rows(name: str, step_ms: float) -> list[dict[str, Any]]:
    """One row for each length of the record: the work of a session on one more step."""
    with DragSession(name) as session:
        side = session.generator.resolution
        session.edit = Edit([(0.5 * side, 0.55 * side)], [(0.9 * side, 0.55 * side)])
        step = session.step(1)
        return [_session_row(name, controller_of(session), [step] * length, step_ms) for length in LENGTHS]


def _session_row(name: str, controller: Controller, steps: list[DragStep], step_ms: float) -> dict[str, Any]:
    run = controller._run = Run(iter(()), controller.state.edit)  # pyright: ignore[reportArgumentType]  (nothing is pulled from it)
    taken = []
    for _ in range(200):
        controller.record.steps[:] = steps
        taken.append(timed(lambda: controller._publish(run, steps[-1]), CPU).ms)
    controller._run = None
    publish = statistics.median(taken)
    return {"generator": name, "steps": len(steps), "publish_ms": publish, "share": publish / (step_ms + publish)}


def _row(name: str, kind: str, steps: list[float], noted: list[float], norms: float) -> dict[str, Any]:
    step, note = statistics.median(steps[1:]), statistics.median(noted[1:])  # the first step prepares weights
    own = {"generator": name, "keeps": kind, "steps": len(steps), "step_ms": step, "norms_ms": norms, "noting_ms": note}
    return own | {"share": (norms + note) / (step + note)}


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    names = ("heads", "mobilestylegan-ffhq")
    table = [row for name in names for row in rows(name, parsed.steps)]
    step_ms = {row["generator"]: row["step_ms"] for row in reversed(table)}
    sessions = [row for name in names for row in session_rows(name, step_ms[name])]
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        parsed.json.write_text(json.dumps(table + sessions, indent=1))
    print("| generator | keeps | step, ms | norms, ms | noting, ms | share |\n|---|---|---|---|---|---|")
    for row in table:
        ms = " | ".join(f"{row[key]:.3f}" for key in ("step_ms", "norms_ms", "noting_ms"))
        print(f"| {row['generator']} | {row['keeps']} | {ms} | {row['share']:.2%} |")
    print("\n| generator | steps in the record | a session's noting, ms | share |\n|---|---|---|---|")
    for row in sessions:
        print(f"| {row['generator']} | {row['steps']} | {row['publish_ms']:.3f} | {row['share']:.2%} |")


if __name__ == "__main__":
    main()
