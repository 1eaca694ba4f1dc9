"""What a record says of how it was made, as plain values."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from draggan_widget.engine.config import DragConfig
from draggan_widget.generators.generator import Generator


def about_drag(
    generator: Generator,
    config: DragConfig,
    seed: int | None = None,
    truncation_psi: float | None = None,
    label: int | None = None,
) -> dict[str, Any]:
    """Generator, its family and weights, start and every setting; versions of what computes.

    Args:
        generator: what draws the picture.
        config: settings of the drag.
        seed: of the start latent; None where it was given.
        truncation_psi: of the start latent.
        label: class of a conditional generator.
    """
    return {
        "generator": generator.name,
        "family": generator.family,
        "sha256": generator.sha256,
        "seed": seed,
        "truncation_psi": truncation_psi,
        "label": label,
        "config": dict(vars(config)),
        "versions": {"draggan-widget": own_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def own_version() -> str:
    """Of draggan-widget, as it is installed."""
    try:
        return version("draggan-widget")
    except PackageNotFoundError:
        return "unknown"
