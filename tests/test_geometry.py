import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget.geometry import (
    Window,
    distance,
    image_to_feature,
    steps_inside,
    unit_vector,
)

coordinate = st.floats(-1e4, 1e4)


@pytest.mark.parametrize(
    ("image", "feature", "feature_side", "image_side"),
    [
        (0.0, 0.0, 64, 64),
        (-0.5, -0.5, 16, 64),  # the outer edges of both frames coincide
        (63.5, 15.5, 16, 64),
        (1.5, 0.0, 16, 64),  # the centre of the first cell is the middle of its four pixels
        (31.5, 7.5, 16, 64),
        (7.5, 0.0, 64, 1024),
        (0.0, -0.46875, 64, 1024),
    ],
)
def test_pixel_centres_are_integers_in_both_frames(image, feature, feature_side, image_side):
    assert image_to_feature(image, feature_side, image_side) == pytest.approx(feature, abs=1e-12)


@settings(deadline=None)
@given(coordinate, st.integers(1, 1024), st.integers(1, 1024))
def test_there_and_back_is_where_it_began(position, feature_side, image_side):
    there = image_to_feature(position, feature_side, image_side)
    assert image_to_feature(there, image_side, feature_side) == pytest.approx(position, abs=1e-6)


@pytest.mark.parametrize(
    ("start", "end", "length", "direction"),
    [
        ((0.0, 0.0), (3.0, 4.0), 5.0, (0.6, 0.8)),
        ((2.0, 2.0), (2.0, -1.0), 3.0, (0.0, -1.0)),
        ((7.0, 1.0), (5.0, 1.0), 2.0, (-1.0, 0.0)),
        ((1.0, 1.0), (1.0, 1.0), 0.0, (0.0, 0.0)),
    ],
)
def test_distances_and_directions_of_known_pairs(start, end, length, direction):
    assert distance(start, end) == pytest.approx(length)
    assert unit_vector(start, end) == pytest.approx(direction)


@settings(deadline=None)
@given(coordinate, coordinate, coordinate, coordinate)
def test_a_direction_has_length_one_and_points_from_start_to_end(x0, y0, x1, y1):
    length = distance((x0, y0), (x1, y1))
    x, y = unit_vector((x0, y0), (x1, y1))
    if length == 0.0:
        assert (x, y) == (0.0, 0.0)
    elif length > 1e-6:
        assert math.hypot(x, y) == pytest.approx(1.0)
        assert (x0 + length * x, y0 + length * y) == pytest.approx((x1, y1), abs=1e-6)


@pytest.mark.parametrize(
    ("centre", "radius", "side", "steps"),
    [
        (10.0, 2, 64, [-2, -1, 0, 1, 2]),
        (0.0, 2, 64, [0, 1, 2]),
        (63.0, 2, 64, [-2, -1, 0]),
        (0.5, 2, 64, [0, 1, 2]),  # 0.5 - 1 lies outside
        (62.5, 2, 64, [-2, -1, 0]),
        (1.0, 3, 2, [-1, 0]),
        (5.0, 0, 64, [0]),
    ],
)
def test_steps_are_cut_at_the_border(centre, radius, side, steps):
    assert list(steps_inside(centre, radius, side)) == steps


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.integers(0, 20), st.integers(1, 100))
def test_steps_are_all_those_within_radius_and_picture(part, radius, side):
    centre = part * (side - 1)
    due = [o for o in range(-radius, radius + 1) if 0 <= centre + o <= side - 1]
    assert list(steps_inside(centre, radius, side)) == due


def test_a_window_names_its_rows_and_columns():
    window = Window(y=2, x=5, height=3, width=4)
    assert list(range(100))[window.rows] == [2, 3, 4]
    assert list(range(100))[window.columns] == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("inner", "held"),
    [
        (Window(2, 5, 3, 4), True),
        (Window(3, 6, 1, 1), True),
        (Window(1, 5, 3, 4), False),
        (Window(2, 4, 3, 4), False),
        (Window(2, 5, 4, 4), False),
        (Window(2, 5, 3, 5), False),
    ],
)
def test_a_window_contains_what_lies_wholly_in_it(inner: Window, held: bool):
    assert Window(2, 5, 3, 4).contains(inner) is held


def test_the_inside_of_a_window_is_what_lies_in_the_map():
    assert Window(-2, 5, 4, 9).inside((8, 10)) == Window(0, 5, 2, 5)
    assert Window(1, 2, 3, 4).inside((8, 10)) == Window(1, 2, 3, 4)
    assert Window(-1, -1, 12, 12).inside((8, 10)) == Window(0, 0, 8, 10)
