"""Pictures of a record small enough to stand in one page."""

import io
from dataclasses import dataclass

from PIL import Image

from draggan_widget.engine.record import DragRecord, DragStep

LIMIT = 6_000_000  # bytes of all pictures; in a page they take a third more
MOST = 150  # pictures
TRIED = ((1024, 85), (1024, 75), (768, 75), (512, 75), (384, 70), (256, 65), (192, 55), (128, 50))  # side px, quality
SMALL = (
    256  # px: such a picture is shown enlarged, and with it WebP's halved colours; lossless it is small all the same
)
SAMPLED = 3  # steps from which the first guess is made


@dataclass(frozen=True)
class Stills:
    """Pictures of some steps.

    Attributes:
        pictures: WebP, in order; the last is that of the last step.
        steps: how many steps the record has.
        every: how many of them share one picture.
        side: longer side of each, px.
    """

    pictures: tuple[bytes, ...]
    steps: int
    every: int
    side: int

    def of(self, place: int) -> int:
        """Which picture a step shows: its own or the newest before it."""
        return len(self.pictures) - 1 if place == self.steps - 1 else place // self.every


def make_stills(record: DragRecord) -> Stills:
    """Draw a record's pictures at the best size and quality at which all of them fit.

    Raises:
        RecordError: the record was read without its generator.
    """
    every = -(-len(record) // MOST)
    places = list(range(0, len(record), every))
    if places[-1] != len(record) - 1:
        places.append(len(record) - 1)
    steps = [record[place] for place in places]
    for side, quality in TRIED[_guess(steps) :]:
        pictures = _fitting(steps, side, quality)
        if pictures is not None:
            break
    else:
        pictures = tuple(_encode(step.picture(), *TRIED[-1]) for step in steps)
    return Stills(pictures, len(record), every, max(Image.open(io.BytesIO(pictures[0])).size))


def _guess(steps: list[DragStep]) -> int:
    """Which of TRIED fits, going by a few steps."""
    few = [step.picture() for step in steps[:: max(len(steps) // SAMPLED, 1)]]
    for place, (side, quality) in enumerate(TRIED):
        if sum(len(_encode(picture, side, quality)) for picture in few) / len(few) * len(steps) <= LIMIT:
            return place
    return len(TRIED) - 1


def _fitting(steps: list[DragStep], side: int, quality: int) -> tuple[bytes, ...] | None:
    """All pictures, or None as soon as they no longer fit."""
    pictures: list[bytes] = []
    left = LIMIT
    for step in steps:
        pictures.append(_encode(step.picture(), side, quality))
        left -= len(pictures[-1])
        if left < 0:
            return None
    return tuple(pictures)


def _encode(picture: Image.Image, side: int, quality: int) -> bytes:
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    exact = max(picture.size) <= SMALL and quality == TRIED[0][1]
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=exact, quality=quality, method=3)
    return buffer.getvalue()
