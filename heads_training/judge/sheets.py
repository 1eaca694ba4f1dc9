"""The pictures of the model card: `python -m heads_training.judge ... --sections sheets` writes them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from draggan_widget import DragSession, Edit
from draggan_widget.images import to_uint8
from heads_training.judge import tasks
from heads_training.judge.drags import configure
from heads_training.judge.subject import Subject

COLUMNS = 8
SEEDS = 32  # seeds shown, at `tasks.PSI`
COMPARED = 16  # held-out renders shown above the generated pictures of their vectors
DOT = 2  # px: radius of a mark
HANDLE, TARGET = (230, 50, 60), (30, 110, 235)
# the drags shown: landmark, dx, dy in px at 128
SHOWN = (
    ("nose_tip", 12, 0),
    ("nose_tip", -12, 0),
    ("nose_tip", 0, 8),
    ("lip_bot", 0, 7),
    ("mouth_l", 5, -4),
    ("brow_mid_l", 0, -6),
    ("chin", 0, 7),
    ("mouth_r", 4, 2),
)


def sheets(subject: Subject) -> str:
    """Write seeds.webp, likeness.webp and drags.webp, and return a text that says what they show."""
    generator = subject.generator
    seeds = [to_uint8(generator.image(generator.ws_from_seed(seed, tasks.PSI))[0]) for seed in range(SEEDS)]
    save(subject, "seeds", [seeds[i : i + COLUMNS] for i in range(0, SEEDS, COLUMNS)])
    pairs = (subject.renders[:COMPARED], subject.copies[:COMPARED])
    save(subject, "likeness", [part[i : i + COLUMNS] for i in range(0, COMPARED, COLUMNS) for part in pairs])
    save(
        subject,
        "drags",
        list(zip(*(drag_and_mark(subject, seed, *shown) for seed, shown in enumerate(SHOWN)), strict=True)),
    )
    drags = "; ".join(f"{name} by ({dx}, {dy})" for name, dx, dy in SHOWN)
    return "\n".join(
        [
            f"seeds.webp: seeds 0 to {SEEDS - 1} at psi {tasks.PSI}.",
            f"likeness.webp: {COMPARED} held-out renders, below each what is drawn of its vector.",
            f"drags.webp: seeds 0 to {len(SHOWN) - 1} before and after a drag, {drags}; red the landmark where the "
            "regressor sees it, blue the target.",
        ]
    )


def drag_and_mark(subject: Subject, seed: int, landmark: str, dx: float, dy: float) -> tuple[np.ndarray, np.ndarray]:
    """Pictures before and after a drag, with landmark and target marked."""
    generator, config = configure(subject.generator, {})
    which, scale = subject.regressor.names.index(landmark), subject.side / tasks.UNIT
    finder = tasks.LandmarkFinder(generator, subject.regressor)
    with DragSession(generator, seed, truncation_psi=tasks.PSI, config=config) as session:
        before = generator.image(session.current.ws)
        start = finder.find(before)[0][which]
        target = start + scale * np.array([dx, dy])
        session.edit = Edit([tuple(map(float, start))], [tuple(map(float, target))])
        session.run()
        after = generator.image(session.current.ws)
    end = finder.find(after)[0][which]
    return mark(to_uint8(before[0]), start, target), mark(to_uint8(after[0]), end, target)


def mark(picture: np.ndarray, landmark: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Put a dot at landmark and target."""
    drawn = Image.fromarray(picture)
    pen = ImageDraw.Draw(drawn)
    for (x, y), colour in ((target, TARGET), (landmark, HANDLE)):
        pen.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), fill=colour)
    return np.asarray(drawn)


def save(subject: Subject, name: str, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Save rows of pictures as one picture."""
    subject.out.mkdir(parents=True, exist_ok=True)
    whole = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    Image.fromarray(whole).save(subject.out / f"{name}.webp", quality=90, method=6)
