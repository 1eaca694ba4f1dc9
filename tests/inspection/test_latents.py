import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine.helpers import EDIT, START, run, settings
from jaxtyping import Float
from torch import Tensor

from draggan_widget import DragRecord, DragSession, drag, load_generator
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.inspection import WComponents, apply_delta, between, edit_delta, travelled

NO_STEPS = "the record has 0 steps; expected at least one; start a drag first"


class ShapedGenerator(BlobGenerator):
    """w = (3 z1, z0, 2 z2, 0.1 z3, ...) and the mean 1: its principal components are known."""

    SPREAD = (1.0, 3.0, 2.0, 0.5, 0.4, 0.3, 0.2, 0.1)

    def mapping(
        self,
        z: Float[Tensor, "batch z_dim"],
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        c: Float[Tensor, "batch c_dim"] | None = None,
    ) -> Float[Tensor, "batch num_ws w_dim"]:
        w = 1.0 + truncation_psi * z * torch.tensor(self.SPREAD, dtype=self.dtype)
        return (w if c is None else w + 100.0 * c @ torch.eye(self.c_dim, self.w_dim))[:, None].repeat(1, 4, 1)


def test_travelled_is_each_row_s_distance_from_the_start():
    generator = BlobGenerator()
    record = DragRecord(steps=run(generator))
    found = travelled(record)
    assert found.shape == (len(record), 4)
    assert (found[0] == 0).all()
    assert (found[:, 2:] == 0).all()  # no drag rows
    due = torch.stack([(step.ws - record[0].ws)[0].norm(dim=1) for step in record])
    np.testing.assert_allclose(found, due.numpy(), rtol=1e-6)
    assert (found[1:, 0] > 0).all()
    assert travelled(DragRecord(start=record[0].ws)).shape == (0, 4)


def test_components_are_the_directions_w_varies_along_most_of_all_first():
    generator = ShapedGenerator(dtype=torch.float64)
    found = WComponents.fit(generator, samples=20_000)
    order = np.argsort(generator.SPREAD)[::-1]
    np.testing.assert_allclose(found.components, np.eye(8)[order], atol=0.1)
    np.testing.assert_allclose(found.variance, np.square(generator.SPREAD)[order], rtol=0.03)
    np.testing.assert_allclose(found.mean, 1.0, atol=0.05)
    assert found.explained.sum() == pytest.approx(1.0)
    assert found.explained[0] == pytest.approx(9 / np.square(generator.SPREAD).sum(), rel=0.03)


def test_components_equal_those_of_the_samples_taken_one_by_one():
    generator = ShapedGenerator(dtype=torch.float64)
    found = WComponents.fit(generator, samples=1234, seed=7)
    z = np.random.RandomState(7).randn(1234, 8)
    w = np.stack([generator.mapping(torch.from_numpy(row[None]))[0, 0].numpy() for row in z])
    _, singular, vectors = np.linalg.svd(w - w.mean(axis=0))
    np.testing.assert_allclose(found.mean, w.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.variance, singular**2 / 1234)
    np.testing.assert_allclose(np.abs(found.components @ vectors.T), np.eye(8), atol=1e-8)
    assert all(row[np.abs(row).argmax()] > 0 for row in found.components)


def test_the_bundled_heads_have_the_same_components_every_time():
    one, other = (WComponents.fit(load_generator(), samples=2000) for _ in range(2))
    assert one.components.tobytes() == other.components.tobytes()
    assert one.variance.tobytes() == other.variance.tobytes()


def test_classes_of_a_conditional_generator_take_turns():
    generator = ShapedGenerator()
    generator.c_dim = 4
    found = WComponents.fit(generator, samples=4000)
    np.testing.assert_allclose(found.mean[:4], 26.0, rtol=0.01)
    np.testing.assert_allclose(found.mean[4:], 1.0, atol=0.05)


def test_projection_keeps_the_leading_axes_and_a_component_s_own_way_is_along_it_alone():
    found = WComponents.fit(ShapedGenerator(), samples=500)
    np.testing.assert_allclose(found.project(found.mean), np.zeros(8), atol=1e-12)
    np.testing.assert_allclose(found.project(found.mean + 2 * found.components[3]), 2 * np.eye(8)[3], atol=1e-12)
    ws = DragRecord(steps=run(BlobGenerator())).ws
    assert found.project(ws).shape == ws.shape
    np.testing.assert_allclose(found.project(torch.from_numpy(ws))[3, 2], found.project(ws[3, 2]), atol=1e-12)
    with pytest.raises(ConfigError) as caught:
        found.project(np.zeros((2, 7)))
    assert str(caught.value) == "ws has shape (2, 7); expected 8 numbers along its last axis"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "samples is 1; expected at least 2"),
        ({"seed": -1}, "seed is -1; expected a whole number from 0 to 2**32 - 1"),
    ],
)
def test_components_refuse_what_draws_no_samples(arguments: dict, message: str):
    with pytest.raises(ConfigError) as caught:
        WComponents.fit(ShapedGenerator(), **arguments)
    assert str(caught.value) == message


def test_between_two_steps_lie_even_steps_of_a_straight_way_with_both_ends():
    record = DragRecord(steps=run(BlobGenerator()))
    ws = between(record, 2, -1, 5)
    assert torch.equal(ws[0], record[2].ws[0])
    assert torch.equal(ws[-1], record[-1].ws[0])
    torch.testing.assert_close(ws[1:] - ws[:-1], ((record[-1].ws - record[2].ws) / 4).expand(4, 4, 8))
    for arguments, message in (
        ((0, 999, 3), f"position is 999; the record has {len(record)} steps, counted from 0"),
        ((-999, 0, 3), f"position is -999; the record has {len(record)} steps, counted from 0"),
    ):
        with pytest.raises(RecordError) as caught:
            between(record, *arguments)
        assert str(caught.value) == message
    with pytest.raises(ConfigError) as caught:
        between(record, 0, 1, 1)
    assert str(caught.value) == "count is 1; expected at least 2: both ends are included"


def test_an_edit_moves_another_seed_s_blob_by_as_much():
    """The centre is linear in w, so the same delta is the same move."""
    generator = BlobGenerator()
    record = DragRecord(steps=list(drag(generator, generator.ws_at(*START), EDIT, settings(generator))))
    delta = edit_delta(record)
    assert torch.equal(delta, (record[-1].ws - record[0].ws)[0])
    plain = generator.ws_from_seed(5, 0.7)
    moved = generator.centre(record[-1].ws) - generator.centre(record[0].ws)
    for strength in (1.0, -0.5):
        ws = apply_delta(generator, delta, 5, 0.7, strength)
        torch.testing.assert_close(generator.centre(ws), generator.centre(plain) + strength * moved)
    assert torch.equal(apply_delta(generator, delta.numpy(), 5), plain + delta)
    with DragSession(generator, ws=apply_delta(generator, delta, 5)) as session:
        assert torch.equal(session.ws, plain + delta)


def test_a_delta_of_another_shape_and_an_empty_record_are_refused():
    with pytest.raises(ConfigError) as caught:
        apply_delta(BlobGenerator(), torch.zeros(1, 4, 8), 5)
    assert str(caught.value) == "the delta has shape (1, 4, 8); blob expects (4, 8)"
    with pytest.raises(RecordError) as caught:
        edit_delta(DragRecord())
    assert str(caught.value) == NO_STEPS
