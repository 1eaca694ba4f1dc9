"""`DragRecord`: every step of a drag, as arrays and tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, overload

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from draggan_widget.counts import counted
from draggan_widget.engine.keep import Keep, Keeper
from draggan_widget.engine.record_file import load_record, save_record
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import RecordError
from draggan_widget.files import as_path
from draggan_widget.generators.generator import Generator
from draggan_widget.torch_modes import in_own_modes

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class LazySequence(Generic[T]):
    """Per-step values of a record, computed when read: by position, by slice, or in a loop."""

    def __init__(self, steps: Sequence[DragStep], get: Callable[[DragStep], T]):
        self._steps, self._get = tuple(steps), get

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "LazySequence[T]": ...
    def __getitem__(self, index: int | slice) -> "T | LazySequence[T]":
        if isinstance(index, slice):
            return LazySequence(self._steps[index], self._get)
        return self._get(self._steps[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._get, self._steps)


class DragRecord:
    """Every step of a drag and of its continuations, in order.

    Latents and numbers are kept of every step. Feature maps and pictures are kept of the steps that `keep` names, and
    are computed again from the latent for the others. Without steps, every array and table is empty.

    Attributes:
        steps: the steps so far. Each further drag, also one that goes on after an end, adds its start, with index 0.
        about: generator, seed, settings and versions, as plain values (`about_drag`).
        keeper: keeps the feature maps and pictures; `keeper.folder` is the folder of those past the memory budget.

    Examples:
        >>> from draggan_widget import DragRecord, Edit, drag, load_generator
        >>> generator = load_generator("heads", device="cpu")
        >>> steps = drag(generator, generator.ws_from_seed(3, 0.7), Edit([(64, 70)], [(76, 72)]))
        >>> DragRecord(steps=[next(steps), next(steps)]).handles.shape
        (2, 1, 2)
    """

    def __init__(
        self,
        about: dict[str, object] | None = None,
        steps: Iterable[DragStep] = (),
        keep: Keep | Keeper | None = None,
        start: Float[Tensor, "_ num_ws w_dim"] | None = None,
    ):
        """Begin a record.

        Args:
            about: how the record is made, as `about_drag` says it.
            steps: first steps of the record; nothing more is kept of them.
            keep: what `append` keeps of each step besides latents and numbers.
            start: a latent of the generator, for shape and type of `ws` as long as there are no steps; None:
                (0, 0, 0).
        """
        self.about = dict(about or {})
        self.steps = list(steps)
        self._start = torch.zeros(0, 0, 0, dtype=torch.float32, device="cpu") if start is None else start
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
        return f"DragRecord({counted(len(steps), 'step')}{ended})"

    def append(self, step: DragStep) -> None:
        """Add the newest step, and keep of it what `keep` names.

        Raises:
            ConfigError: `keep` names a block that the generator lacks.
            RecordError: a file cannot be written; latent and numbers are kept.
        """
        self.steps.append(step)
        self.keeper.take(step, len(self.steps) - 1)

    @property
    def starts(self) -> list[int]:
        """Position of the first step of each drag, where Adam starts anew."""
        return [position for position, step in enumerate(self.steps) if step.index == 0]

    @property
    def ws(self) -> Float[np.ndarray, "steps num_ws w_dim"]:
        """The latent of each step."""
        return torch.cat([step.ws for step in self.steps] or [self._start[:0]]).cpu().numpy()

    @property
    def trajectories(self) -> "pd.DataFrame":
        """One row for each step and point: step, point, x, y, target_x, target_y, distance, tracking_error.

        `step` is the position in the record, from 0; `point` counts from 1, as in the widget; lengths are image px.
        There is no row for a point that a step did not have.
        """
        import pandas as pd

        record = so_far(self)
        handles = record.handles
        steps, points = np.nonzero(~np.isnan(handles[..., 0]))
        columns = {"step": steps, "point": points + 1}
        for prefix, values in (("", handles), ("target_", record.targets)):
            columns |= {f"{prefix}{name}": values[steps, points, axis] for axis, name in enumerate("xy")}
        for name, values in (("distance", record.distances), ("tracking_error", record.tracking_error)):
            columns[name] = values[steps, points]
        return pd.DataFrame(columns)

    def features(self, block: int) -> "LazySequence[Float[np.ndarray, 'channels height width']]":
        """The whole feature map of a block at each step: as it was kept, or computed when read."""
        return LazySequence(self.steps, lambda step: step.features(block).whole.cpu().numpy())

    @property
    def pictures(self) -> "LazySequence[Image.Image]":
        """The picture of each step: as it was kept, or drawn when read."""
        return LazySequence(self.steps, DragStep.picture)

    @property
    def handles(self) -> Float[np.ndarray, "steps points 2"]:
        """Tracked handles of each step, (x, y) in image px; NaN where a step had fewer points."""
        return self._padded([step.handles for step in self.steps], 2)

    @property
    def targets(self) -> Float[np.ndarray, "steps points 2"]:
        """Targets of each step, (x, y) in image px; NaN where a step had fewer points."""
        return self._padded([step.targets for step in self.steps], 2)

    @property
    def distances(self) -> Float[np.ndarray, "steps points"]:
        """Distance from each handle to its target, image px; NaN where a step had fewer points."""
        return self._padded([step.distances for step in self.steps], 1)[..., 0]

    @property
    def tracking_error(self) -> Float[np.ndarray, "steps points"]:
        """Tracking error e_i of each handle; NaN where a step had fewer points."""
        return self._padded([step.tracking_error for step in self.steps], 1)[..., 0]

    @property
    def loss(self) -> Float[np.ndarray, " steps"]:
        """The loss that led to each step; NaN where there was none."""
        return np.array([np.nan if step.loss is None else step.loss for step in self.steps])

    @property
    def motion_losses(self) -> Float[np.ndarray, "steps points"]:
        """Each point's term of the loss; NaN where there was none."""
        steps = tuple(self.steps)
        points = max((len(step.handles) for step in steps), default=0)
        return self._padded([step.motion_losses for step in steps], 1, points)[..., 0]

    @property
    def mask_loss(self) -> Float[np.ndarray, " steps"]:
        """The mask's term of the loss; NaN where there was none."""
        return np.array([np.nan if step.mask_loss is None else step.mask_loss for step in self.steps])

    @property
    def gradient_norms(self) -> Float[np.ndarray, "steps num_ws"]:
        """Norm of the loss's gradient in each row of the latent; NaN where there was none."""
        steps = tuple(self.steps)
        rows = max((step.ws.shape[1] for step in steps), default=self._start.shape[1])
        return self._padded([step.gradient_norms for step in steps], 1, rows)[..., 0]

    @property
    def seconds(self) -> Float[np.ndarray, " steps"]:
        """Wall-clock time since the step's own drag began, with pauses and the time that a loop over the steps took."""
        return np.array([step.seconds for step in self.steps])

    def save(self, path: str | Path) -> Path:
        """Write latents, edits and numbers to an .npz file, whole or not at all.

        Feature maps and pictures are not written: `save_features` and `save_picture` write those.

        Args:
            path: path of the file; it gets the ending .npz if it has another.

        Returns:
            The path of the file that was written.

        Raises:
            RecordError: the file cannot be written.

        Examples:
            >>> import tempfile
            >>> from draggan_widget import DragRecord
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     DragRecord.load(DragRecord().save(f"{folder}/drag.npz"))
            DragRecord(0 steps)
        """
        record = so_far(self)
        tables = {
            "ws": record.ws,
            "handles": record.handles,
            "tracking_error": record.tracking_error,
            "motion_losses": record.motion_losses,
            "gradient_norms": record.gradient_norms,
        }
        return save_record(as_path(path, "path", RecordError), record.about, record.steps, tables)

    @classmethod
    @in_own_modes
    def load(cls, path: str | Path, generator: Generator | None = None) -> "DragRecord":
        """Read a record from a file that `save` wrote.

        Args:
            path: path of the file.
            generator: the generator that made the record, to draw its steps again; None: numbers and latents alone.

        Raises:
            RecordError: the file does not exist, is not a record, is truncated or was altered, or does not fit the
                generator.
        """
        about, steps, ws = load_record(as_path(path, "path", RecordError), generator)
        return cls(about, steps, start=ws[:0])

    def _padded(self, rows: list[tuple], width: int, least: int = 0) -> np.ndarray:
        most = max([least, *map(len, rows)])
        padded = np.full((len(rows), most, width), np.nan)
        for values, row in zip(padded, rows, strict=True):
            if row:
                values[: len(row)] = np.asarray(row).reshape(len(row), width)
        return padded


def so_far(record: DragRecord) -> DragRecord:
    """A copy of the record with the steps so far, which does not grow when a worker adds steps to the record.

    Raises:
        RecordError: it is not a record.
    """
    if not isinstance(record, DragRecord):
        raise RecordError(
            f"record is of type {type(record).__name__}; expected a DragRecord; pass session.record or "
            "DragRecord.load(path)"
        )
    return DragRecord(record.about, record.steps, start=record._start)
