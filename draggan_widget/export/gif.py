"""A GIF picture by picture: memory for one, one palette for all, and only what changed from one to the next.

Pillow's own writer of animations keeps every picture until the last.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageColor
from PIL.GifImagePlugin import getdata, getheader

from draggan_widget.export.frames import Film
from draggan_widget.inspection.draw_points import COLOURS

SAMPLED = 9  # steps from which the palette is made
SAMPLE = 160  # px of each
ENTRIES = 255  # and one for "as before"
# Thresholds of ordered dithering (Bayer 1973), 8 x 8, from -1/2 to 1/2. They stand still, so what rests in the pictures
# rests in the GIF, which then need not hold it again.
_2 = np.array([[0, 2], [3, 1]])
_4 = np.block([[4 * _2, 4 * _2 + 2], [4 * _2 + 3, 4 * _2 + 1]])
_8 = np.block([[4 * _4, 4 * _4 + 2], [4 * _4 + 3, 4 * _4 + 1]])
BAYER = ((_8 + 0.5) / 64 - 0.5)[..., None]
SPREAD = 9  # grey levels between the lowest threshold and the highest: a little under the steps of such a palette


def write_gif(film: Film, fps: float, rest: float, comment: str, file: BinaryIO) -> None:
    """Write a film as a GIF that repeats.

    Args:
        film: of a drag.
        fps: pictures a second, kept as whole hundredths of a second.
        rest: seconds for which the last picture stays.
        comment: for whoever looks into the file.
        file: to write to.
    """
    palette = make_palette(film)
    held = max(round(100 / fps), 2) * 10  # ms; browsers show less than 2 hundredths as 10
    first = Image.new("P", film.size)
    first.putpalette(palette.getpalette() or [])
    file.writelines(getheader(first, info={"loop": 0, "comment": comment.encode()[:4000]})[0])
    last = len(film) - 1
    for place, (box, changed) in enumerate(_changes(_indexed(film, palette))):
        duration = round(rest * 1000) if place == last else held
        patch = Image.fromarray(changed)
        file.writelines(getdata(patch, box, duration=duration, disposal=1, transparency=ENTRIES))
    file.write(b";")


def make_palette(film: Film) -> Image.Image:
    """255 colours that serve the whole film, in an image that carries them."""
    places = sorted({round(place) for place in np.linspace(0, len(film) - 1, SAMPLED)})
    sheet = Image.new("RGB", (SAMPLE, SAMPLE * len(places)))
    for row, place in enumerate(places):
        sheet.paste(film[place].resize((SAMPLE, SAMPLE), Image.Resampling.BOX), (0, row * SAMPLE))
    fixed = [ImageColor.getrgb(colour)[:3] for colour in (*COLOURS, "white")] if film.paths else []
    found = sheet.quantize(ENTRIES - len(fixed), Image.Quantize.MEDIANCUT, kmeans=1).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*itertools.chain(*fixed), *found])  # the points' own colours exactly
    return palette


def _indexed(film: Film, palette: Image.Image) -> Iterator[UInt8[np.ndarray, "height width"]]:
    height, width = film.size[1], film.size[0]
    shift = SPREAD * np.tile(BAYER, (height // 8 + 1, width // 8 + 1, 1))[:height, :width]
    for picture in film:
        dithered = np.clip(np.asarray(picture) + shift, 0, 255).round().astype(np.uint8)
        yield np.asarray(Image.fromarray(dithered).quantize(palette=palette, dither=Image.Dither.NONE))


def _changes(
    pictures: Iterable[UInt8[np.ndarray, "height width"]],
) -> Iterator[tuple[tuple[int, int], UInt8[np.ndarray, "part_height part_width"]]]:
    """Where the part of each picture that differs from the one before begins, (x, y), and that part."""
    before: np.ndarray | None = None
    for picture in pictures:
        if before is None:
            yield (0, 0), picture
        else:
            differs = picture != before
            rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
            if len(rows) == 0:
                rows = columns = np.zeros(1, int)  # a GIF holds a picture a moment longer by one more of 1 px
            part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            yield (int(columns[0]), int(rows[0])), np.where(differs, picture, np.uint8(ENTRIES))[part]
        before = picture
