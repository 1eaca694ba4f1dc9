import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

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


EXPECTED = "expected (height, width) of two values, 0 (stays) and one other (may move)"


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        (np.ones((2, 48, 64), bool), "bool array of shape (2, 48, 64)"),
        (np.ones((48, 64, 5), np.uint8), "uint8 array of shape (48, 64, 5)"),
        (np.ones((2, 1, 48, 64), np.uint8), "uint8 array of shape (2, 1, 48, 64)"),
        (np.ones((0, 64), bool), "bool array of shape (0, 64)"),
        (np.ones(48, bool), "bool array of shape (48,)"),
        (np.full((2, 2), "1"), "<U1 array of shape (2, 2)"),
        ("all", "<U3 array of shape ()"),
        (np.array([[None, 1]]), "object array of shape (1, 2)"),
    ],
)
def test_a_mask_of_another_kind_is_refused_in_words(mask, found: str):
    assert refusal(AT, AT, mask) == f"mask is a {found}; {EXPECTED}"


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.array([[0, 128, 255]], np.uint8), "holds 3 values (0, 128, 255)|give mask > 127"),
        (np.uint8([[7, 128, 255], [0, 4, 9]]), "holds 6 values (0, 4, 7, 9, ...)|give mask > 127"),
        (np.array([[0.25, 0.5, 0.5]], np.float32), "holds 2 values (0.25, 0.5)|give mask > 0.375"),
        (np.array([[0.0, 0.5, 1.0]]), "holds 3 values (0, 0.5, 1)|give mask > 0.5"),
        (np.array([[-1, 1, 1]]), "holds 2 values (-1, 1)|give mask > 0"),
        ([[0, 1, 2]], "holds 3 values (0, 1, 2)|give np.asarray(mask) > 1"),
        (torch.tensor([[0, 9, 255]]), "holds 3 values (0, 9, 255)|give mask > 127"),
        (Image.fromarray(np.uint8([[0, 9, 255]])), "holds 3 values (0, 9, 255)|give np.asarray(mask) > 127"),
        (np.array([[0.0, np.nan, 1.0]]), "holds NaN or infinity|give np.nan_to_num(mask) > 0"),
        (np.array([[0.0, np.inf, 0.0]]), "holds NaN or infinity|give np.nan_to_num(mask) > 0"),
        (np.uint8([[[0, 0, 0], [255, 0, 0], [0, 0, 0]]] * 2), "coloured|give one channel alone"),
        (Image.new("RGB", (3, 2), "red"), "coloured|give one channel alone"),
        (Image.new("HSV", (3, 2), (0, 255, 255)), "coloured|give one channel alone"),
        (np.uint8([[[9, 9, 9, 0], [9, 9, 9, 9], [9, 9, 9, 9]]] * 2), "transparent in parts|give one channel alone"),
    ],
)
def test_a_mask_of_other_values_is_told_its_size_first_and_refused_with_the_remedy(mask, words: str):
    found, remedy = words.split("|")
    size = "3 x 1 px" if len(np.asarray(mask)) == 1 else "3 x 2 px"
    assert refusal(AT, AT, mask) == f"mask is {size} and {found}; {EXPECTED}; {remedy}"


def test_the_remedies_for_a_mask_of_other_values_help():
    grey = np.uint8([[0, 128, 255, 127, 1]] * 2)
    due = [[False, True, True, False, False]] * 2
    for mask in (grey > 127, np.asarray(Image.fromarray(grey)) > 127, torch.from_numpy(grey) > 127):
        assert taken(mask).tolist() == due
    assert taken(np.repeat(grey[..., None], 3, axis=2) > 127).tolist() == due
    assert taken(np.nan_to_num(np.array([[0.0, np.nan, 1.0]])) > 0).tolist() == [[False, False, True]]


def test_what_makes_no_array_is_refused_in_words():
    message = refusal(AT, AT, [[1], [1, 0]])
    assert message.startswith("mask is of type list, which makes no array (setting an array element with a sequence.")
    assert message.endswith(f"); {EXPECTED}")
    message = refusal(AT, AT, torch.ones(48, 64, device="meta"))
    assert message.startswith("mask is of type Tensor, which makes no array (")
    assert message.endswith(f"); {EXPECTED}")


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


