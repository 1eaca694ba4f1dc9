"""The public names of `draggan_widget.inspection`."""

from .cost_surface import TrackingCost as TrackingCost
from .cost_surface import tracking_cost as tracking_cost
from .curves import plot_distances as plot_distances
from .curves import plot_latent_drift as plot_latent_drift
from .curves import plot_losses as plot_losses
from .curves import plot_tracking_error as plot_tracking_error
from .feature_maps import FeatureColours as FeatureColours
from .feature_maps import as_tracked as as_tracked
from .feature_maps import channels_by_variance as channels_by_variance
from .feature_maps import difference as difference
from .feature_maps import similarity as similarity
from .feature_plots import plot_feature_map as plot_feature_map
from .feature_plots import plot_features as plot_features
from .latent_plots import plot_latent_components as plot_latent_components
from .latent_plots import plot_latent_rows as plot_latent_rows
from .latents import WComponents as WComponents
from .latents import apply_delta as apply_delta
from .latents import between as between
from .latents import edit_delta as edit_delta
from .latents import travelled as travelled
from .picture_plots import plot_before_after as plot_before_after
from .picture_plots import plot_steps as plot_steps
from .trajectory import plot_trajectories as plot_trajectories
