"""Reading a map at image positions, against upsampling the whole map and sampling that."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from draggan_widget.generators.feature_map import FeatureMap, read_grid, read_point, taps
from draggan_widget.geometry import Window

SCALES = (2, 4, 8, 16)


def slow_read(values: Tensor, xs: list[float], ys: list[float], image_size: tuple[int, int]) -> Tensor:
    """Upsample the whole map, then read it bilinearly at each position; outside, the edge counts."""
    height, width = image_size
    upsampled = F.interpolate(values[None], size=image_size, mode="bilinear", align_corners=False)[0]
    read = torch.zeros(len(values), len(ys), len(xs), dtype=values.dtype)
    for row, y_wanted in enumerate(ys):
        for column, x_wanted in enumerate(xs):
            x, y = min(max(x_wanted, 0.0), width - 1.0), min(max(y_wanted, 0.0), height - 1.0)
            left, top = math.floor(x), math.floor(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            upper = (left + 1 - x) * upsampled[:, top, left] + (x - left) * upsampled[:, top, right]
            lower = (left + 1 - x) * upsampled[:, bottom, left] + (x - left) * upsampled[:, bottom, right]
            read[:, row, column] = (top + 1 - y) * upper + (y - top) * lower
    return read


def random_map(height: int, width: int, seed: int = 0, channels: int = 3) -> Tensor:
    return torch.randn(channels, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(4, 4), (5, 9), (8, 3)])
def test_every_pixel_equals_the_upsampled_map(scale: int, size: tuple[int, int]):
    values, image_size = random_map(*size), (size[0] * scale, size[1] * scale)
    due = F.interpolate(values[None], size=image_size, mode="bilinear", align_corners=False)[0]
    xs, ys = list(range(image_size[1])), list(range(image_size[0]))
    assert (read_grid(FeatureMap.of(0, values), xs, ys, image_size) - due).abs().max() < 1e-5


@pytest.mark.parametrize("scale", SCALES)
def test_borders_corners_and_the_outside_read_as_the_slow_way_does(scale: int):
    values, image_size = random_map(4, 6), (4 * scale, 6 * scale)
    height, width = image_size
    xs = [-3.2, -0.5, 0.0, 0.3, width / 2, width - 1.4, width - 1.0, width - 0.5, width + 7.0]
    ys = [-9.0, -0.5, 0.0, 0.7, height / 2 - 0.25, height - 1.0, height - 0.5, height + 0.1]
    read = read_grid(FeatureMap.of(0, values), xs, ys, image_size)
    assert (read - slow_read(values, xs, ys, image_size)).abs().max() < 1e-5
    assert torch.equal(read[:, 0, 0], values[:, 0, 0])
    assert torch.equal(read[:, -1, -1], values[:, -1, -1])


positions = st.lists(st.floats(-0.2, 1.2), min_size=1, max_size=4)


@settings(deadline=None, max_examples=80)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    scale=st.sampled_from((1, *SCALES)),
    across=positions,
    down=positions,
    seed=st.integers(0, 1000),
)
def test_values_and_gradients_equal_the_slow_way(height, width, scale, across, down, seed):
    image_size = (height * scale, width * scale)
    xs, ys = [part * image_size[1] for part in across], [part * image_size[0] for part in down]
    fast, slow = (random_map(height, width, seed).requires_grad_() for _ in range(2))
    read = read_grid(FeatureMap.of(0, fast), xs, ys, image_size)
    due = slow_read(slow, xs, ys, image_size)
    assert (read - due).abs().max() < 1e-5
    weights = random_map(len(ys), len(xs), seed + 1)
    (read * weights).sum().backward()
    (due * weights).sum().backward()
    assert fast.grad is not None
    assert slow.grad is not None
    assert (fast.grad - slow.grad).abs().max() < 1e-5


@settings(deadline=None, max_examples=80)
@given(side=st.integers(1, 64), scale=st.sampled_from((1, *SCALES)), part=st.floats(-0.5, 1.5))
def test_weights_are_positive_sum_to_one_and_lie_on_the_map(side, scale, part):
    weights = taps(part * side * scale, side, side * scale)
    assert math.isclose(sum(weights.values()), 1.0, abs_tol=1e-12)
    assert all(weight > 0 for weight in weights.values())
    assert all(0 <= cell < side for cell in weights)
    assert 1 <= len(weights) <= 3


def test_a_linear_ramp_reads_as_the_position_itself():
    side, scale = 8, 4
    cells = (torch.arange(side, dtype=torch.float64) + 0.5) * scale - 0.5  # each cell's centre, image px
    ramp = torch.stack([cells.expand(side, side), cells[:, None].expand(side, side)])
    for point in [(7.0, 9.0), (12.25, 6.5), (20.0, 25.9)]:
        read = read_point(FeatureMap.of(0, ramp), point, (side * scale, side * scale))
        torch.testing.assert_close(read, torch.tensor(point, dtype=torch.float64), atol=1e-9, rtol=0)


def test_the_order_of_positions_is_kept():
    values = FeatureMap.of(0, random_map(6, 6))
    forward = read_grid(values, [3.0, 9.5, 20.0], [1.0, 17.0], (24, 24))
    backward = read_grid(values, [20.0, 9.5, 3.0], [17.0, 1.0], (24, 24))
    torch.testing.assert_close(forward.flip(1, 2), backward, atol=1e-6, rtol=0)


def test_one_point_is_the_one_value_of_its_grid():
    values = FeatureMap.of(0, random_map(6, 8))
    read = read_point(values, (13.3, 4.8), (24, 32))
    assert read.shape == (3,)
    assert torch.equal(read, read_grid(values, [13.3], [4.8], (24, 32))[:, 0, 0])


def test_a_window_that_holds_the_cells_is_enough_and_a_smaller_one_is_refused():
    whole = FeatureMap.of(2, random_map(16, 16))
    xs, ys = [20.0, 22.0, 25.0], [30.0, 33.0]
    due = read_grid(whole, xs, ys, (64, 64))
    assert torch.equal(read_grid(whole.cut([Window(0, 0, 2, 2), Window(6, 4, 4, 4)]), xs, ys, (64, 64)), due)
    with pytest.raises(ValueError, match="is not held") as caught:
        read_grid(whole.cut([Window(6, 4, 4, 2)]), xs, ys, (64, 64))
    assert str(caught.value) == (
        "Window(y=7, x=4, height=2, width=3) of block 2 is not held; held are (Window(y=6, x=4, height=4, width=2),)"
    )
