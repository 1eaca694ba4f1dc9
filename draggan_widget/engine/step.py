"""One step of a drag."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.errors import NotFinite
from draggan_widget.engine.kept import Kept
from draggan_widget.engine.references import References
from draggan_widget.engine.termination import Ending, advice
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import Point, distance
from draggan_widget.images import to_uint8
from draggan_widget.torch_modes import in_own_modes


class CurrentFeatures:
    """The whole feature map of a step, until the drag makes its next step."""

    def __init__(self, features: FeatureMap | None, make: Callable[[], FeatureMap] | None = None):
        """Keep the map, or the means to compute it.

        Args:
            features: the whole map; None where the step computed only windows of it.
            make: computes the whole map in that case, when it is first asked for.
        """
        self._features, self._make = features, make
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return CurrentFeatures, (self._features,)  # a copy computes nothing

    def get(self) -> FeatureMap | None:
        """The whole map if it is in memory; None once the drag went on, or where it was not computed."""
        return self._features

    def whole(self) -> FeatureMap | None:
        """The whole map, computed first if it is not in memory; None once the drag went on."""
        features, make = self._features, self._make
        if features is not None or make is None:
            return features
        with torch.no_grad():
            features = make()
        with self._lock:
            if self._make is make:
                self._features = features
        return features

    def clear(self) -> None:
        """Free the map."""
        with self._lock:
            self._features = self._make = None


@dataclass(frozen=True, eq=False)
class DragStep:
    """One step of a drag; it owns its data and stays valid after the drag went on.

    Attributes:
        index: number of the step within its drag; 0 is the unchanged start.
        ws: the latent, (1, num_ws, w_dim).
        edit: the edit that the drag followed at this step.
        handles: the tracked handles, (x, y) in image px.
        tracking_error: e_i = ||F(p) - f|| / ||f|| of each handle.
        loss: L of the motion supervision that led to this step; None where there was none.
        ended: why the drag is over, on its last step; else None.
        seconds: wall-clock time since the drag began, with pauses and the time that a loop over the steps took.
        references: reference features and tracked handles; `drag(..., resume=)` takes them to go on from this step.
            None in a record that was read from a file.
        generator: the generator that draws the step; None in a record that was read without it.
        current: the step's whole feature map, until the drag goes on.
        motion_losses: each point's term of `loss`, in the order of the edit at that time; NaN for a point at rest.
        mask_loss: the mask's term of `loss`, lambda L_fix; None where everything may move.
        gradient_norms: norm of the gradient of `loss` in each of the num_ws rows.
        config: settings of the drag that made the step; None in a record from an older file.
        kept: feature maps and picture that a record kept of the step.
        slid: whether the drag ended as lost because a point slid along a plain part of the picture. False in a record
            that was read from a file.
    """

    index: int
    ws: Float[Tensor, "1 num_ws w_dim"]
    edit: Edit
    handles: tuple[Point, ...]
    tracking_error: tuple[float, ...]
    loss: float | None
    ended: Ending | None
    seconds: float
    references: References | None = field(default=None, repr=False)
    generator: Generator | None = field(default=None, repr=False)
    current: CurrentFeatures = field(default_factory=lambda: CurrentFeatures(None), repr=False)
    motion_losses: tuple[float, ...] = ()
    mask_loss: float | None = None
    gradient_norms: tuple[float, ...] = field(default=(), repr=False)
    config: DragConfig | None = field(default=None, repr=False)
    kept: Kept = field(default_factory=Kept, repr=False)
    slid: bool = field(default=False, repr=False)

    @property
    def targets(self) -> tuple[Point, ...]:
        """The target points, (x, y) in image px."""
        return self.edit.targets

    @property
    def distances(self) -> tuple[float, ...]:
        """Distance from each handle to its target, image px."""
        return tuple(distance(p, t) for p, t in zip(self.handles, self.targets, strict=True))

    @property
    def advice(self) -> str | None:
        """Why the drag is over at this step, and what a person can do about it, in a sentence; None where it is not."""
        if self.ended is None:
            return None
        return advice(self.ended, self.edit, self.config or DragConfig(), self.slid)

    @in_own_modes
    def pixels(self, cancelled: Callable[[], bool] | None = None) -> UInt8[np.ndarray, "height width 3"]:
        """The picture as 8-bit RGB.

        Args:
            cancelled: as in `Generator.image`.

        Raises:
            Cancelled: `cancelled` answered True.
            RecordError: the step was read from a file without its generator.
        """
        kept = self.kept.picture()
        if kept is not None:
            return kept
        generator = self._required_generator()
        with torch.no_grad():
            picture = generator.image(self.ws, self.current.get(), cancelled)[0]
        if not bool(torch.isfinite(picture).all()):
            raise NotFinite("picture", self.index, max(self.index - 1, 0))
        return to_uint8(picture)

    def picture(self) -> Image.Image:
        """The picture: the same pixels at any time and on any thread."""
        return Image.fromarray(self.pixels())

    def preview(self) -> Float[Tensor, "3 height width"]:
        """A cheap, smaller picture in [-1, 1], while this step is the current one.

        Raises:
            ConfigError: the drag went on, or the generator has no preview for the supervised block.
        """
        features = self.current.whole()
        if features is None:
            raise ConfigError(
                f"step {self.index} is no longer the current one; expected the newest step; take picture() instead"
            )
        return self._required_generator().preview(features, self.ws)

    @in_own_modes
    def features(self, block: int) -> FeatureMap:
        """The whole feature map of a block at this step, without a graph."""
        held = self.current.get()
        if held is not None and held.block == block:
            return held
        kept = self.kept.features(block)
        if kept is not None:
            values = torch.from_numpy(kept)
            return FeatureMap.of(block, values if self.generator is None else values.to(self.generator.device))
        with torch.no_grad():
            return self._required_generator().features(self.ws, block)

    def _required_generator(self) -> Generator:
        if self.generator is None:
            raise RecordError("this step was read without its generator; call DragRecord.load(path, generator)")
        return self.generator
