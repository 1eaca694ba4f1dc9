"""Every wrong input is refused in words, and changes nothing."""

import jaxtyping
import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from session.helpers import EDIT, edit_of, opened

from draggan_widget.engine.edit import Edit
from draggan_widget.errors import ConfigError, DragganError, EditError
from draggan_widget.session.session import DragSession, controller_of

CLOSED = "this session is closed; expected an open one; make a new DragSession"


@pytest.fixture(autouse=True)
def unchecked():
    """As for a user: the annotations are checked in the tests only."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (-1, "seed is -1; expected a whole number from 0 to 2**32 - 1"),
        (2**32, "seed is 4294967296; expected a whole number from 0 to 2**32 - 1"),
        (1.5, "seed is 1.5; expected a whole number from 0 to 2**32 - 1"),
        ("7", "seed is '7'; expected a whole number from 0 to 2**32 - 1"),
        (True, "seed is True; expected a whole number from 0 to 2**32 - 1"),
    ],
)
def test_a_wrong_seed_is_refused(seed, message):
    with pytest.raises(ConfigError) as caught:
        DragSession(BlobGenerator(), seed)
    assert str(caught.value) == message
    with DragSession(BlobGenerator(), 3) as session:
        with pytest.raises(ConfigError) as caught:
            session.new_seed(seed)
        assert str(caught.value) == message
        assert session.seed == 3
        assert not session.can_undo


@pytest.mark.parametrize("psi", [3, -2.5, float("nan"), "0.7"])
def test_a_wrong_truncation_is_refused(psi):
    message = f"truncation_psi is {psi!r}; expected a number from -2 to 2 (1: none, 0.7: usual)"
    with pytest.raises(ConfigError) as caught:
        DragSession(BlobGenerator(), 0, truncation_psi=psi)
    assert str(caught.value) == message
    with DragSession(BlobGenerator()) as session:
        with pytest.raises(ConfigError) as caught:
            session.new_seed(1, truncation_psi=psi)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("ws", "message"),
    [
        (torch.zeros(3, 8), "ws has shape (3, 8); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (torch.zeros(7), "ws has shape (7,); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (torch.zeros(4), "ws has shape (4,); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (torch.zeros(()), "ws has shape (); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (torch.zeros(4, 1), "ws has shape (4, 1); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (torch.zeros(2, 4, 8), "ws has shape (2, 4, 8); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (torch.zeros(1, 1, 4, 8), "ws has shape (1, 1, 4, 8); blob expects (1, 4, 8), (4, 8), or one row (8,) for all"),
        (
            torch.full((4, 8), 1e300, dtype=torch.float64),
            "ws holds NaN, infinity or no floating-point numbers; expected finite numbers",
        ),
        (torch.full((4, 8), torch.nan), "ws holds NaN, infinity or no floating-point numbers; expected finite numbers"),
        (torch.full((4, 8), torch.inf), "ws holds NaN, infinity or no floating-point numbers; expected finite numbers"),
        (np.zeros((4, 8), int), "ws holds NaN, infinity or no floating-point numbers; expected finite numbers"),
        (
            torch.zeros(4, 8, dtype=torch.complex64),
            "ws holds NaN, infinity or no floating-point numbers; expected finite numbers",
        ),
        ("a latent", "ws is of type str; expected an array of numbers"),
        ([[1.0], [1.0, 2.0]], "ws is of type list; expected an array of numbers"),
        ({}, "ws is of type dict; expected an array of numbers"),
    ],
)
def test_a_latent_that_does_not_fit_is_refused(ws, message):
    with pytest.raises(ConfigError) as caught:
        DragSession(BlobGenerator(), ws=ws)
    assert str(caught.value) == message


@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 1, 8)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_one_row_of_a_latent_is_taken_for_all_rows(shape: tuple[int, ...], dtype: type):
    row = np.linspace(0, 1, 8).astype(dtype)
    for ws in (row.reshape(shape), torch.from_numpy(row.reshape(shape))):
        with DragSession(BlobGenerator(), ws=ws) as session:
            assert session.ws.shape == (1, 4, 8)
            for held in session.ws[0]:
                np.testing.assert_array_equal(held.numpy(), row.astype(np.float32))


@pytest.mark.parametrize("make", [lambda ws: ws, lambda ws: ws[0], lambda ws: ws.numpy(), lambda ws: ws.double()])
def test_a_latent_may_come_as_a_tensor_or_array_of_either_shape_and_is_copied(make):
    generator = BlobGenerator()
    ws = generator.ws_at(20.0, 25.0)
    with DragSession(generator, ws=make(ws)) as session:
        assert session.seed is None
        assert session.ws.dtype == torch.float32
        ws.zero_()
        assert [round(float(value)) for value in generator.centre(session.ws)] == [20, 25]


def test_a_latent_that_needs_a_gradient_is_taken_without_it():
    generator = BlobGenerator()
    with DragSession(generator, ws=generator.ws_at(20.0, 25.0).requires_grad_()) as session:
        assert not session.ws.requires_grad
        session.edit = EDIT
        session.step()


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True, None])
def test_a_wrong_number_of_steps_is_refused(n):
    with opened() as session:
        with pytest.raises(ConfigError) as caught:
            session.step(n)
        assert str(caught.value) == f"n is {n!r}; expected a whole number of steps, at least 1"
        assert len(session.record) == 0


@pytest.mark.parametrize("edit", [None, [(1, 2)], {"handles": []}, "edit"])
def test_an_edit_of_another_type_is_refused(edit):
    with opened() as session:
        with pytest.raises(EditError) as caught:
            session.edit = edit
        assert str(caught.value) == f"edit is of type {type(edit).__name__}; expected an Edit"
        assert session.edit == EDIT


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_of([(64.0, 3.0)], [(1.0, 1.0)]), "handle 1 at (64, 3) is outside the 64 x 64 image; move it inside"),
        (
            edit_of([(1.0, 1.0), (2.0, 2.0)], [(1.0, 1.0), (2.0, -0.75)]),
            "target 2 at (2, -0.75) is outside the 64 x 64 image; move it inside",
        ),
        (
            Edit(mask=np.ones((32, 64), bool)),
            "the mask is 64 x 32 px and the image 64 x 64; give a mask of the image's size",
        ),
    ],
)
def test_an_edit_that_does_not_fit_the_picture_is_refused(edit, message):
    with opened() as session:
        before = controller_of(session).revision
        with pytest.raises(EditError) as caught:
            session.edit = edit
        assert str(caught.value) == message
        assert (session.edit, controller_of(session).revision) == (EDIT, before)


def test_an_edit_drawn_on_a_revision_that_passed_is_refused():
    with opened() as session:
        before = controller_of(session).revision
        assert controller_of(session).change_edit(EDIT, drawn_on=before) == before + 1
        with pytest.raises(EditError) as caught:
            controller_of(session).change_edit(EDIT, drawn_on=before)
        assert str(caught.value) == (
            f"the points changed meanwhile (revision {before + 1}, not {before}); draw it again"
        )


@pytest.mark.parametrize("config", [None, {"block": 3}, "paper"])
def test_settings_of_another_type_are_refused(config):
    with opened() as session:
        before = session.config
        with pytest.raises(ConfigError) as caught:
            session.config = config
        assert str(caught.value).startswith(
            f"config is of type {type(config).__name__}; expected a DragConfig; leave config out"
        )
        assert session.config is before


def test_settings_for_another_generator_are_refused():
    with opened() as session:
        wrong = session.config.replace(block=9)
        with pytest.raises(ConfigError, match=r"^block is 9; blob has blocks 0 to 4; leave config out, "):
            session.config = wrong
        with pytest.raises(ConfigError, match=r"^block is 9; blob has blocks 0 to 4; leave config out, "):
            DragSession(BlobGenerator(), config=wrong)
        with pytest.raises(ConfigError, match=r"^block is 9; blob has blocks 0 to 4$"):
            session.features(9)


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.start(),
        lambda s: s.step(),
        lambda s: s.run(),
        lambda s: s.undo(),
        lambda s: s.reset(),
        lambda s: s.new_seed(1),
        lambda s: setattr(s, "edit", EDIT),
    ],
)
def test_a_closed_session_takes_no_more_wishes_but_still_shows_its_record(act):
    session = opened()
    session.step(2)
    session.close()
    kept = (session.ws, session.edit, controller_of(session).revision, len(session.record))
    with pytest.raises(DragganError) as caught:
        act(session)
    assert str(caught.value) == CLOSED
    assert (session.ws, session.edit, controller_of(session).revision, len(session.record)) == kept
    assert session.picture().size == (64, 64)
    assert session.wait(0) is True


@pytest.mark.parametrize(
    ("name", "hint"),
    [("edti", "; did you mean 'edit'?"), ("truncation", "; did you mean 'truncation_psi'?"), ("colour", "")],
)
def test_an_attribute_that_is_not_there_cannot_be_set(name, hint):
    with opened() as session:
        with pytest.raises(AttributeError) as caught:
            setattr(session, name, EDIT)
        assert str(caught.value) == f"a DragSession has no attribute {name!r}{hint}"


@pytest.mark.parametrize("name", ["record", "ws", "label", "status"])
def test_what_is_only_read_cannot_be_set(name):
    with opened() as session, pytest.raises(AttributeError, match=name):
        setattr(session, name, 1)


@pytest.mark.parametrize("name", ["begin", "worker", "step_and_revision", "revision", "change_edit", "tell"])
def test_what_only_the_widget_needs_is_no_attribute_of_a_session(name):
    with opened() as session:
        assert name not in dir(session)
        assert hasattr(controller_of(session), name)


def test_numpy_numbers_are_taken_and_become_plain_ones():
    with DragSession(BlobGenerator(), np.int64(3), truncation_psi=np.float32(0.5)) as session:
        assert (type(session.seed), session.seed) == (int, 3)
        assert (type(session.truncation_psi), session.truncation_psi) == (float, 0.5)
        session.truncation_psi = np.float64(0.25)
        session.seed = np.uint8(7)
        assert (type(session.new_seed(np.int32(9))), session.seed) == (int, 9)
        assert (type(session.truncation_psi), session.truncation_psi) == (float, 0.25)
        session.edit = EDIT
        session.step(np.int64(2))
        assert len(session.record) == 3


@pytest.mark.parametrize("seed", [np.float64(3.0), np.bool_(True), np.int64(-1)])
def test_numpy_numbers_that_are_no_seed_are_refused(seed):
    with pytest.raises(ConfigError) as caught:
        DragSession(BlobGenerator(), seed)
    assert str(caught.value) == f"seed is {seed.item()!r}; expected a whole number from 0 to 2**32 - 1"