PAINTED = np.array([[0, 1, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]], bool)
BYTES = np.where(PAINTED, np.uint8(255), np.uint8(0))
RGB = np.repeat(BYTES[..., None], 3, axis=2)
OPAQUE = np.full((3, 5, 1), 255, np.uint8)


def palette(colours: list[int]) -> Image.Image:
    picture = Image.fromarray(PAINTED.astype(np.uint8), "L").convert("P")
    picture.putdata(PAINTED.astype(np.uint8).ravel().tolist())
    picture.putpalette(colours)
    return picture


FORMS = {
    "bool": PAINTED,
    "list": PAINTED.astype(int).tolist(),
    "0 and 1": PAINTED.astype(np.uint8),
    "float": PAINTED.astype(float),
    "float16": PAINTED.astype(np.float16),
    "0 and 255": BYTES,
    "0 and 65535": PAINTED * np.uint16(65535),
    "0 and -1": PAINTED * np.int8(-1),
    "0 and 0.7": PAINTED * 0.7,
    "(1, H, W)": BYTES[None],
    "(1, 1, H, W)": BYTES[None, None],
    "(H, W, 1)": BYTES[..., None],
    "(1, H, W, 3)": RGB[None],
    "RGB": RGB,
    "(3, H, W)": np.moveaxis(RGB, 2, 0),
    "RGBA": np.concatenate([RGB, OPAQUE], axis=2),
    "LA": np.concatenate([RGB[..., :1], OPAQUE], axis=2),
    "tensor": torch.from_numpy(PAINTED),
    "tensor of bytes": torch.from_numpy(BYTES)[None],
    "tensor of bfloat16": torch.from_numpy(PAINTED).bfloat16(),
    "tensor with a gradient": torch.from_numpy(PAINTED).float().requires_grad_(),
    "picture L": Image.fromarray(BYTES),
    "picture 1": Image.fromarray(BYTES).convert("1"),
    "picture RGB": Image.fromarray(RGB),
    "picture RGBA": Image.fromarray(RGB).convert("RGBA"),
    "picture LA": Image.fromarray(BYTES).convert("LA"),
    "picture I": Image.fromarray(BYTES).convert("I"),
    "picture F": Image.fromarray(BYTES).convert("F"),
    "picture CMYK": Image.fromarray(RGB).convert("CMYK"),
    "picture YCbCr": Image.fromarray(RGB).convert("YCbCr"),
    "picture P": palette([0, 0, 0, 255, 255, 255]),
    "picture P of GIF": Image.fromarray(BYTES).convert("P"),
}


def taken(mask: object) -> np.ndarray:
    found = Edit(AT, AT, mask).mask
    assert found is not None
    assert found.dtype == bool
    assert not found.flags.writeable
    return found


@pytest.mark.parametrize("mask", FORMS.values(), ids=FORMS)
def test_a_mask_is_taken_in_the_forms_that_people_have(mask):
    assert np.array_equal(taken(mask), PAINTED)
    assert Edit(AT, AT, mask) == Edit(AT, AT, PAINTED)


@pytest.mark.parametrize("value", [1, 7, 255, 0.5])
def test_a_mask_of_one_value_lets_all_move_unless_it_is_zero(value):
    assert taken(np.full((3, 4), value)).all()
    assert not taken(np.full((3, 4), 0 * value)).any()


def test_a_palette_whose_first_colour_is_white_says_where_the_picture_stays_by_its_colours():
    assert np.array_equal(taken(palette([255, 255, 255, 0, 0, 0])), ~PAINTED)


def test_a_mask_of_another_form_and_size_is_told_its_size():
    for mask in (RGB, Image.fromarray(BYTES), torch.from_numpy(BYTES)[None]):
        assert refusal(AT, AT, mask) == "the mask is 5 x 3 px and the image 64 x 48; give a mask of the image's size"


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
