"""The pictures of a record one after another, as a video shows them: one a step, drawn when it is its turn."""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from draggan_widget.engine.record import DragRecord, so_far
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.inspection.draw_points import came_from, draw_marks, marks_at

LEAST = 512  # px: smaller pictures are shown enlarged to that, as in the widget
SIDES = (16, 4096)  # px that may be asked for


@dataclass(frozen=True)
class Film:
    """A record as pictures of one size; iterating draws them, and holds one at a time.

    Attributes:
        record: of a drag, with its generator.
        paths: whether handles, targets and the ways come so far are drawn.
        size: (width, height) of every picture, px.
    """

    record: DragRecord
    paths: bool
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.record)

    def __iter__(self) -> Iterator[Image.Image]:
        begun = came_from(self.record.steps)
        return (self._draw(place, begun[place]) for place in range(len(self)))

    def __getitem__(self, place: int) -> Image.Image:
        return self._draw(place, came_from(self.record.steps)[place])

    def _draw(self, place: int, begun: tuple[int, ...]) -> Image.Image:
        picture = self.record[place].picture()
        scale = self.size[0] / picture.width
        if picture.size != self.size:
            picture = picture.resize(self.size, Image.Resampling.LANCZOS)
        if not self.paths:
            return picture
        return draw_marks(picture, marks_at(self.record.steps, place, begun), scale)


def make_film(record: DragRecord, paths: bool, side: int | None, most: int | None = None) -> Film:
    """A film whose longer side has `side` px; None: as the pictures are, at least 512 px and at most `most`.

    Raises:
        RecordError: the record is empty or was read without its generator.
        ConfigError: `side` is no whole number from 16 to 4096.
    """
    record = so_far(record)
    if len(record) == 0:
        raise RecordError("the record has 0 steps; expected at least one; start a drag first")
    if side is not None and (isinstance(side, bool) or not isinstance(side, int) or not SIDES[0] <= side <= SIDES[1]):
        raise ConfigError(f"size is {side!r}; expected whole px from {SIDES[0]} to {SIDES[1]}, or None")
    if record[0].generator is None:
        raise RecordError("this record was read without its generator; call DragRecord.load(path, generator)")
    height, width = record[0].generator.image_size
    own = max(height, width)
    wanted = min(max(own, LEAST), most or own * LEAST) if side is None else side
    return Film(record, paths, (_even(width * wanted / own), _even(height * wanted / own)))


def _even(side: float) -> int:
    """The nearest even number: H.264 as everybody's player wants it has one colour for two pixels."""
    return max(2 * round(side / 2), 2)
