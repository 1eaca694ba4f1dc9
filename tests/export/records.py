"""Records made by hand: no drag is run, every place is known."""

from collections.abc import Sequence

import numpy as np
from analytic import BlobGenerator
from PIL import Image

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.geometry import Point

TARGET = (44.0, 36.0)


def step_at(generator: BlobGenerator, index: int, edit: Edit, handles: Sequence[Point]) -> DragStep:
    """A step whose blob is centred at its first handle."""
    return DragStep(
        index=index,
        ws=generator.ws_at(*(handles[0] if handles else (31.0, 31.0))),
        edit=edit,
        handles=tuple(handles),
        tracking_error=(0.0,) * len(handles),
        loss=None if index == 0 else 0.5 / index,
        ended=None,
        seconds=0.1 * index,
        generator=generator,
    )


def walk(steps: int = 5, generator: BlobGenerator | None = None, **about: object) -> DragRecord:
    """A blob that goes 3 px to the right a step, from (20, 24), to a target."""
    generator = generator or BlobGenerator()
    edit = Edit([(20.0, 24.0)], [TARGET])
    made = [step_at(generator, k, edit, [(20.0 + 3 * k, 24.0)]) for k in range(steps)]
    return DragRecord({"generator": "blob", "seed": 7, **about}, made)


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal to noise in dB, of 8-bit RGB."""
    difference = np.asarray(one.convert("RGB"), float) - np.asarray(other.convert("RGB"), float)
    return float(10 * np.log10(255**2 / max(np.mean(difference**2), 1e-9)))
