"""DragGAN (Pan et al., SIGGRAPH 2023) as a Jupyter widget.

Importing the package imports neither torch nor anywidget: each public name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from draggan_widget.checkpoints.hub.listing import available_generators as available_generators
    from draggan_widget.engine.config import DragConfig as DragConfig
    from draggan_widget.engine.edit import Edit as Edit
    from draggan_widget.engine.keep import Keep as Keep
    from draggan_widget.engine.loop import drag as drag
    from draggan_widget.engine.provenance import about_drag as about_drag
    from draggan_widget.engine.record import DragRecord as DragRecord
    from draggan_widget.engine.step import DragStep as DragStep
    from draggan_widget.errors import DragganError as DragganError
    from draggan_widget.export.edit_file import load_edit as load_edit
    from draggan_widget.export.edit_file import save_edit as save_edit
    from draggan_widget.export.features import load_features as load_features
    from draggan_widget.export.features import save_features as save_features
    from draggan_widget.export.html import to_html as to_html
    from draggan_widget.export.latents import load_latents as load_latents
    from draggan_widget.export.latents import save_latents as save_latents
    from draggan_widget.export.pictures import read_provenance as read_provenance
    from draggan_widget.export.pictures import save_picture as save_picture
    from draggan_widget.export.trajectories import load_trajectories as load_trajectories
    from draggan_widget.export.trajectories import save_trajectories as save_trajectories
    from draggan_widget.export.video import save_video as save_video
    from draggan_widget.generators.feature_map import FeatureMap as FeatureMap
    from draggan_widget.generators.generator import Generator as Generator
    from draggan_widget.generators.load import load_generator as load_generator
    from draggan_widget.inspection.curves import plot_distances as plot_distances
    from draggan_widget.inspection.curves import plot_latent_drift as plot_latent_drift
    from draggan_widget.inspection.curves import plot_losses as plot_losses
    from draggan_widget.inspection.curves import plot_tracking_error as plot_tracking_error
    from draggan_widget.inspection.feature_maps import FeatureColours as FeatureColours
    from draggan_widget.inspection.feature_maps import as_tracked as as_tracked
    from draggan_widget.inspection.feature_maps import channels_by_variance as channels_by_variance
    from draggan_widget.inspection.feature_maps import difference as difference
    from draggan_widget.inspection.feature_maps import similarity as similarity
    from draggan_widget.inspection.feature_plots import plot_feature_map as plot_feature_map
    from draggan_widget.inspection.feature_plots import plot_features as plot_features
    from draggan_widget.inspection.latent_plots import plot_latent_components as plot_latent_components
    from draggan_widget.inspection.latent_plots import plot_latent_rows as plot_latent_rows
    from draggan_widget.inspection.latents import WComponents as WComponents
    from draggan_widget.inspection.latents import apply_delta as apply_delta
    from draggan_widget.inspection.latents import between as between
    from draggan_widget.inspection.latents import edit_delta as edit_delta
    from draggan_widget.inspection.latents import travelled as travelled
    from draggan_widget.inspection.picture_plots import plot_before_after as plot_before_after
    from draggan_widget.inspection.picture_plots import plot_steps as plot_steps
    from draggan_widget.inspection.tracking_cost import TrackingCost as TrackingCost
    from draggan_widget.inspection.tracking_cost import tracking_cost as tracking_cost
    from draggan_widget.inspection.trajectory import plot_trajectories as plot_trajectories
    from draggan_widget.session.session import DragSession as DragSession
    from draggan_widget.widget.inspector import FeatureInspector as FeatureInspector
    from draggan_widget.widget.lifecycle import close_all as close_all
    from draggan_widget.widget.replay import TrajectoryReplay as TrajectoryReplay
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
    "FeatureColours": "inspection.feature_maps",
    "FeatureInspector": "widget.inspector",
    "FeatureMap": "generators.feature_map",
    "Generator": "generators.generator",
    "Keep": "engine.keep",
    "TrackingCost": "inspection.tracking_cost",
    "TrajectoryReplay": "widget.replay",
    "WComponents": "inspection.latents",
    "about_drag": "engine.provenance",
    "apply_delta": "inspection.latents",
    "as_tracked": "inspection.feature_maps",
    "available_generators": "checkpoints.hub.listing",
    "between": "inspection.latents",
    "channels_by_variance": "inspection.feature_maps",
    "close_all": "widget.lifecycle",
    "difference": "inspection.feature_maps",
    "drag": "engine.loop",
    "edit_delta": "inspection.latents",
    "load_edit": "export.edit_file",
    "load_features": "export.features",
    "load_generator": "generators.load",
    "plot_before_after": "inspection.picture_plots",
    "plot_distances": "inspection.curves",
    "plot_feature_map": "inspection.feature_plots",
    "plot_features": "inspection.feature_plots",
    "plot_latent_components": "inspection.latent_plots",
    "plot_latent_drift": "inspection.curves",
    "plot_latent_rows": "inspection.latent_plots",
    "plot_losses": "inspection.curves",
    "plot_steps": "inspection.picture_plots",
    "plot_tracking_error": "inspection.curves",
    "load_latents": "export.latents",
    "load_trajectories": "export.trajectories",
    "plot_trajectories": "inspection.trajectory",
    "read_provenance": "export.pictures",
    "save_edit": "export.edit_file",
    "save_features": "export.features",
    "save_latents": "export.latents",
    "save_picture": "export.pictures",
    "save_trajectories": "export.trajectories",
    "save_video": "export.video",
    "similarity": "inspection.feature_maps",
    "to_html": "export.html",
    "tracking_cost": "inspection.tracking_cost",
    "travelled": "inspection.latents",
}

__all__ = [
    "DragConfig",
    "DragRecord",
    "DragSession",
    "DragStep",
    "DragWidget",
    "DragganError",
    "Edit",
    "FeatureColours",
    "FeatureInspector",
    "FeatureMap",
    "Generator",
    "Keep",
    "TrackingCost",
    "TrajectoryReplay",
    "WComponents",
    "__version__",
    "about_drag",
    "apply_delta",
    "as_tracked",
    "available_generators",
    "between",
    "channels_by_variance",
    "close_all",
    "difference",
    "drag",
    "edit_delta",
    "load_edit",
    "load_features",
    "load_generator",
    "load_latents",
    "load_trajectories",
    "plot_before_after",
    "plot_distances",
    "plot_feature_map",
    "plot_features",
    "plot_latent_components",
    "plot_latent_drift",
    "plot_latent_rows",
    "plot_losses",
    "plot_steps",
    "plot_tracking_error",
    "plot_trajectories",
    "read_provenance",
    "save_edit",
    "save_features",
    "save_latents",
    "save_picture",
    "save_trajectories",
    "save_video",
    "similarity",
    "to_html",
    "tracking_cost",
    "travelled",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
