"""A contact sheet of random heads: `python -m heads_training.render.sheet FILE.png --count 64 --size 128`."""

import argparse

import numpy as np
from PIL import Image, ImageDraw

from heads_training.render.head import LANDMARKS
from heads_training.render.renderer import Renderer
from heads_training.render.vector import sample

COLOURS = {"_l": "#40d0ff", "_r": "#60ff60"}


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--columns", type=int)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--landmarks", action="store_true")
    options = parser.parse_args()
    renderer = Renderer(options.size)
    columns = options.columns or round(options.count**0.5)
    sheet = Image.new("RGB", (columns * options.size, -(-options.count // columns) * options.size))
    for number, vector in enumerate(sample(options.count, options.seed)):
        picture, places = renderer.render(vector)
        tile = Image.fromarray(picture)
        if options.landmarks:
            _mark(tile, places)
        sheet.paste(tile, (number % columns * options.size, number // columns * options.size))
    sheet.save(options.file)


def _mark(tile: Image.Image, places: np.ndarray) -> None:
    draw = ImageDraw.Draw(tile)
    for name, (x, y) in zip(LANDMARKS, places, strict=True):
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=COLOURS.get(name[-2:], "#ff4040"))


if __name__ == "__main__":
    main()
