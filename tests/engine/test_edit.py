import dataclasses

import numpy as np
import pytest
import torch

from draggan_widget import Edit
from draggan_widget.engine.edit import MAX_POINTS
from draggan_widget.errors import DragganError, EditError

pytestmark = pytest.mark.usefixtures("unchecked")  # lists and arrays, as a user gives them


def refusal(*arguments, size: tuple[int, int] = (48, 64)) -> str:
    with pytest.raises(EditError) as caught:
        Edit(*arguments).check(size)
    assert isinstance(caught.value, DragganError)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


AT = [(1.0, 2.0)]
PAIRS = "expected pairs (x, y) of numbers in image px"


@pytest.mark.parametrize(
    ("handles", "targets", "message"),
    [
        ([(64.0, 3.0)], AT, "handle 1 at (64, 3) is outside the 64 x 48 image; move it inside"),
        (AT, [(3.0, 47.6)], "target 1 at (3, 47.6) is outside the 64 x 48 image; move it inside"),
        ([*AT, (-0.51, 3.0)], [*AT, *AT], "handle 2 at (-0.51, 3) is outside the 64 x 48 image; move it inside"),
        ([*AT, *AT], [*AT, (1e9, -5.0)], "target 2 at (1e+09, -5) is outside the 64 x 48 image; move it inside"),
        (
            [(float("nan"), 3.0)],
            AT,
            "handle 1 is (nan, 3.0); expected finite (x, y) in image px; place it again",
        ),
        (
            AT,
            [(3.0, float("-inf"))],
            "target 1 is (3.0, -inf); expected finite (x, y) in image px; place it again",
        ),
        (AT, [], "the edit has 1 handles and 0 targets; give each handle one target"),
        ([], [*AT, *AT], "the edit has 0 handles and 2 targets; give each handle one target"),
        (AT * 65, AT * 65, "the edit has 65 points; expected at most 64; delete some"),
        ("nose", AT, f"handles are 'nose'; {PAIRS}"),
        (["12"], AT, f"handles are ['12']; {PAIRS}"),
        ([("1", "2")], AT, f"handles are [('1', '2')]; {PAIRS}"),
        (AT, [b"12"], f"targets are [b'12']; {PAIRS}"),
        ([(1.0, 2.0, 3.0)], AT, f"handles are [(1.0, 2.0, 3.0)]; {PAIRS}"),
        ((1.0, 2.0), AT, f"handles are (1.0, 2.0); {PAIRS}"),
        (AT, None, f"targets are None; {PAIRS}"),
        (AT, [(None, 1)], f"targets are [(None, 1)]; {PAIRS}"),
        (AT, [(1j, 1)], f"targets are [(1j, 1)]; {PAIRS}"),
    ],
)
def test_points_that_do_not_fit_are_refused_in_words(handles, targets, message: str):
    assert refusal(handles, targets) == message


def test_a_number_too_large_for_a_float_is_refused():
    assert refusal([(10**400, 1)], AT).endswith(PAIRS)


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        (np.ones((2, 48, 64), bool), "bool and shape (2, 48, 64)"),
        (np.ones(48, bool), "bool and shape (48,)"),
        (np.full((2, 2), "1"), "<U1 and shape (2, 2)"),
        ("all", "<U3 and shape ()"),
        (np.array([[None, 1]]), "object and shape (1, 2)"),
    ],
)
def test_a_mask_of_another_kind_is_refused_in_words(mask, found: str):
    assert (
        refusal(AT, AT, mask)
        == f"mask is an array of type {found}; expected (height, width) of bool or 0 and 1, 1 = may move"
    )


@pytest.mark.parametrize(
    ("mask", "values"),
    [
        (np.array([[0, 255]], np.uint8), "0 to 255"),
        (np.array([[0.25, 0.5]], np.float32), "0.25 to 0.5"),
        (np.array([[-1, 1]]), "-1 to 1"),
        (np.array([[0.0, np.nan]]), "nan to nan"),
    ],
)
def test_a_mask_of_other_values_is_refused_with_the_remedy(mask, values: str):
    expected = "expected (height, width) of bool or 0 and 1, 1 = may move; give mask > 0"
    assert refusal(AT, AT, mask) == f"mask holds values from {values}; {expected}"


