"""The plots of a record of fixed numbers, as pictures.

`PYTHONPATH=.:tests python -m inspection.golden_plots` writes them anew; then look at each at a paper column's width.
"""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from analytic import BlobGenerator
from matplotlib.figure import Figure
from PIL import Image

from draggan_widget import DragConfig, DragRecord, DragStep, Edit, inspection
from draggan_widget.inspection import WComponents

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "plots"
DPI = 120  # at 3.3 inches: 396 px

FIRST = Edit([(24.0, 30.0)], [(44.0, 38.0)])
SECOND = Edit([(24.0, 30.0), (30.0, 44.0)], [(44.0, 38.0), (20.0, 52.0)])
COMPONENTS = WComponents(np.zeros(8), np.eye(8), np.array([0.25, 0.16, 0.1, 0.06, 0.04, 0.03, 0.02, 0.01]))


def step(position: int, index: int, edit: Edit, generator: BlobGenerator | None) -> DragStep:
    """A blob on its way, a little beside the straight line; no number comes from a drag."""
    share = 1 - np.exp(-position / 9)
    wave = 0.8 * np.sin(position / 2)
    ws = BlobGenerator().ws_at(24 + 19 * share, 30 + 8 * share + wave)
    ws[0, 2:] = 0.0
    ws[0, 1] *= 0.9
    handles = tuple(
        (float(x + (u - x) * share), float(y + (v - y) * share + wave))
        for (x, y), (u, v) in zip(edit.handles, edit.targets, strict=True)
    )
    errors = tuple(float(0.4 * share + 0.03 * (1 + np.cos(position + point))) for point in range(len(edit)))
    loss = None if index == 0 else float((0.3 + 0.05 * np.cos(position)) * (1 - 0.8 * share))
    terms = () if loss is None else tuple(float(loss * (0.6 - 0.3 * point)) for point in range(len(edit)))
    fixed = 0.1 * loss if loss is not None and len(edit) == 2 else None
    return DragStep(
        *(index, ws, edit, handles, errors, loss, None, 0.1 * index),
        motion_losses=terms,
        mask_loss=fixed,
        generator=generator,
    )


def record(generator: BlobGenerator | None = None, steps: int = 30) -> DragRecord:
    """Steps of one point, then a drag that is resumed with two."""
    split = 2 * steps // 3
    kept = [step(k, k, FIRST, generator) for k in range(split)]
    return DragRecord(steps=kept + [step(k, k - split, SECOND, generator) for k in range(split, steps)])


def crowd(generator: BlobGenerator) -> DragRecord:
    """64 points."""
    handles = [(4.0 + 8 * (k % 8), 4.0 + 8 * (k // 8)) for k in range(64)]
    edit = Edit(handles, [(x + 0.04 * y, y - 0.03 * x) for x, y in handles])
    return DragRecord(steps=[step(k, k, edit, generator) for k in range(12)])


def plots() -> dict[str, Callable[[], Figure]]:
    """Each golden picture's name, and how it is drawn."""
    generator = BlobGenerator()
    kept, many = record(generator), crowd(generator)
    config = DragConfig.for_generator(generator)
    return {
        "trajectories": lambda: inspection.plot_trajectories(kept),
        "trajectories_64": lambda: inspection.plot_trajectories(many),
        "trajectories_without_picture": lambda: inspection.plot_trajectories(record()),
        "distances": lambda: inspection.plot_distances(kept),
        "distances_64": lambda: inspection.plot_distances(many),
        "losses": lambda: inspection.plot_losses(kept),
        "tracking_error": lambda: inspection.plot_tracking_error(kept),
        "latent_drift": lambda: inspection.plot_latent_drift(kept),
        "latent_rows": lambda: inspection.plot_latent_rows(kept),
        "latent_components": lambda: inspection.plot_latent_components(kept, COMPONENTS),
        "features": lambda: inspection.plot_features(kept, config),
        "before_after": lambda: inspection.plot_before_after(kept),
        "steps": lambda: inspection.plot_steps(kept),
    }


def png(draw: Callable[[], Figure]) -> bytes:
    """The picture, in matplotlib's own style whatever the reader has set."""
    buffer = io.BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        draw().savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def main() -> None:
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, draw in plots().items():
        Image.open(io.BytesIO(png(draw))).convert("RGB").save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
