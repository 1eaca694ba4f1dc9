"""What a session holds, to be read: generator, latent, record, picture."""

from abc import ABC

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.export.film import make_film
from draggan_widget.generators.generator import FeatureMap, Generator
from draggan_widget.geometry import Point
from draggan_widget.session.core import Core
from draggan_widget.session.runner import Runner


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
    def last_error(self) -> Exception | None:
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
    def pulling(self) -> bool:
        """Whether a drag runs that nobody has stopped."""
        return self._core.pulling and not self.runner.closed

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
        return make_film(DragRecord(None, steps), paths=True, side=None)[len(steps) - 1]

    def features(self, block: int | None = None) -> FeatureMap:
        """The whole feature map of a block (None: the supervised one) at the current step."""
        return self.current.features(self._core.config.block if block is None else block)

    def __repr__(self) -> str:
        state = self._core.state
        start = "a given latent" if state.seed is None else f"seed {state.seed}"
        counts = f"{len(state.edit)} points, {len(self.record)} steps"
        return f"DragSession({self.generator.name}, {start}, {counts}, {self.status})"
