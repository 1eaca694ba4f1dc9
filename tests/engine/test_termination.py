import numpy as np
import pytest

from draggan_widget import DragConfig, Edit, drag, load_generator
from draggan_widget.engine.step import DragStep
from draggan_widget.engine.termination import Ending, TerminationCheck, advice

CONFIG = DragConfig(
    stop_distance=2.0,
    max_steps=100,
    stall_steps=4,
    stall_distance=0.5,
    lost_factor=3.0,
    lost_error=0.8,
    lost_baseline=3,
    lost_steps=2,
)


def ending(distances: list, errors: list | None = None, step: int = 0) -> str | None:
    """Of the last step; one point where a row is a number."""
    check = TerminationCheck(CONFIG)
    for distance, error in zip(distances, errors or [0.1] * len(distances), strict=True):
        row = distance if isinstance(distance, tuple) else (float(distance),)
        check.add(row, error if isinstance(error, tuple) else (error,) * len(row))
    return check.ending(step)


@pytest.mark.parametrize(
    ("distances", "due"),
    [
        ([9.0], None),
        ([2.0], "arrived"),
        ([2.001], None),
        ([0.0], "arrived"),
        ([(1.0, 1.5, 2.0)], "arrived"),
        ([(1.0, 2.5, 2.0)], None),
        ([1.0, 9.0], None),  # it was there, and left again
    ],
)
def test_a_drag_has_arrived_when_every_point_is_near_enough(distances: list, due: str | None):
    assert ending(distances) == due


@pytest.mark.parametrize(("step", "due"), [(99, None), (100, "cap"), (101, "cap")])
def test_the_cap_ends_it(step: int, due: str | None):
    assert ending([9.0], step=step) == due


@pytest.mark.parametrize(
    ("distances", "due"),
    [
        ([9, 9, 9, 9], None),  # not long enough
        ([9, 9, 9, 9, 9], "stalled"),
        ([9, 9, 9, 9, 8.6], "stalled"),
        ([9, 9, 9, 9, 8.5], None),  # exactly the distance asked for
        ([9, 8.5, 9, 9, 9], None),  # it came nearer within the window
        ([9, 8.5, 9, 9, 9, 9], "stalled"),  # one step later it is too long ago
        ([9, 8, 7, 6, 5, 4], None),
        ([9, 12, 13, 14, 15], "stalled"),  # away counts as not nearer
        ([(9, 9), (9, 8), (9, 7), (9, 6), (9, 5)], None),  # one point that gets nearer is enough
        ([(9, 9), (9, 9), (9, 9), (9, 9), (9, 9)], "stalled"),
    ],
)
def test_a_drag_stalls_when_no_point_comes_nearer(distances: list, due: str | None):
    rows = [tuple(map(float, row)) if isinstance(row, tuple) else row for row in distances]
    assert ending(rows) == due


MOVING = [30.0, 29.0, 28.0, 27.0, 26.0, 25.0]


@pytest.mark.parametrize(
    ("errors", "due"),
    [
        ([0.3, 0.3, 0.3, 0.3, 0.95, 0.95], "lost"),
        ([0.3, 0.3, 0.3, 0.3, 0.85, 0.95], None),  # 0.85 is under three times the median
        ([0.3, 0.3, 0.3, 0.95, 0.95, 0.3], None),  # it was found again
        ([0.3, 0.3, 0.3, 0.3, 0.3, 0.95], None),  # not twice in a row
        ([0.1, 0.1, 0.1, 0.1, 0.7, 0.7], None),  # over three times the median but not over 0.8
        ([0.1, 0.1, 0.1, 0.1, 0.81, 0.81], "lost"),
        ([0.1, 0.9, 0.1, 0.1, 0.85, 0.85], "lost"),  # the median, not the mean, is usual
        ([(0.1, 0.3), (0.1, 0.3), (0.1, 0.3), (0.1, 0.3), (0.1, 0.95), (0.1, 0.95)], "lost"),  # any point
        ([(0.1, 0.1), (0.1, 0.1), (0.1, 0.1), (0.1, 0.1), (0.9, 0.1), (0.1, 0.9)], None),  # no point twice
    ],
)
def test_a_point_is_lost_when_its_error_stays_high(errors: list, due: str | None):
    points = len(errors[0]) if isinstance(errors[0], tuple) else 1
    assert ending([(distance,) * points for distance in MOVING], errors) == due


