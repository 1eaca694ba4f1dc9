"""The bundled heads draw and drag as they did when they were put into the package."""

import json

import numpy as np
import pytest
from generators import golden_heads
from PIL import Image

from draggan_widget import load_generator
from draggan_widget.generators.generator import Generator


@pytest.fixture(scope="module")
def heads() -> Generator:
    return load_generator("heads", "cpu")


def test_eight_seeds_look_as_they_did(heads: Generator):
    found = golden_heads.pictures(heads).astype(float)
    kept = np.asarray(Image.open(golden_heads.FOLDER / "heads.png"), dtype=float)
    due = np.stack(np.split(kept, len(found), axis=1))
    noise = np.square(found - due).mean((1, 2, 3))
    assert (10 * np.log10(255**2 / np.maximum(noise, 1e-9)) > 40).all(), "dB"
    assert due.std((1, 2, 3)).min() > 20, "not eight grey squares"


def test_a_drag_goes_where_it_went(heads: Generator):
    found = np.array(golden_heads.path_of_a_drag(heads))
    due = np.array(json.loads((golden_heads.FOLDER / "heads_drag.json").read_text()))
    common = min(len(found), len(due))
    assert abs(len(found) - len(due)) <= 2
    assert np.abs(found[:common] - due[:common]).max() <= 1, "px"
    assert np.hypot(*(due[-1] - golden_heads.TARGET)) < 2, "px: it arrived"
