"""Drags by the package's own engine, judged by the landmark regressor.

Colours are compared over two regions of the picture, which follow from the landmarks (`regions`): the background, which
must stay, is compared pixel by pixel; the hair, which moves with the head, by its mean.
"""

import copy
import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from draggan_widget import DragConfig, Edit
from draggan_widget.engine.loop import drag
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragError
from draggan_widget.generators.generator import Generator
from draggan_widget.images import to_uint8
from heads_training.judge.tasks import PSI, UNIT, LandmarkFinder, Task

MAX_STEPS = 150
NEAR = 1.5  # px at 128: a landmark this near to its target has arrived
HEAD = 1.6  # enlarged by this factor, the hull of the landmarks contains the hair, unless that is long
HAIR = (1.1, 1.35)  # above the brows, the hair lies between the hulls enlarged by these factors
ROWS = "rows"  # the one setting that is not a field of DragConfig: number of first rows of ws that the drag may move


@dataclass(frozen=True)
class Row:
    """The result of one drag; lengths in px at 128, colours in grey levels of 255.

    Attributes:
        of: checksums of checkpoint and regressor, which tell the rows of different ones apart.
        setting: differences from the generator's own configuration.
        task: number of the task.
        place: name of the landmark in the tables.
        landmark: name of the landmark.
        direction: direction of the target.
        seed: seed of the start.
        before: distance from landmark to target at the start.
        after: distance at the end, from where the regressor finds the landmark.
        tracked: distance at the end, from where point tracking finds the handle.
        background: mean absolute change of the background's pixels.
        hair: change of the hair's mean colour, mean over red, green and blue.
        steps: number of steps.
        ended: reason for the end.
        seconds: time of all steps, without pictures.
    """

    of: str
    setting: str
    task: int
    place: str
    landmark: str
    direction: str
    seed: int
    before: float
    after: float
    tracked: float
    background: float
    hair: float
    steps: int
    ended: str
    seconds: float


def configure(generator: Generator, changes: dict[str, object]) -> tuple[Generator, DragConfig]:
    """The generator and the configuration for a setting."""
    plain = {name: value for name, value in changes.items() if name != ROWS}
    config = DragConfig.for_generator(generator).replace(**{"max_steps": MAX_STEPS, **plain})
    if ROWS in changes:
        generator = copy.copy(generator)
        generator.drag_rows = tuple(range(min(int(str(changes[ROWS])), generator.num_ws)))
    return generator, config


def run(finder: LandmarkFinder, task: Task, changes: dict[str, object]) -> Row:
    """Make one drag and judge it; the row is not labelled yet."""
    generator, config = configure(finder.generator, changes)
    ws = generator.ws_from_seed(task.seed, PSI)
    began = time.perf_counter()
    last: DragStep | None = None
    failed = False
    try:
        for step in drag(generator, ws, Edit([task.start], [task.target]), config):
            last = step
    except DragError:  # numbers are no longer finite: the last good step is judged
        failed = True
    seconds = time.perf_counter() - began
    assert last is not None
    pictures = [generator.image(ws), generator.image(last.ws)]
    seen = [finder.find(picture)[0] for picture in pictures]
    before, after = (to_uint8(picture[0]).astype(float) for picture in pictures)
    names, unit = finder.regressor.names, UNIT / generator.resolution
    back, hair = zip(*(regions(places, names, generator.image_size) for places in seen), strict=True)
    still = back[0] & back[1]
    goal, index = np.array(task.target), names.index(task.plan.landmark)
    return Row(
        of="",
        setting="",
        task=task.plan.index,
        place=task.plan.place,
        landmark=task.plan.landmark,
        direction=task.plan.direction,
        seed=task.seed,
        before=float(np.linalg.norm(np.array(task.start) - goal)) * unit,
        after=float(np.linalg.norm(seen[1][index] - goal)) * unit,
        tracked=float(np.linalg.norm(np.array(last.handles[0]) - goal)) * unit,
        background=float(np.abs(after - before)[still].mean()),
        hair=float(np.abs(after[hair[1]].mean(axis=0) - before[hair[0]].mean(axis=0)).mean()),
        steps=last.index,
        ended="failed" if failed else str(last.ended),
        seconds=seconds,
    )


def label(row: Row, of: str, setting: str) -> Row:
    """The row with the checksums and the setting it was measured with."""
    return dataclasses.replace(row, of=of, setting=setting)


def regions(places: np.ndarray, names: list[str], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the background and of the hair, each (height, width) of bool.

    Background lies above the mouth and outside the convex hull of the landmarks, enlarged `HEAD` times about its
    middle; that leaves out neck, shoulders and long hair. Hair lies above the brows, between the hulls enlarged `HAIR`
    times. (In a picture of a bald head that region is background.)
    """
    y, x = np.mgrid[: size[0], : size[1]]
    mouth = places[names.index("lip_top"), 1]
    brows = min(places[index, 1] for index, name in enumerate(names) if name.startswith("brow_mid"))
    inner, outer, head = (inside_hull(enlarge(places, factor), x, y) for factor in (*HAIR, HEAD))
    return ~head & (y < mouth), outer & ~inner & (y < brows)


def enlarge(places: np.ndarray, factor: float) -> np.ndarray:
    """Scale places about the middle of their extent."""
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    return middle + factor * (places - middle)


def inside_hull(places: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mask of the pixels (x, y) inside the convex hull of the places."""
    from scipy.spatial import ConvexHull

    lines = ConvexHull(places).equations  # a x + b y + c <= 0 inside
    return (lines[:, :1, None] * x + lines[:, 1:2, None] * y + lines[:, 2:, None] <= 0).all(axis=0)


def table(rows: list[Row], by: str = "place") -> str:
    """A table of means, grouped by a field of the rows; grouped by place it ends with the mean of all rows."""
    lines = [
        f"| {by} | n | before, px | after, px | after / before | within {NEAR} px | tracked, px | background | hair "
        "| steps | s | ended |",
        "|" + "---|" * 12,
    ]
    groups = {
        name: [row for row in rows if getattr(row, by) == name] for name in dict.fromkeys(getattr(r, by) for r in rows)
    }
    if by == "place":
        groups["all"] = rows
    for name, own in groups.items():
        mean = {
            f: np.mean([getattr(row, f) for row in own]) for f in ("before", "after", "tracked", "steps", "seconds")
        }
        drift = {f: np.nanmean([getattr(row, f) for row in own]) for f in ("background", "hair")}
        near = np.mean([row.after <= NEAR for row in own])
        endings = sorted({row.ended for row in own})
        ended = ", ".join(f"{sum(row.ended == ending for row in own)} {ending}" for ending in endings)
        lines.append(
            f"| {name or 'own defaults'} | {len(own)} | {mean['before']:.1f} | {mean['after']:.2f} "
            f"| {mean['after'] / mean['before']:.2f} | {near:.2f} | {mean['tracked']:.2f} | {drift['background']:.1f} "
            f"| {drift['hair']:.1f} | {mean['steps']:.0f} | {mean['seconds']:.1f} | {ended} |"
        )
    return "\n".join(lines)
