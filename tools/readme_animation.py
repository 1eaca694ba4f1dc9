"""Make the README's animation: drags of the bundled heads beside drags of a face, one frame for each step.

Handles, targets and tracked paths are drawn. `make readme-animation` calls this; `--cells` also saves every sixth frame
in one picture, for a check by eye.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from draggan_widget import DragRecord, DragSession, DragStep, Edit, load_generator

ROOT = Path(__file__).resolve().parents[1]
ANIMATION = ROOT / "docs" / "images" / "drag.webp"
CELLS = ROOT / "demo" / "drag-frames.png"


@dataclass(frozen=True)
class Subject:
    """A generator, the seed of its picture, and the edits to drag one after the other, (x, y) in image px."""

    name: str
    seed: int
    edits: tuple[Edit, ...]


SUBJECTS = (
    Subject("heads", 0, (Edit([(78, 78)], [(66, 78)]),)),  # the tip of the nose: the head turns
    Subject(
        "mobilestylegan-ffhq",
        35,
        (
            Edit([(414, 765), (616, 765)], [(378, 741), (650, 741)]),  # the corners of the mouth: a smile
            Edit([(512, 622)], [(576, 622)]),  # the tip of the nose: the head turns
        ),
    ),
)

SIDE = 320  # px: side of each picture
SHARP = 3  # lines are drawn larger by this factor, then scaled down: Pillow draws them without smoothing
LEAST_MOVE = 1 / 512  # share of the picture's side; a handle that moved less gets no new frame
STEP_MS, EDIT_MS, REST_MS, END_MS = 90, 900, 1000, 2000  # a step, a new edit before it runs, its end, the last frame
LIMIT = 1_500_000  # bytes: largest animation
HANDLE, TARGET, CASING = (230, 50, 60), (30, 110, 235), (255, 255, 255)

Frame = tuple[Image.Image, int]  # picture, ms


def main() -> None:
    """Drag, draw and save."""
    parser = argparse.ArgumentParser(description="Make docs/images/drag.webp.")
    parser.add_argument("--cells", action="store_true", help=f"also save every sixth frame in {CELLS.name}")
    cells = parser.parse_args().cells
    frames = list(side_by_side([list(make_frames(subject)) for subject in SUBJECTS]))
    save(frames)
    if cells:
        save_cells([picture for picture, _ in frames[::6]])
    print(f"Saved {ANIMATION}: {len(frames)} frames, {ANIMATION.stat().st_size / 1000:.0f} kB")


def make_frames(subject: Subject) -> Iterator[Frame]:
    """Run the drags one after the other, and draw every step."""
    with DragSession(load_generator(subject.name), subject.seed) as session:
        yield plain(session.current), EDIT_MS
        for edit in subject.edits:
            session.edit = edit
            begun = max(0, len(session.record) - 1)
            session.run()
            steps = select_steps(session.record, begun, edit)
            check_end(steps[-1])
            paths = np.array([step.handles for step in steps])
            resolution = session.generator.resolution
            for place in steps_to_show(paths, LEAST_MOVE * resolution):
                held = EDIT_MS if place == 0 else REST_MS if place == len(steps) - 1 else STEP_MS
                yield draw(plain(steps[place]), paths[: place + 1], edit, resolution), held
        yield plain(session.current), END_MS


def side_by_side(films: Sequence[Sequence[Frame]]) -> Iterator[Frame]:
    """Join films side by side; a film that has ended stays on its last frame."""
    ends = [np.cumsum([held for _, held in film]) for film in films]
    moments = sorted({int(end) for own in ends for end in own})
    for before, moment in zip([0, *moments], moments, strict=False):
        joined = Image.new("RGB", (len(films) * SIDE, SIDE))
        for place, (film, own) in enumerate(zip(films, ends, strict=True)):
            shown = min(int(np.searchsorted(own, before, side="right")), len(film) - 1)
            joined.paste(film[shown][0], (place * SIDE, 0))
        yield joined, moment - before


def select_steps(record: DragRecord, begun: int, edit: Edit) -> list[DragStep]:
    """Steps of an edit's drag, from index `begun` of the record."""
    return [step for step in record[begun:] if step.edit is edit]


def steps_to_show(paths: np.ndarray, least: float) -> list[int]:
    """The first step, the last, and those in which a handle is `least` px or more from where it was last shown."""
    shown = [0]
    for place in range(1, len(paths) - 1):
        if np.linalg.norm(paths[place] - paths[shown[-1]], axis=-1).max() >= least:
            shown.append(place)
    return [*shown, len(paths) - 1]


def check_end(step: DragStep) -> None:
    """Check that the drag arrived.

    Raises:
        RuntimeError: it ended otherwise.
    """
    if step.ended != "arrived":
        left = max(step.distances)
        raise RuntimeError(
            f"a drag ended as {step.ended!r} with {left:.0f} px left; expected 'arrived'; change SUBJECTS"
        )


def plain(step: DragStep) -> Image.Image:
    """A step's picture at the animation's size."""
    return step.picture().resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def draw(picture: Image.Image, paths: np.ndarray, edit: Edit, resolution: int) -> Image.Image:
    """Draw the paths so far, (steps, points, 2) in px of `resolution`, with handles and targets on a picture."""
    scale = SIDE * SHARP / resolution
    layer = picture.resize((SIDE * SHARP, SIDE * SHARP), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(layer)
    for index, target in enumerate(edit.targets):
        path = [tuple((point + 0.5) * scale) for point in paths[:, index]]
        end = tuple((np.array(target) + 0.5) * scale)
        pen.line([path[-1], end], fill=CASING, width=SHARP)
        if len(path) > 1:
            pen.line(path, fill=CASING, width=4 * SHARP, joint="curve")
            pen.line(path, fill=HANDLE, width=2 * SHARP, joint="curve")
        dot(pen, end, TARGET)
        dot(pen, path[-1], HANDLE)
    return layer.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def dot(pen: ImageDraw.ImageDraw, centre: Sequence[float], colour: tuple[int, int, int]) -> None:
    """Draw a filled circle with a white rim."""
    for radius, fill in ((5.5 * SHARP, CASING), (4.0 * SHARP, colour)):
        x, y = centre
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def save(frames: Sequence[Frame]) -> None:
    """Write the animation at the best quality that stays under `LIMIT`.

    Raises:
        RuntimeError: the lowest quality is over `LIMIT`.
    """
    pictures, held = [picture for picture, _ in frames], [ms for _, ms in frames]
    ANIMATION.parent.mkdir(parents=True, exist_ok=True)
    for quality in (85, 75, 65, 50):
        pictures[0].save(
            ANIMATION, save_all=True, append_images=pictures[1:], duration=held, loop=0, quality=quality, method=6
        )
        if ANIMATION.stat().st_size <= LIMIT:
            return
    raise RuntimeError(f"{ANIMATION.name} is over {LIMIT / 1e6} MB; expected less; choose shorter drags")


def save_cells(pictures: Sequence[Image.Image]) -> None:
    """Save pictures in rows of three."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (3 * width, -(-len(pictures) // 3) * height))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % 3 * width, place // 3 * height))
    CELLS.parent.mkdir(exist_ok=True)
    sheet.save(CELLS)


if __name__ == "__main__":
    main()
