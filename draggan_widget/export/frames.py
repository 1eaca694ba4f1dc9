"""The pictures of a record, one for each step, as a video shows them; each is drawn when it is needed."""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.inspection.draw_points import draw_points, point_starts, points_at
from draggan_widget.inspection.records import require_steps

SMALLEST = 512  # px: smaller pictures are enlarged to this size, as in the widget
SIDES = (16, 4096)  # px: allowed values of `size`


@dataclass(frozen=True)
class RecordFrames:
    """The steps of a record as pictures of one size; iterating draws them and holds one at a time.

    Attributes:
        record: record of a drag, with its generator.
        paths: whether handles, targets and the handles' paths so far are drawn.
        size: (width, height) of every picture, px.
    """

    record: DragRecord
    paths: bool
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.record)

    def __iter__(self) -> Iterator[Image.Image]:
        starts = point_starts(self.record.steps)
        return (self._draw(position, starts[position]) for position in range(len(self)))

    def __getitem__(self, position: int) -> Image.Image:
        return self._draw(position, point_starts(self.record.steps)[position])

    def _draw(self, position: int, starts: tuple[int, ...]) -> Image.Image:
        picture = self.record[position].picture()
        scale = self.size[0] / picture.width
        if picture.size != self.size:
            picture = picture.resize(self.size, Image.Resampling.LANCZOS)
        if not self.paths:
            return picture
        return draw_points(picture, points_at(self.record.steps, position, starts), scale)


def make_frames(record: DragRecord, paths: bool, side: int | None, largest: int | None = None) -> RecordFrames:
    """Prepare the pictures of a record.

    Args:
        record: record of a drag, with its generator.
        paths: whether handles, targets and the handles' paths so far are drawn.
        side: longer side of the pictures, px; None: the generator's, at least 512 px and at most `largest`.
        largest: limit for `side=None`, px.

    Raises:
        RecordError: the record is empty, or was read from a file without its generator.
        ConfigError: `side` is not a whole number from 16 to 4096.
    """
    record = require_steps(record)
    if side is not None and (isinstance(side, bool) or not isinstance(side, int) or not SIDES[0] <= side <= SIDES[1]):
        raise ConfigError(f"size is {side!r}; expected whole px from {SIDES[0]} to {SIDES[1]}, or None")
    if record[0].generator is None:
        raise RecordError("this record was read without its generator; call DragRecord.load(path, generator)")
    height, width = record[0].generator.image_size
    own = max(height, width)
    wanted = min(max(own, SMALLEST), largest or own * SMALLEST) if side is None else side
    return RecordFrames(record, paths, (_round_to_even(width * wanted / own), _round_to_even(height * wanted / own)))


def _round_to_even(side: float) -> int:
    """The nearest even number: H.264 as most players read it stores one colour for 2 x 2 pixels."""
    return max(2 * round(side / 2), 2)
