"""The tables about pictures, one function each; slow results are kept in `Subject.out`."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from heads_training.data import Pictures
from heads_training.judge import statistics, tasks
from heads_training.judge.features import to_float
from heads_training.judge.subject import Subject, read_uint8

SEEDS = 1000  # number of pictures whose diversity is measured
SHOWN = 8  # number of seeds whose nearest training pictures are shown
CANDIDATES = 64  # training pictures nearest at 16 px, whose features are then compared
COARSE = 16  # px


def likeness(subject: Subject) -> str:
    """PSNR and mean error of the generator's pictures of held-out vectors against the renders."""
    error = subject.copies.astype(np.float32) - subject.renders
    psnr = -10 * np.log10(np.square(error / 255).mean(axis=(1, 2, 3)).clip(1e-10))
    return "\n".join(
        [
            "| pictures | PSNR, dB | PSNR, lowest tenth | mean absolute error, of 255 |",
            "|---|---|---|---|",
            f"| {len(error)} | {psnr.mean():.2f} | {np.quantile(psnr, 0.1):.2f} | {np.abs(error).mean():.2f} |",
        ]
    )


def frechet(subject: Subject) -> str:
    """FD-EffNetLite0 of generated pictures from held-out renders and, as its floor, of training renders."""
    held = subject.features_of(subject.renders)
    sets = {"generated, seeds from 0, psi 1": subject.samples}
    if subject.train is not None:
        own = subject.train.ready()[-len(held) :]
        sets["floor: training renders"] = read_uint8(subject.train, own, subject.side)
    lines = ["| against held-out renders | pictures | FD-EffNetLite0 |", "|---|---|---|"]
    for name, pictures in sets.items():
        distance = statistics.frechet_distance(subject.features_of(pictures), held)
        lines.append(f"| {name} | {len(pictures)} / {len(held)} | {distance:.2f} |")
    return "\n".join(lines)


def diversity(subject: Subject) -> str:
    """Mean distance of two pictures' features; with a training set also a sheet of its nearest pictures."""
    made, held = (subject.features_of(pictures) for pictures in (subject.samples, subject.renders))
    lines = ["| pictures | mean pairwise distance of features |", "|---|---|"]
    for name, features in (("generated, psi 1", made[:SEEDS]), ("held-out renders", held[:SEEDS])):
        lines.append(f"| {len(features)} {name} | {statistics.mean_pairwise(features):.2f} |")
    if subject.train is None:
        return "\n".join(lines)
    pairs, far = nearest_training(subject, subject.samples[:SHOWN])
    _, usual = nearest_training(subject, subject.renders[:SHOWN])
    save_sheet(subject.samples[:SHOWN], pairs, subject.out / "nearest.png")
    lines += [
        "",
        f"Nearest training pictures of seeds 0 to {SHOWN - 1} (nearest.png: generated above, nearest below): distances "
        f"{', '.join(f'{d:.1f}' for d in far)}; of {SHOWN} held-out renders {', '.join(f'{d:.1f}' for d in usual)}.",
        f"Compared by features among the {CANDIDATES} training pictures nearest at {COARSE} px, of all "
        f"{len(subject.train.ready())}.",
    ]
    return "\n".join(lines)


def nearest_training(subject: Subject, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training picture nearest to each picture, and the distance of their features."""
    assert subject.train is not None
    ready, found, far = subject.train.ready(), [], []
    coarse = read_coarse(subject.train, ready)
    for picture in pictures:
        small = shrink(to_float(picture[None]))
        order = np.square(coarse - small).sum(axis=1).argsort()[:CANDIDATES]
        others = read_uint8(subject.train, np.sort(ready[order]), subject.side)
        features = subject.features(to_float(picture[None])).numpy()
        which, distance = statistics.nearest(features, subject.features_of(others))
        found.append(others[which[0]])
        far.append(distance[0])
    return np.stack(found), np.array(far)


def read_coarse(data: Pictures, indices: np.ndarray) -> np.ndarray:
    """Read pictures of a set at `COARSE` px, (n, values)."""
    parts = np.array_split(indices, max(1, len(indices) // 512))
    return np.concatenate([data.take(part, COARSE)[0].flatten(1).half().numpy() for part in parts])


def shrink(pictures: torch.Tensor) -> np.ndarray:
    """Shrink pictures (n, 3, side, side) to `COARSE` px, (n, values)."""
    return torch.nn.functional.avg_pool2d(pictures, pictures.shape[-1] // COARSE).flatten(1).numpy()


def save_sheet(above: np.ndarray, below: np.ndarray, path: Path) -> None:
    """Save two rows of pictures as a PNG."""
    both = [np.concatenate(list(pictures), axis=1) for pictures in (above, below)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(both)).save(path)


def landmarks(subject: Subject) -> str:
    """Errors of the regressor's landmarks in pictures of held-out vectors, rendered and generated."""
    side, unit = subject.side, tasks.UNIT / subject.side
    truth = subject.held.take(subject.held_indices, side)[2]
    seen = [subject.regressor.landmarks(to_float(pictures)) for pictures in (subject.renders, subject.copies)]
    inside = ((truth > -0.5) & (truth < side - 0.5)).all(2)
    sure = seen[0][1] <= seen[0][1].median(dim=0).values  # the half of the renders with smaller predicted errors
    errors = [(places - truth).norm(dim=2) * unit for places, _ in seen]
    lines = [
        "| landmark | renders, px at 128 | generated, px at 128 | renders, less doubted half | generated, same half |",
        "|---|---|---|---|---|",
    ]
    names = subject.held.landmark_names
    chosen = {name: [index] for index, name in enumerate(names)} | {"all": list(range(len(names)))}
    for name, which in chosen.items():
        there = inside[:, which]
        both = there & sure[:, which]
        figures = [error[:, which][mask].mean().item() for mask in (there, both) for error in errors]
        lines.append(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")
    return "\n".join(lines)
