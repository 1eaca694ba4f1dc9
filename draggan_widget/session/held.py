"""What a session holds, to be read and kept in a file: generator, latent, record, picture."""

from abc import ABC
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.export.frames import make_frames
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import load_generator
from draggan_widget.geometry import Point
from draggan_widget.session import saved
from draggan_widget.session.controller import Core
from draggan_widget.session.worker import Runner

if TYPE_CHECKING:
    import draggan_widget.session.session


class Held(ABC):
    """The read-only part of `DragSession`."""

    _core: Core

    @property
    def generator(self) -> Generator:
        """What draws the picture."""
        return self._core.generator

    @property
    def runner(self) -> Runner:
        """The worker."""
        return self._core.runner

    @property
    def record(self) -> DragRecord:
        """Every step since the start latent, along the branch one is on."""
        return self._core.record

    @property
    def revision(self) -> int:
        """Counts changes of the points and of the state."""
        return self._core.revision

    @property
    def last_error(self) -> BaseException | None:
        """What stopped the last drag, or None."""
        return self._core.last_error

    @property
    def ws(self) -> Float[Tensor, "1 num_ws w_dim"]:
        """The current latent."""
        return self.current.ws

    @property
    def current(self) -> DragStep:
        """The newest step, or the state at rest before any."""
        return self._core.state.step

    def now(self) -> tuple[DragStep, int]:
        """The newest step and the revision of the edit it stands under, taken together."""
        with self._core.lock:
            return self._core.state.step, self._core.revision

    @property
    def handles(self) -> tuple[Point, ...]:
        """The tracked handles, (x, y) in image px."""
        return self.current.handles

    @property
    def label(self) -> int | None:
        """Class of a conditional generator, or None."""
        return self._core.state.label

    @property
    def status(self) -> str:
        """What the session is doing: "idle", "running" or "closed"."""
        if self.runner.closed:
            return "closed"
        return "idle" if self._core.idle.is_set() else "running"

    @property
    def can_undo(self) -> bool:
        """Whether `undo` would change anything."""
        return self._core.history.can_undo

    @property
    def branches(self) -> int:
        """How many ways `redo` could take: 0 at the tip, over 1 where one went on differently after an undo."""
        return self._core.history.branches

    def picture(self) -> Image.Image:
        """The picture as it is now."""
        return self.current.picture()

    def snapshot(self) -> Image.Image:
        """The picture as it is now with its points and paths; one smaller than 512 px is enlarged to that."""
        step, _ = self.now()
        steps = [*self.record.steps[:-1], step]  # the newest as it stands under the present points
        return make_frames(DragRecord(None, steps), paths=True, side=None)[len(steps) - 1]

    def features(self, block: int | None = None) -> FeatureMap:
        """The whole feature map of a block (None: the supervised one) at the current step."""
        return self.current.features(self._core.config.block if block is None else block)

    def save(self, path: str | Path) -> Path:
        """Write start, settings, points and mask, and what came of them, to one .json file that reproduces the drag.

        The start latent is named by its seed, or held bit for bit where it was given. Every edit made on the way is
        held with its step, and so is every drag that was begun after another ended or was left.

        Raises:
            ExportError: the name ends otherwise, or the file cannot be written; an older one then stays as it was.
        """
        return saved.save(self._core, Path(path))

    @classmethod
    def load(
        cls, path: str | Path, generator: Generator | nn.Module | str | Path
    ) -> "draggan_widget.session.session.DragSession":
        """A session at the start of a saved drag: `run()` makes it again, the same edits at the same steps.

        The handles end within 1 px of the saved ones on any machine, and bit for bit where processor, threads and
        versions are the same. A drag that was stopped stops there again; `start` then goes on. Changing the edit,
        the settings or the state before it has begun makes it an ordinary session; an edit while it runs goes on from
        there.

        Not made again: settings that were changed between two drags of a record (the newest are taken for all), weights
        that were refreshed, and what `load_edit(path).result.not_reproduced` says.

        Args:
            path: written by `save`.
            generator: what it was made with: a `Generator`, a name, a path or a live `G`. Others of the same sizes are
                taken, with a warning.

        Raises:
            ExportError: the file is none, damaged or of a newer version, or does not fit the generator.
            CheckpointError: the generator cannot be loaded.
        """
        session = cls.__new__(cls)
        session._core = saved.opened(Path(path), load_generator(generator))
        return session  # pyright: ignore[reportReturnType]  (the one class below)

    def __repr__(self) -> str:
        state = self._core.state
        start = "a given latent" if state.seed is None else f"seed {state.seed}"
        counts = f"{len(state.edit)} points, {len(self.record)} steps"
        return f"DragSession({self.generator.name}, {start}, {counts}, {self.status})"
