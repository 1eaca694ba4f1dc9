"""What goes wrong in a drag: numbers that are no longer finite, and memory that ran out."""

import pytest
import torch
from analytic import BlobGenerator
from session.helpers import EDIT

from draggan_widget import DragSession
from draggan_widget.engine.errors import NotFinite
from draggan_widget.errors import DragError


class Broken(BlobGenerator):
    """Its maps, or its pictures alone, go wrong after some calls."""

    def __init__(self, good: int, error: Exception | None = None, pictures: bool = False):
        super().__init__()
        self.good, self.error, self.pictures, self.freed = good, error, pictures, 0

    def features(self, ws, block, windows=None):
        features = super().features(ws, block, windows)
        if self.pictures or self.calls <= self.good:
            return features
        if self.error is not None:
            raise self.error
        return type(features)(block, features.size, features.windows, tuple(v * torch.nan for v in features.values))

    def image(self, ws, features=None, cancelled=None):
        picture = super().image(ws, features, cancelled)
        return picture * torch.nan if self.pictures and self.calls > self.good else picture

    def free_memory(self):
        self.freed += 1


def failed(generator: BlobGenerator) -> tuple[DragSession, DragError]:
    session = DragSession(generator)
    session.edit = EDIT
    with pytest.raises(DragError) as caught:
        session.run()
    return session, caught.value


def test_a_map_that_is_not_finite_stops_the_drag_at_the_last_good_latent():
    session, error = failed(Broken(good=4))
    assert str(error) == (
        "the feature map of step 4 holds NaN or infinity; the latent of step 3 is kept: "
        "go on from it with a lower learning_rate"
    )
    assert [step.index for step in session.record] == [0, 1, 2, 3]
    assert session.current.index == 3
    assert session.status == "idle"
    assert session.last_error is error
    session.close()


def test_a_picture_that_is_not_finite_stops_the_drag_and_gives_the_step_before_back():
    session = DragSession(Broken(good=4, pictures=True))
    session.edit = EDIT
    session.on_step(lambda step: step.picture())
    with pytest.raises(NotFinite, match="^the picture of step 4 holds NaN or infinity; the latent of step 3 is kept: "):
        session.run()
    assert [step.index for step in session.record] == [0, 1, 2, 3]
    assert session.current.index == 3
    session.close()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 1.00 GiB free."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 2684354560 bytes."),
    ],
)
def test_running_out_of_memory_pauses_and_says_what_was_needed(error: Exception):
    generator = Broken(good=3, error=error)
    session, told = failed(generator)
    needed = "2.50 GiB" if isinstance(error, torch.OutOfMemoryError) else "2684354560 bytes"
    assert str(told) == (
        f"memory ran out after step 2: {needed} more was needed; the latent of step 2 is kept. "
        "A lower block in DragConfig, no mask, or closing other sessions lowers the need; then start again"
    )
    assert generator.freed == 1
    assert session.current.current.get() is None
    generator.error, generator.good = None, 10**9
    session.run()
    assert session.current.ended == "arrived"
    session.close()


def test_another_error_of_the_generator_is_passed_on_as_it_is():
    session = DragSession(Broken(good=2, error=ValueError("odd")))
    session.edit = EDIT
    with pytest.raises(ValueError, match="^odd$"):
        session.run()
    session.close()