def test_fewer_steps_than_baseline_and_lost_steps_together_never_lose():
    assert ending(MOVING[:4], [0.1, 0.1, 0.95, 0.95]) is None
    assert ending(MOVING[:5], [0.1, 0.1, 0.1, 0.95, 0.95]) == "lost"


def test_arrival_comes_before_every_other_ending():
    assert ending([9, 9, 9, 9, 9, 1.0], [0.1, 0.1, 0.1, 0.1, 0.95, 0.95], step=100) == "arrived"


def test_the_cap_comes_before_lost_and_lost_before_stalled():
    lost_and_stalled = [9.0] * 6, [0.1, 0.1, 0.1, 0.1, 0.95, 0.95]
    assert ending(*lost_and_stalled, step=100) == "cap"
    assert ending(*lost_and_stalled, step=99) == "lost"


def last_step(handle: tuple[int, int], target: tuple[int, int], preset: str = "default") -> DragStep:
    """The last step of a drag of the bundled head of seed 3; its background is plain, from (0, 0) to about (25, 40)."""
    heads = load_generator("heads", device="cpu")
    config = DragConfig.for_generator(heads, preset).replace(max_steps=60)
    return list(drag(heads, heads.ws_from_seed(3, 0.7), Edit([handle], [target]), config))[-1]


@pytest.mark.slow
@pytest.mark.parametrize("target", [(24, 10), (10, 22)])
def test_a_point_that_slides_along_a_plain_background_is_lost_and_told_to_take_a_clearer_detail(target):
    step = last_step((10, 10), target)
    assert step.ended == "lost"
    assert step.advice == (
        "A point was lost: it slid along a plain part of the picture, where every place looks like its handle. "
        "Undo, then take the handle on a clearer detail, such as an edge or a corner."
    )


@pytest.mark.slow
@pytest.mark.parametrize(("handle", "target"), [((64, 70), (75, 70)), ((64, 64), (64, 76))])
def test_a_point_on_a_detail_does_not_slide(handle, target):
    step = last_step(handle, target)
    assert (step.ended, step.advice) == ("arrived", "Every point has reached its target.")


@pytest.mark.slow
def test_the_faithful_presets_never_lose_a_point():
    assert last_step((10, 10), (10, 22), "paper").ended != "lost"


POINT, TWO = Edit([(1, 1)], [(9, 9)]), Edit([(1, 1), (5, 5)], [(9, 9), (5, 9)])
MASKED = Edit([(1, 1)], [(9, 9)], np.eye(16, dtype=bool))


@pytest.mark.parametrize(
    ("ended", "edit", "space", "words"),
    [
        ("arrived", POINT, "W", "Every point has reached its target."),
        (
            "cap", POINT, "W",
            "The step cap was reached: start again to go on, raise the cap, or bring the targets nearer.",
        ),
        (
            "lost", POINT, "W",
            "The tracker lost a point: undo, then take the handle on a clearer detail or drag in smaller moves.",
        ),
        (
            "stalled", POINT, "W+",
            "No point came nearer for a while: try a nearer target or a handle on a clearer detail.",
        ),
        (
            "stalled", TWO, "W",
            "No point came nearer for a while: try a nearer target, a handle on a clearer detail, fewer points or the "
            "latent space W+.",
        ),
        (
            "stalled", MASKED, "W+",
            "No point came nearer for a while: try a nearer target, a handle on a clearer detail or a smaller fixed "
            "part.",
        ),
    ],
)  # fmt: skip
def test_the_advice_names_only_what_the_drag_can_still_do(ended: Ending, edit: Edit, space: str, words: str):
    assert advice(ended, edit, DragConfig(latent_space=space)) == words
