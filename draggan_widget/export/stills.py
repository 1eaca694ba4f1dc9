"""Pictures of a record, encoded small enough for one page."""

import io
from dataclasses import dataclass

from PIL import Image

from draggan_widget.engine.record import DragRecord, DragStep

LIMIT = 6_000_000  # bytes, all pictures together; base64 in a page takes a third more
MOST = 150  # largest number of pictures
SIZES = ((1024, 85), (1024, 75), (768, 75), (512, 75), (384, 70), (256, 65), (192, 55), (128, 50))  # side px, quality
# px: pictures up to this size are encoded without loss, because a page enlarges them, and with them the halved colour
# resolution of lossy WebP. Their files are small all the same.
LOSSLESS = 256
SAMPLED = 3  # pictures from which the first size is estimated


@dataclass(frozen=True)
class Stills:
    """Pictures of some steps of a record.

    Attributes:
        pictures: WebP files, in order; the last is the picture of the last step.
        steps: number of steps of the record.
        every: number of steps that share one picture.
        side: longer side of each picture, px.
    """

    pictures: tuple[bytes, ...]
    steps: int
    every: int
    side: int

    def index_of(self, position: int) -> int:
        """Index of the picture that a step shows: its own, or the newest before it."""
        return len(self.pictures) - 1 if position == self.steps - 1 else position // self.every


def make_stills(record: DragRecord) -> Stills:
    """Draw a record's pictures at the best size and quality at which all of them fit.

    Raises:
        RecordError: the record was read from a file without its generator.
    """
    every = -(-len(record) // MOST)
    positions = list(range(0, len(record), every))
    if positions[-1] != len(record) - 1:
        positions.append(len(record) - 1)
    steps = [record[position] for position in positions]
    for side, quality in SIZES[_first_candidate(steps) :]:
        pictures = _encode_within_limit(steps, side, quality)
        if pictures is not None:
            break
    else:
        pictures = tuple(_encode(step.picture(), *SIZES[-1]) for step in steps)
    return Stills(pictures, len(record), every, max(Image.open(io.BytesIO(pictures[0])).size))


def _first_candidate(steps: list[DragStep]) -> int:
    """Index of the first of SIZES that fits, estimated from a few steps."""
    few = [step.picture() for step in steps[:: max(len(steps) // SAMPLED, 1)]]
    for index, (side, quality) in enumerate(SIZES):
        if sum(len(_encode(picture, side, quality)) for picture in few) / len(few) * len(steps) <= LIMIT:
            return index
    return len(SIZES) - 1


def _encode_within_limit(steps: list[DragStep], side: int, quality: int) -> tuple[bytes, ...] | None:
    """Encode all pictures; None if they do not fit."""
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
    exact = max(picture.size) <= LOSSLESS and quality == SIZES[0][1]
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=exact, quality=quality, method=3)
    return buffer.getvalue()