def test_a_ragged_mask_is_refused_in_words():
    message = refusal(AT, AT, [[1], [1, 0]])
    assert message.startswith("mask is of type list, which makes no array (setting an array element with a sequence.")
    assert message.endswith("); expected (height, width) of bool or 0 and 1, 1 = may move")


def test_a_mask_of_another_size_is_refused_in_words():
    assert refusal(AT, AT, np.ones((64, 48), bool)) == (
        "the mask is 48 x 64 px and the image 64 x 48; give a mask of the image's size"
    )


@pytest.mark.parametrize(
    ("handles", "targets"),
    [
        ([(3, 4)], [(3, 4)]),  # a handle equal to its target holds its place
        ([(-0.5, -0.5)], [(63.5, 47.5)]),  # the outer edges of the border pixels
        (AT * MAX_POINTS, AT * MAX_POINTS),
        ([], []),
        (np.array([[1, 2], [3, 4]]), np.array([[1.5, 2], [3, 4]], np.float32)),
        (torch.tensor([[1.0, 2.0]]), [[1, 2]]),
        (iter([(1.0, 2.0)]), ((1.0, 2.0),)),
    ],
    ids=["equal", "edges", "64", "none", "arrays", "tensor", "iterator"],
)
def test_points_that_fit_are_taken_as_pairs_of_floats(handles, targets):
    edit = Edit(handles, targets)
    edit.check((48, 64))
    assert len(edit) == len(edit.handles) == len(edit.targets)
    assert all(type(value) is float for points in (edit.handles, edit.targets) for point in points for value in point)


@pytest.mark.parametrize(
    "mask", [[[0, 1], [1, 1]], np.array([[0.0, 1.0], [1.0, 1.0]]), np.uint8([[0, 1], [1, 1]]), torch.eye(2).flip(0) > 0]
)
def test_masks_of_zeros_and_ones_are_taken(mask):
    taken = Edit(AT, AT, mask).mask
    assert taken is not None
    assert taken.dtype == bool
    assert not taken[0, 0]
    assert taken[0, 1]


def test_what_the_caller_gave_is_left_alone_and_its_later_changes_stay_outside():
    handles, targets = np.array([[1.0, 2.0]]), [[3.0, 4.0]]
    mask = np.ones((48, 64), bool)
    edit = Edit(handles, targets, mask)
    assert handles.tolist() == [[1.0, 2.0]]
    assert targets == [[3.0, 4.0]]
    assert mask.flags.writeable
    handles[:], mask[:] = 9.0, False
    targets[0][0] = 9.0
    assert edit.handles == ((1.0, 2.0),)
    assert edit.targets == ((3.0, 4.0),)
    assert edit.mask is not None
    assert edit.mask.all()


def test_an_edit_is_never_changed_in_place():
    edit = Edit(AT, AT, np.ones((48, 64), bool))
    with pytest.raises(dataclasses.FrozenInstanceError):
        edit.handles = ()  # pyright: ignore[reportAttributeAccessIssue]
    assert edit.mask is not None
    with pytest.raises(ValueError, match=r"^assignment destination is read-only$"):
        edit.mask[0, 0] = False


def test_edits_are_equal_by_what_they_ask_for():
    some = np.ones((4, 4), bool)
    other = some.copy()
    other[0, 0] = False
    assert Edit(AT, AT) == Edit(np.array(AT), np.array(AT))
    assert hash(Edit(AT, AT)) == hash(Edit(np.array(AT), np.array(AT)))
    assert Edit(AT, AT) != Edit(AT, [(1.0, 3.0)])
    assert Edit(AT, AT) != Edit(AT, AT, some)
    assert Edit(AT, AT, some) == Edit(AT, AT, some.copy())
    assert Edit(AT, AT, some) != Edit(AT, AT, other)
    assert Edit(AT, AT, some).same_mask(Edit((), (), some))
    assert Edit(AT, AT) != AT
