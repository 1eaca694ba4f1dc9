import io

import numpy as np
import pytest
import torch
from PIL import Image

from draggan_widget.images import encode, poster, to_uint8


def noise(height: int = 24, width: int = 40) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(side: int = 512) -> np.ndarray:
    y, x = np.mgrid[:side, :side] * (255 / side)
    return np.stack([x, y, (x + y) / 2], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("value", "level"),
    [(-1.0, 0), (1.0, 255), (0.0, 128), (-2.0, 0), (3.0, 255), (-0.99, 1), (0.5, 191), (1 / 127.5 - 1.0, 1)],
)
def test_known_values_have_known_levels(value: float, level: int):
    pixels = to_uint8(torch.full((3, 2, 5), value))
    assert pixels.shape == (2, 5, 3)
    assert (pixels == level).all()


def test_axes_and_channels_keep_their_places():
    picture = torch.full((3, 4, 6), -1.0)
    picture[1, 2, 5] = 1.0
    pixels = to_uint8(picture)
    assert pixels[2, 5].tolist() == [0, 255, 0]
    assert pixels.sum() == 255


def test_every_level_comes_back_from_its_picture():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    picture = torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1.0
    assert np.array_equal(to_uint8(picture), pixels)


def test_a_picture_is_neither_changed_nor_shared():
    picture = torch.zeros(3, 2, 2)
    to_uint8(picture)[:] = 7
    assert torch.equal(picture, torch.zeros(3, 2, 2))


def test_a_picture_with_a_graph_is_taken_without_it():
    assert (to_uint8(torch.zeros(3, 2, 2, requires_grad=True)) == 128).all()


def test_png_keeps_every_pixel():
    decoded = Image.open(io.BytesIO(encode(noise(), "image/png")))
    assert decoded.format == "PNG"
    assert np.array_equal(np.asarray(decoded), noise())


def test_jpeg_keeps_the_picture_to_the_eye_and_quality_costs_bytes():
    data = encode(smooth(), "image/jpeg")
    decoded = Image.open(io.BytesIO(data))
    assert (decoded.format, decoded.size) == ("JPEG", (512, 512))
    error = np.asarray(decoded).astype(float) - smooth()
    assert 10 * np.log10(255**2 / (error**2).mean()) > 40
    assert len(encode(smooth(), "image/jpeg", quality=20)) < len(data)


def test_a_small_picture_which_is_shown_enlarged_keeps_its_colours_apart():
    stripes = np.zeros((128, 128, 3), dtype=np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 200
    error = np.asarray(Image.open(io.BytesIO(encode(stripes, "image/jpeg")))).astype(float) - stripes
    assert np.abs(error).max() < 20
    assert len(encode(smooth(128), "image/jpeg")) < 16 * 1024


def test_another_kind_of_file_is_refused():
    with pytest.raises(ValueError, match="mime") as caught:
        encode(noise(), "image/webp")
    assert str(caught.value) == "mime is 'image/webp'; expected 'image/jpeg' or 'image/png'"


@pytest.mark.parametrize("pixels", [smooth(), noise(512, 512), noise(1024, 256)], ids=["smooth", "noise", "tall"])
def test_a_poster_is_a_small_jpeg_of_the_same_shape(pixels: np.ndarray):
    data = poster(pixels)
    width, height = Image.open(io.BytesIO(data)).size
    assert len(data) <= 32 * 1024
    assert max(width, height) <= 384
    assert width / height == pytest.approx(pixels.shape[1] / pixels.shape[0], rel=0.02)


def test_a_poster_shrinks_until_it_fits():
    largest = poster(noise(512, 512), limit=1 << 20)
    smaller = poster(noise(512, 512), limit=8 * 1024)
    assert max(Image.open(io.BytesIO(largest)).size) == 384
    assert len(smaller) <= 8 * 1024
    assert max(Image.open(io.BytesIO(smaller)).size) < 384


def test_a_poster_that_cannot_fit_ends_at_its_smallest_size():
    assert max(Image.open(io.BytesIO(poster(noise(512, 512), limit=10))).size) <= 32
