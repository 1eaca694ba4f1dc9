"""One step of a drag, and the record of many."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.ending import Ending
from draggan_widget.engine.faults import NotFinite
from draggan_widget.engine.references import References
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.generators.generator import FeatureMap, Generator
from draggan_widget.geometry import Point, distance
from draggan_widget.images import to_uint8


class CurrentFeatures:
    """The whole feature map of a step, as long as no later step was begun.

    Args:
        features: the whole map; None where the step computed windows of it only.
        make: computes it then, for whoever asks.
    """

    def __init__(self, features: FeatureMap | None, make: Callable[[], FeatureMap] | None = None):
        self._features, self._make = features, make
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return CurrentFeatures, (self._features,)  # a copy does not compute

    def get(self) -> FeatureMap | None:
        """The whole map where it is held; None once the drag went on, or where nobody computed it."""
        return self._features

    def whole(self) -> FeatureMap | None:
        """The whole map, computed and kept where it is not held; None once the drag went on."""
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
        """Let the map go."""
        with self._lock:
            self._features = self._make = None


@dataclass(frozen=True, eq=False)
class DragStep:
    """One step of a drag; it owns its data and stays valid after the drag went on.

    Attributes:
        index: counted from 0, the untouched start, within its drag.
        ws: the latent, (1, num_ws, w_dim).
        edit: what was asked for at this step.
        handles: the tracked handles, (x, y) in image px.
        tracking_error: e_i = ||F(p) - f|| / ||f|| of each handle.
        loss: of the supervision that led here; None where there was none.
        ended: why the drag is over, on its last step.
        seconds: since the drag began.
        references: anchors and tracked handles: hand them to `drag(..., resume=)` to go on from here; None in a
            record read from a file.
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

    @property
    def targets(self) -> tuple[Point, ...]:
        """Where the handles should go, (x, y) in image px."""
        return self.edit.targets

    @property
    def distances(self) -> tuple[float, ...]:
        """From each handle to its target, image px."""
        return tuple(distance(p, t) for p, t in zip(self.handles, self.targets, strict=True))

    def pixels(self, cancelled: Callable[[], bool] | None = None) -> np.ndarray:
        """The picture as (height, width, 3) uint8; `cancelled` as in `Generator.image`."""
        generator = self._drawn_by()
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
            ConfigError: the drag went on, or the generator has no preview for its block.
        """
        features = self.current.whole()
        if features is None:
            raise ConfigError(f"step {self.index} is no longer the current one; expected that; take picture() instead")
        return self._drawn_by().preview(features, self.ws)

    def features(self, block: int) -> FeatureMap:
        """The whole feature map of a block at this step, without a graph."""
        held = self.current.get()
        if held is not None and held.block == block:
            return held
        with torch.no_grad():
            return self._drawn_by().features(self.ws, block)

    def _drawn_by(self) -> Generator:
        if self.generator is None:
            raise RecordError("this step was read without its generator; call DragRecord.load(path, generator)")
        return self.generator


class DragRecord:
    """Every step of a drag and of its continuations, in order.

    Attributes:
        steps: the steps so far.
        about: generator, seed, configuration and versions, as plain values.
    """

    def __init__(self, about: dict[str, object] | None = None, steps: list[DragStep] | None = None):
        self.about = dict(about or {})
        self.steps = list(steps or [])

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[DragStep]:
        return iter(list(self.steps))

    @overload
    def __getitem__(self, index: int) -> DragStep: ...
    @overload
    def __getitem__(self, index: slice) -> list[DragStep]: ...
    def __getitem__(self, index: int | slice) -> DragStep | list[DragStep]:
        return self.steps[index]

    def __repr__(self) -> str:
        ended = f", {self.steps[-1].ended}" if self.steps and self.steps[-1].ended else ""
        return f"DragRecord({len(self)} steps{ended})"

    def append(self, step: DragStep) -> None:
        """Note one step."""
        self.steps.append(step)

    @property
    def starts(self) -> list[int]:
        """Where a drag began: there Adam starts anew."""
        return [position for position, step in enumerate(self.steps) if step.index == 0]

    @property
    def ws(self) -> Float[np.ndarray, "steps num_ws w_dim"]:
        """Every latent."""
        if not self.steps:
            raise RecordError("the record has 0 steps; expected at least one; start a drag first")
        return torch.cat([step.ws for step in self.steps]).cpu().numpy()

    @property
    def handles(self) -> Float[np.ndarray, "steps points 2"]:
        """Tracked handles, (x, y) in image px; NaN where a step had fewer points."""
        return self._padded([step.handles for step in self.steps], 2)

    @property
    def targets(self) -> Float[np.ndarray, "steps points 2"]:
        """Targets, (x, y) in image px; NaN where a step had fewer points."""
        return self._padded([step.targets for step in self.steps], 2)

    @property
    def distances(self) -> Float[np.ndarray, "steps points"]:
        """From handle to target, image px; NaN where a step had fewer points."""
        return self._padded([step.distances for step in self.steps], 1)[..., 0]

    @property
    def tracking_error(self) -> Float[np.ndarray, "steps points"]:
        """e_i of each step; NaN where a step had fewer points."""
        return self._padded([step.tracking_error for step in self.steps], 1)[..., 0]

    @property
    def loss(self) -> Float[np.ndarray, " steps"]:
        """Loss that led to each step; NaN where there was none."""
        return np.array([np.nan if step.loss is None else step.loss for step in self.steps])

    @property
    def seconds(self) -> Float[np.ndarray, " steps"]:
        """Since the step's own drag began."""
        return np.array([step.seconds for step in self.steps])

    def save(self, path: str | Path) -> Path:
        """Write the record to an .npz file, whole or not at all."""
        from draggan_widget.engine.record_file import save_record

        return save_record(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, generator: Generator | None = None) -> "DragRecord":
        """Read a record; with its generator the steps can be drawn again.

        Raises:
            RecordError: the file is not a record, is truncated or was altered.
        """
        from draggan_widget.engine.record_file import load_record

        return load_record(Path(path), generator)

    def _padded(self, rows: list[tuple], width: int) -> np.ndarray:
        most = max((len(row) for row in rows), default=0)
        padded = np.full((len(rows), most, width), np.nan)
        for values, row in zip(padded, rows, strict=True):
            if row:
                values[: len(row)] = np.asarray(row).reshape(len(row), width)
        return padded
