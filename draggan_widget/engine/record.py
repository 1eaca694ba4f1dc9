"""The record of a drag's steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, overload

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from draggan_widget.engine.keep import Keep, Keeper
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import RecordError
from draggan_widget.generators.generator import Generator

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Lazily(Generic[T]):
    """Something of each step of a record, had when it is asked for: by place, by slice, or one after another."""

    def __init__(self, steps: Sequence[DragStep], get: Callable[[DragStep], T]):
        self._steps, self._get = tuple(steps), get

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Lazily[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Lazily[T]":
        if isinstance(index, slice):
            return Lazily(self._steps[index], self._get)
        return self._get(self._steps[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._get, self._steps)


class DragRecord:
    """Every step of a drag and of its continuations, in order.

    Latents and numbers are kept of every step; feature maps and pictures of those that `keep` names, and are
    otherwise computed again from the latent when they are asked for.

    Attributes:
        steps: the steps so far. A drag that is begun again, after it ended too, adds its start, a step with index 0.
        about: generator, seed, configuration and versions, as plain values (`about_drag`).
        keeper: of maps and pictures; its `folder` says where those over the budget of memory went.
    """

    def __init__(
        self,
        about: dict[str, object] | None = None,
        steps: Iterable[DragStep] = (),
        keep: Keep | Keeper | None = None,
    ):
        """Begin a record.

        Args:
            about: what is known of how it is made.
            steps: to begin with; they stay as they are.
            keep: what `append` keeps beside latents and numbers.
        """
        self.about = dict(about or {})
        self.steps = list(steps)
        self.keeper = keep if isinstance(keep, Keeper) else Keeper(keep or Keep())

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
        steps = tuple(self.steps)
        ended = f", {steps[-1].ended}" if steps and steps[-1].ended else ""
        return f"DragRecord({len(steps)} steps{ended})"

    def append(self, step: DragStep) -> None:
        """Note the newest step, and keep what is asked for of it.

        Raises:
            ConfigError: a block is to be kept that the generator lacks.
            RecordError: a file is due and cannot be written; latent and numbers are kept.
        """
        self.note(step)
        self.keeper.take(step, len(self.steps) - 1)

    def note(self, step: DragStep) -> None:
        """Note a step's latent and numbers alone."""
        self.steps.append(step)

    @property
    def starts(self) -> list[int]:
        """Where a drag began, its first step with index 0: there Adam starts anew."""
        return [position for position, step in enumerate(self.steps) if step.index == 0]

    @property
    def ws(self) -> Float[np.ndarray, "steps num_ws w_dim"]:
        """Every latent."""
        latents = [step.ws for step in self.steps]
        if not latents:
            raise RecordError("the record has 0 steps; expected at least one; start a drag first")
        return torch.cat(latents).cpu().numpy()

    @property
    def latents(self) -> Float[np.ndarray, "steps num_ws w_dim"]:
        """Every latent; the same as `ws`."""
        return self.ws

    @property
    def trajectories(self) -> "pd.DataFrame":
        """One row a step and point: step, point, x, y, target_x, target_y, distance, tracking_error.

        `step` is the place in the record, from 0; `point` counts from 1, as in the widget; lengths are image px. A
        point that a step lacks has no row.
        """
        import pandas as pd

        record = so_far(self)
        handles = record.handles
        steps, points = np.nonzero(~np.isnan(handles[..., 0]))
        columns = {"step": steps, "point": points + 1}
        for prefix, values in (("", handles), ("target_", record.targets)):
            columns |= {f"{prefix}{axis}": values[steps, points, place] for place, axis in enumerate("xy")}
        for name, values in (("distance", record.distances), ("tracking_error", record.tracking_error)):
            columns[name] = values[steps, points]
        return pd.DataFrame(columns)

    def features(self, block: int) -> "Lazily[Float[np.ndarray, 'channels height width']]":
        """The whole feature maps of a block, one a step: kept, or computed when it is asked for."""
        return Lazily(self.steps, lambda step: step.features(block).whole.cpu().numpy())

    @property
    def pictures(self) -> "Lazily[Image.Image]":
        """The pictures, one a step: kept, or drawn when one is asked for."""
        return Lazily(self.steps, DragStep.picture)

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
    def motion_losses(self) -> Float[np.ndarray, "steps points"]:
        """Each point's term of that loss; NaN where there was none."""
        steps = tuple(self.steps)
        points = max((len(step.handles) for step in steps), default=0)
        return self._padded([step.motion_losses for step in steps], 1, points)[..., 0]

    @property
    def mask_loss(self) -> Float[np.ndarray, " steps"]:
        """The fixed part's term of that loss; NaN where there was none."""
        return np.array([np.nan if step.mask_loss is None else step.mask_loss for step in self.steps])

    @property
    def gradient_norms(self) -> Float[np.ndarray, "steps num_ws"]:
        """Norm of that loss's gradient in each row of the latent; NaN where there was none."""
        steps = tuple(self.steps)
        rows = max((step.ws.shape[1] for step in steps), default=0)
        return self._padded([step.gradient_norms for step in steps], 1, rows)[..., 0]

    @property
    def seconds(self) -> Float[np.ndarray, " steps"]:
        """Since the step's own drag began, by the clock: pauses and what a loop over the steps does are included."""
        return np.array([step.seconds for step in self.steps])

    def save(self, path: str | Path) -> Path:
        """Write the record to an .npz file, whole or not at all.

        Latents, edits and numbers are written; maps and pictures that were kept are not: `save_features` and
        `save_picture` write those.
        """
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

    def _padded(self, rows: list[tuple], width: int, least: int = 0) -> np.ndarray:
        most = max([least, *map(len, rows)])
        padded = np.full((len(rows), most, width), np.nan)
        for values, row in zip(padded, rows, strict=True):
            if row:
                values[: len(row)] = np.asarray(row).reshape(len(row), width)
        return padded


def so_far(record: DragRecord) -> DragRecord:
    """The record as it is now, to be read more than once: the worker of a running drag leaves this one alone."""
    return DragRecord(record.about, record.steps)
