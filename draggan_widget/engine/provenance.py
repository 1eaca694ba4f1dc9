"""How a record was made, as plain values: generator, start latent, settings and versions."""

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
    """How a drag is made: generator and sha256 of its weights, start latent, every setting, versions of the libraries.

    Args:
        generator: the generator that draws the picture.
        config: settings of the drag.
        seed: seed of the start latent; None where the latent itself was given.
        truncation_psi: truncation psi of the start latent.
        label: class of a conditional generator.

    Returns:
        Values that JSON can hold, for `DragRecord(about)`.

    Examples:
        >>> from draggan_widget import DragConfig, DragRecord, Edit, drag, load_generator
        >>> generator = load_generator("heads")
        >>> config = DragConfig.for_generator(generator)
        >>> steps = drag(generator, generator.ws_from_seed(3), Edit([(78, 78)], [(62, 79)]), config)
        >>> record = DragRecord(steps=[next(steps)], about=about_drag(generator, config, seed=3, truncation_psi=0.7))
        >>> record.about["seed"]
        3
    """
    return {
        "generator": generator.name,
        "family": generator.family,
        "sha256": generator.sha256,
        "seed": seed,
        "truncation_psi": truncation_psi,
        "label": label,
        "config": dict(vars(config)),
        "versions": {"draggan-widget": package_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def package_version() -> str:
    """The installed version of draggan-widget; "unknown" where it is not installed."""
    try:
        return version("draggan-widget")
    except PackageNotFoundError:
        return "unknown"
