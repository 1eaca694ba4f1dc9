"""Writes a GIF picture by picture: one palette for all, and of each picture only the part that changed.

Memory holds one picture; Pillow's own writer of animations holds all of them.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageColor
from PIL.GifImagePlugin import getdata, getheader

from draggan_widget.export.frames import RecordFrames
from draggan_widget.inspection.draw_points import COLOURS

SAMPLED = 9  # pictures from which the palette is made
SAMPLE = 160  # px, side of each of them
ENTRIES = 255  # colours of the palette; entry 255 means "unchanged"
# Thresholds of ordered dithering (Bayer 1973), 8 x 8, from -1/2 to 1/2. They do not move, so parts of the pictures that
# do not change do not change in the GIF either, which then need not store them again.
_2 = np.array([[0, 2], [3, 1]])
_4 = np.block([[4 * _2, 4 * _2 + 2], [4 * _2 + 3, 4 * _2 + 1]])
_8 = np.block([[4 * _4, 4 * _4 + 2], [4 * _4 + 3, 4 * _4 + 1]])
BAYER = ((_8 + 0.5) / 64 - 0.5)[..., None]
SPREAD = 9  # grey levels between the lowest and highest threshold: a little less than the steps of such a palette


def write_gif(frames: RecordFrames, fps: float, rest: float, comment: str, file: BinaryIO) -> None:
    """Write pictures as a GIF that repeats.

    Args:
        frames: pictures of a drag.
        fps: pictures per second; a GIF stores a duration in whole hundredths of a second.
        rest: seconds for which the last picture is shown.
        comment: text of the file's comment.
        file: file to write to.
    """
    palette = make_palette(frames)
    shown_for = max(round(100 / fps), 2) * 10  # ms; browsers show a picture of under 2 hundredths for 10 hundredths
    first = Image.new("P", frames.size)
    first.putpalette(palette.getpalette() or [])
    file.writelines(getheader(first, info={"loop": 0, "comment": comment.encode()[:4000]})[0])
    last = len(frames) - 1
    for position, (corner, changed) in enumerate(_changed_parts(_apply_palette(frames, palette))):
        duration = round(rest * 1000) if position == last else shown_for
        patch = Image.fromarray(changed)
        file.writelines(getdata(patch, corner, duration=duration, disposal=1, transparency=ENTRIES))
    file.write(b";")


def make_palette(frames: RecordFrames) -> Image.Image:
    """Choose 255 colours for all pictures; returned as an image with that palette."""
    positions = sorted({round(position) for position in np.linspace(0, len(frames) - 1, SAMPLED)})
    sheet = Image.new("RGB", (SAMPLE, SAMPLE * len(positions)))
    for row, position in enumerate(positions):
        sheet.paste(frames[position].resize((SAMPLE, SAMPLE), Image.Resampling.BOX), (0, row * SAMPLE))
    fixed = [ImageColor.getrgb(colour)[:3] for colour in (*COLOURS, "white")] if frames.paths else []
    found = sheet.quantize(ENTRIES - len(fixed), Image.Quantize.MEDIANCUT, kmeans=1).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*itertools.chain(*fixed), *found])  # the exact colours of the points
    return palette


def _apply_palette(frames: RecordFrames, palette: Image.Image) -> Iterator[UInt8[np.ndarray, "height width"]]:
    height, width = frames.size[1], frames.size[0]
    shift = SPREAD * np.tile(BAYER, (height // 8 + 1, width // 8 + 1, 1))[:height, :width]
    for picture in frames:
        dithered = np.clip(np.asarray(picture) + shift, 0, 255).round().astype(np.uint8)
        yield np.asarray(Image.fromarray(dithered).quantize(palette=palette, dither=Image.Dither.NONE))


def _changed_parts(
    pictures: Iterable[UInt8[np.ndarray, "height width"]],
) -> Iterator[tuple[tuple[int, int], UInt8[np.ndarray, "part_height part_width"]]]:
    """The part of each picture that differs from the picture before: its left upper corner (x, y), and its pixels."""
    before: np.ndarray | None = None
    for picture in pictures:
        if before is None:
            yield (0, 0), picture
        else:
            differs = picture != before
            rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
            if len(rows) == 0:
                rows = columns = np.zeros(1, int)  # an unchanged picture becomes a picture of 1 px
            part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            yield (int(columns[0]), int(rows[0])), np.where(differs, picture, np.uint8(ENTRIES))[part]
        before = picture
