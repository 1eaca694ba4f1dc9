"""The renderer of drawn heads: vectors, symmetry, landmarks, data sets."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the renderer needs scipy")
pytest.importorskip("moderngl", reason="the renderer needs moderngl")

from heads_training.render import mesh
from heads_training.render.dataset import Plan, Shard, write
from heads_training.render.head import LANDMARKS, SWAP
from heads_training.render.renderer import Renderer
from heads_training.render.vector import ENTRIES, FLIP_SIGNS, NAMES, SIZE, mirrored, parameters, sample

pytestmark = pytest.mark.slow

PX = 64


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    if not (mesh.CACHE / mesh.BAKED).exists() and not (mesh.CACHE / mesh.WHEEL).exists():
        pytest.skip(f"no {mesh.WHEEL} in {mesh.CACHE}; run python -m heads_training.render.sheet once")
    try:
        return Renderer(PX)
    except Exception as error:  # noqa: BLE001 - moderngl raises plain Exception when there is no EGL
        pytest.skip(f"no OpenGL by EGL: {error}")


def test_vectors_lie_on_the_sphere_and_look_normal():
    vectors = sample(4000, seed=5)
    assert vectors.shape == (4000, SIZE)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), SIZE**0.5, rtol=1e-5)
    assert np.abs(vectors.mean(0)).max() < 0.08
    assert np.abs(vectors.std(0) - 1).max() < 0.06


def test_names_are_unique_and_maps_rise():
    assert len(set(NAMES)) == SIZE
    places = np.linspace(-4, 4, 41)
    for entry in ENTRIES:
        values = [entry.value(float(v)) for v in places]
        assert (np.diff(values) * np.sign(entry.b - entry.a if entry.kind == "uniform" else entry.b) >= 0).all()


def test_entries_that_flip_are_zero_in_the_mean_head():
    zero = parameters(np.zeros(SIZE))
    assert all(zero[name] == 0 for name, sign in zip(NAMES, FLIP_SIGNS, strict=True) if sign < 0)


def test_yaw_spreads_by_about_nineteen_degrees():
    yaw = [parameters(vector)["yaw"] for vector in sample(2000, seed=6)]
    assert 16 < np.std(yaw) < 21
    assert np.abs(yaw).max() < 45


def test_parameters_change_little_when_the_vector_does():
    for vector in sample(50, seed=7):
        one, other = parameters(vector), parameters(vector * 1.0001)
        assert max(abs(one[name] - other[name]) for name in one) < 0.05


def test_the_swap_of_landmarks_is_its_own_inverse():
    assert [SWAP[k] for k in SWAP] == list(range(len(LANDMARKS)))
    assert LANDMARKS[SWAP[LANDMARKS.index("mouth_l")]] == "mouth_r"
    assert SWAP[LANDMARKS.index("chin")] == LANDMARKS.index("chin")


def test_a_mirrored_vector_gives_the_mirrored_picture(renderer: Renderer):
    for vector in sample(12, seed=8):
        picture, places = renderer.render(vector)
        other, other_places = renderer.render(mirrored(vector))
        assert np.abs(picture[:, ::-1].astype(int) - other).mean() < 0.5
        expected = places[list(SWAP)] * (-1, 1) + (PX - 1, 0)
        np.testing.assert_allclose(other_places, expected, atol=0.05)


def test_the_same_vector_gives_the_same_picture(renderer: Renderer):
    vector = sample(1, seed=9)[0]
    one, places = renderer.render(vector)
    renderer.render(sample(1, seed=10)[0])
    other, other_places = renderer.render(vector)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(places, other_places)


def test_landmarks_of_the_mean_head_stand_where_they_should(renderer: Renderer):
    picture, places = renderer.render(np.zeros(SIZE, np.float32))
    at = dict(zip(LANDMARKS, places, strict=True))
    assert picture.shape == (PX, PX, 3)
    assert picture.dtype == np.uint8
    assert (places > 0).all()
    assert (places < PX - 1).all()
    heights = [at[name][1] for name in ("forehead", "nasion", "nose_tip", "lip_top", "lip_bot", "chin")]
    assert heights == sorted(heights)
    middle = (PX - 1) / 2
    assert all(abs(at[name][0] - middle) < 0.2 for name in ("forehead", "nose_tip", "lip_top", "chin"))
    assert at["pupil_r"][0] < middle < at["pupil_l"][0]
    assert at["ear_lobe_l"][1] > at["ear_top_l"][1] > at["brow_out_l"][1]
    assert at["chin"][1] - at["forehead"][1] > 0.38 * PX


@pytest.mark.usefixtures("renderer")
def test_the_pupils_are_dark_and_the_nose_is_skin():
    large = Renderer(256)
    picture, places = large.render(np.zeros(SIZE, np.float32))
    at = dict(zip(LANDMARKS, np.rint(places).astype(int), strict=True))
    x, y = at["pupil_l"]
    assert picture[y, x].mean() < 90
    x, y = at["nose_tip"]
    assert picture[y, x, 0] > picture[y, x, 2] + 20


def test_landmarks_stay_in_the_picture(renderer: Renderer):
    places = np.stack([renderer.render(vector)[1] for vector in sample(60, seed=11)])
    assert (places > -0.5).all()
    assert (places < PX - 0.5).all()


def test_two_shards_write_what_one_would(renderer: Renderer, tmp_path: Path):
    plan = Plan(count=5, size=PX, seed=3)
    write(tmp_path / "one", plan, Shard(0, 1), renderer)
    for index in range(2):
        write(tmp_path / "two", plan, Shard(index, 2), renderer)
    for name in ("pictures", "landmarks", "vectors"):
        one, two = (np.load(tmp_path / folder / f"{name}.npy") for folder in ("one", "two"))
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(np.load(tmp_path / "one" / "vectors.npy"), sample(5, 3))
    description = json.loads((tmp_path / "one" / "dataset.json").read_text())
    assert description["names"] == list(NAMES)
    assert description["landmark_swap"] == list(SWAP)


def test_an_interrupted_data_set_is_completed(renderer: Renderer, tmp_path: Path):
    plan, shard = Plan(count=4, size=PX, seed=3), Shard(0, 1)
    write(tmp_path, plan, shard, renderer)
    expected = np.load(tmp_path / "pictures.npy")
    pictures = np.lib.format.open_memmap(tmp_path / "pictures.npy", "r+")
    pictures[0], pictures[2:] = 7, 0
    pictures.flush()
    shard.progress(tmp_path).write_text("2")
    write(tmp_path, plan, shard, renderer)
    found = np.load(tmp_path / "pictures.npy")
    assert (found[0] == 7).all()
    np.testing.assert_array_equal(found[1:], expected[1:])
    assert shard.done(tmp_path) == 4


def test_a_folder_of_another_data_set_is_refused(renderer: Renderer, tmp_path: Path):
    write(tmp_path, Plan(count=1, size=PX, seed=3), Shard(0, 1), renderer)
    message = f"{tmp_path} holds another data set; choose an empty folder"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write(tmp_path, Plan(count=1, size=PX, seed=4), Shard(0, 1), renderer)
