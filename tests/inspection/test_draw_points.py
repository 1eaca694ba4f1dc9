"""Points drawn on a picture."""

import numpy as np
from analytic import BlobGenerator
from export.records import step_at
from PIL import Image

from draggan_widget.engine.edit import Edit
from draggan_widget.inspection.draw_points import DrawnPoint, draw_points, point_starts, points_at

G = BlobGenerator()


def test_a_point_stays_the_same_while_its_place_of_origin_does():
    first, moved, both = (
        Edit([(1, 1)], [(5, 1)]),
        Edit([(1, 1)], [(9, 9)]),
        Edit([(1, 1), (7, 7)], [(9, 9), (7, 7)]),
    )
    other = Edit([(2, 2)], [(9, 9)])
    steps = [
        step_at(G, 0, first, [(1, 1)]),
        step_at(G, 1, moved, [(2, 1)]),
        step_at(G, 2, both, [(3, 1), (7, 7)]),
        step_at(G, 0, other, [(2, 2)]),
        step_at(G, 1, other, [(3, 3)]),
    ]
    begun = point_starts(steps)
    assert begun == [(0,), (0,), (0, 2), (3,), (3,)]
    assert points_at(steps, 2, begun[2]) == [
        DrawnPoint(0, (9.0, 9.0), ((1, 1), (2, 1), (3, 1))),
        DrawnPoint(1, (7.0, 7.0), ((7, 7),)),
    ]


def test_marks_are_centred_on_their_pixel_and_leave_the_picture_as_it_was():
    picture = Image.new("RGB", (512, 512))
    drawn = np.asarray(draw_points(picture, [DrawnPoint(2, (400.0, 300.0), ((100.0, 120.0),))]), float)
    assert not np.asarray(picture).any()
    for x, y in ((100, 120), (400, 300)):
        part = drawn[y - 20 : y + 21, x - 20 : x + 21].sum(-1)
        rows, columns = np.indices(part.shape)
        assert abs((rows * part).sum() / part.sum() - 20) < 0.05
        assert abs((columns * part).sum() / part.sum() - 20) < 0.05


def test_marks_grow_with_the_picture():
    areas = []
    for side in (256, 512, 1024):
        at = side / 2 - 0.5
        drawn = np.asarray(draw_points(Image.new("RGB", (side, side)), [DrawnPoint(0, (at, at), ((at, at),))]))
        areas.append(drawn.sum() / side**2)
    assert max(areas) / min(areas) < 1.1


def test_edges_are_smooth():
    drawn = np.asarray(
        draw_points(Image.new("RGB", (512, 512)), [DrawnPoint(0, (99.0, 99.0), ((20.0, 20.0), (80.0, 47.0)))])
    )
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20


def test_points_outside_the_picture_do_no_harm():
    picture = Image.new("RGB", (64, 64))
    drawn = draw_points(picture, [DrawnPoint(0, (900.0, -500.0), ((-700.0, 3000.0),))])
    assert drawn.size == (64, 64)
    far = draw_points(picture, [DrawnPoint(0, (900.0, 900.0), ((800.0, 800.0),))])
    assert far.tobytes() == picture.tobytes()
