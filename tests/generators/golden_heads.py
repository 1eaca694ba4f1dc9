"""Pictures and a drag of the bundled heads as kept in tests/golden; run as a script, it writes them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from draggan_widget import DragConfig, Edit, drag, load_generator
from draggan_widget.generators.generator import Generator
from draggan_widget.images import to_uint8

FOLDER = Path(__file__).resolve().parents[1] / "golden"
SEEDS = range(8)
PSI = 0.7
HANDLE, TARGET = (78.0, 78.0), (66.0, 78.0)


def pictures(generator: Generator) -> np.ndarray:
    """The pictures of all seeds, (8, height, width, 3), 8-bit."""
    return np.stack([to_uint8(generator.image(generator.ws_from_seed(seed, PSI))[0]) for seed in SEEDS])


def path_of_a_drag(generator: Generator) -> list[list[float]]:
    """The tracked handle at every step of one drag."""
    edit = Edit([HANDLE], [TARGET])
    steps = drag(generator, generator.ws_from_seed(0, PSI), edit, DragConfig.for_generator(generator))
    return [list(step.handles[0]) for step in steps]


def main() -> None:
    """Write the pictures and the drag."""
    generator = load_generator("heads", "cpu")
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(list(pictures(generator)), axis=1)).save(FOLDER / "heads.png", optimize=True)
    path = [[round(x, 2), round(y, 2)] for x, y in path_of_a_drag(generator)]
    (FOLDER / "heads_drag.json").write_text(json.dumps(path) + "\n")


if __name__ == "__main__":
    main()
