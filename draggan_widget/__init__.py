"""DragGAN (Pan et al., SIGGRAPH 2023) as a Jupyter widget.

Importing the package imports neither torch nor anywidget: each public name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from draggan_widget.checkpoints.available import available_generators as available_generators
    from draggan_widget.engine.about import about_drag as about_drag
    from draggan_widget.engine.config import DragConfig as DragConfig
    from draggan_widget.engine.edit import Edit as Edit
    from draggan_widget.engine.keeping import Keep as Keep
    from draggan_widget.engine.loop import drag as drag
    from draggan_widget.engine.record import DragRecord as DragRecord
    from draggan_widget.engine.step import DragStep as DragStep
    from draggan_widget.errors import DragganError as DragganError
    from draggan_widget.generators.generator import FeatureMap as FeatureMap
    from draggan_widget.generators.generator import Generator as Generator
    from draggan_widget.generators.load import load_generator as load_generator
    from draggan_widget.inspection.trajectory import plot_trajectories as plot_trajectories
    from draggan_widget.session.session import DragSession as DragSession
    from draggan_widget.widget.registry import close_all as close_all
    from draggan_widget.widget.widget import DragWidget as DragWidget

__version__ = "0.1.0"

_HOMES = {
    "DragConfig": "engine.config",
    "DragRecord": "engine.record",
    "DragSession": "session.session",
    "DragStep": "engine.step",
    "DragWidget": "widget.widget",
    "DragganError": "errors",
    "Edit": "engine.edit",
    "FeatureMap": "generators.generator",
    "Generator": "generators.generator",
    "Keep": "engine.keeping",
    "about_drag": "engine.about",
    "available_generators": "checkpoints.available",
    "close_all": "widget.registry",
    "drag": "engine.loop",
    "load_generator": "generators.load",
    "plot_trajectories": "inspection.trajectory",
}

__all__ = [
    "DragConfig",
    "DragRecord",
    "DragSession",
    "DragStep",
    "DragWidget",
    "DragganError",
    "Edit",
    "FeatureMap",
    "Generator",
    "Keep",
    "__version__",
    "about_drag",
    "available_generators",
    "close_all",
    "drag",
    "load_generator",
    "plot_trajectories",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
