import itertools

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine import oracle
from engine.helpers import run, settings
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from draggan_widget import DragRecord, FeatureMap
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.inspection import FeatureColours, as_tracked, channels_by_variance, difference, similarity

SIZE = (32, 48)  # a map of 8 x 12 under it


def random_map(seed: int, channels: int = 5) -> FeatureMap:
    values = torch.randn(channels, 8, 12, generator=torch.Generator().manual_seed(seed)).double()
    return FeatureMap.of(1, values * torch.arange(1.0, channels + 1)[:, None, None])


def upsampled(features: FeatureMap) -> np.ndarray:
    whole = features.whole[None]
    return torch.nn.functional.interpolate(whole, size=SIZE, mode="bilinear", align_corners=False)[0].numpy()


def test_colours_are_the_directions_of_most_variance_of_the_first_middle_and_last_map():
    record = DragRecord(steps=run(BlobGenerator()))
    maps = [record[k].features(2).whole for k in (0, len(record) // 2, len(record) - 1)]
    cells = torch.cat([values.flatten(1) for values in maps], dim=1).T.double().numpy()
    colours = FeatureColours.fit(record, 2)
    centred = cells - cells.mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(colours.mean, cells.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.abs(colours.components @ vectors[:3].T), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(colours.explained, (singular**2 / (singular**2).sum())[:3])
    assert all(row[np.abs(row).argmax()] > 0 for row in colours.components)


def test_colours_are_the_same_bits_for_the_same_drag():
    record = DragRecord(steps=run(BlobGenerator()))
    one, other = FeatureColours.fit(record, 2), FeatureColours.fit(record, 2)
    assert one.of(record[3].features(2)).tobytes() == other.of(record[3].features(2)).tobytes()
    assert one.components.tobytes() == other.components.tobytes()


def test_a_feature_keeps_its_colour_wherever_and_whenever_it_appears():
    """Fitted to one map, another that holds the same features elsewhere, and nothing else, is the moved picture."""
    step = run(BlobGenerator())[0]
    colours = FeatureColours.fit(step, 3)
    values = step.features(3).whole
    moved = colours.of(FeatureMap.of(3, values.roll((2, 5), dims=(1, 2))))
    np.testing.assert_array_equal(moved, np.roll(colours.of(values.numpy()), (2, 5), axis=(0, 1)))
    alone = colours.of(FeatureMap.of(3, values[:, :4, :4].clone()))  # a crop alone would have other extremes
    np.testing.assert_array_equal(alone, colours.of(values.numpy())[:4, :4])


def test_all_but_a_hundredth_of_the_cells_at_either_end_keep_colours_apart():
    values = torch.zeros(3, 20, 50)
    values[0] = torch.linspace(0, 1, 1000).reshape(20, 50)
    values[0, 0, 0] = -1000.0  # one wild cell
    step = run(BlobGenerator())[0]
    object.__setattr__(step.current, "_features", FeatureMap.of(1, values))
    red = FeatureColours.fit(step, 1).of(values.numpy())[..., 0].ravel()
    assert red[1:12].max() <= 1
    assert red[-5:].min() == 255
    assert np.unique(red).size > 200
    assert (np.diff(red[1:].astype(int)) >= 0).all()


def test_a_map_of_fewer_channels_than_colours_and_one_without_any_contrast_have_colours_too():
    step = run(BlobGenerator())[0]
    for values in (torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0)), torch.ones(4, 4, 6)):
        object.__setattr__(step.current, "_features", FeatureMap.of(1, values))
        colours = FeatureColours.fit(step, 1)
        assert colours.of(values.numpy()).shape == (4, 6, 3)
        assert np.isfinite(colours.explained).all()


def test_a_map_of_another_block_and_an_empty_record_are_refused():
    with pytest.raises(ConfigError) as caught:
        FeatureColours.fit(run(BlobGenerator())[0], 2).of(random_map(0))
    assert str(caught.value) == ("the map has 5 channels; these colours were fitted to 9; fit them to the same block")
    with pytest.raises(RecordError) as caught:
        FeatureColours.fit(DragRecord(), 2)
    assert str(caught.value) == "the record has 0 steps; expected at least one; start a drag first"


def test_channels_come_by_their_variance_over_the_map_and_equal_ones_by_number():
    values = np.zeros((5, 2, 2), dtype=np.float32)
    values[1, 0, 0], values[3, 0, 0], values[4, 1, 1] = 1.0, 9.0, 1.0
    values[2] = 100.0  # bright, but the same everywhere
    assert channels_by_variance(values).tolist() == [3, 1, 4, 0, 2]
    assert channels_by_variance(FeatureMap.of(0, torch.from_numpy(values))).tolist() == [3, 1, 4, 0, 2]


def test_the_difference_is_the_length_of_what_changed_in_each_cell():
    before = np.zeros((2, 2, 3), dtype=np.float32)
    now = before.copy()
    now[:, 1, 2] = 3.0, -4.0
    assert difference(now, before).tolist() == [[0, 0, 0], [0, 0, 5.0]]
    with pytest.raises(ConfigError) as caught:
        difference(now, before[:1])
    assert str(caught.value) == "the maps have shapes (2, 2, 3) and (1, 2, 3); expected two maps of one block"


@how(deadline=None, max_examples=40)
@given(
    at=st.tuples(st.floats(0.0, 47.0), st.floats(0.0, 31.0)),
    measure=st.sampled_from(("cosine", "L2", "L1")),
    seen=st.booleans(),
    seed=st.integers(0, 99),
)
def test_similarity_to_any_pixel_equals_the_slow_oracle(at, measure, seen, seed):
    now, start = random_map(seed), random_map(seed + 100)
    wanted = oracle.read(upsampled(start if seen else now), *at)
    found = similarity(now, at, SIZE, measure, start if seen else None)
    for y, x in itertools.product(range(8), range(12)):
        cell = now.whole[:, y, x].numpy()
        if measure == "cosine":
            due = cell @ wanted / (np.linalg.norm(cell) * np.linalg.norm(wanted))
        else:
            due = np.abs(cell - wanted).sum() if measure == "L1" else np.sqrt(((cell - wanted) ** 2).sum())
        assert found[y, x] == pytest.approx(due, abs=1e-9)


def test_a_dark_map_is_like_nothing():
    assert not similarity(np.zeros((3, 8, 12), dtype=np.float32), (4, 4), SIZE).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((60, 20), SIZE), "the pixel (60, 20) is outside the 48 x 32 image; take one inside"),
        (((6, -0.6), SIZE), "the pixel (6, -0.6) is outside the 48 x 32 image; take one inside"),
        (((6, 6), SIZE, "dot"), "measure is 'dot'; expected one of cosine, L2, L1"),
        (
            ((6, 6), SIZE, "L2", random_map(1, 4)),
            "the maps have shapes (5, 8, 12) and (4, 8, 12); expected two maps of one block",
        ),
    ],
)
def test_similarity_refuses_what_it_cannot_measure(arguments, message):
    with pytest.raises(ConfigError) as caught:
        similarity(random_map(0), *arguments)
    assert str(caught.value) == message


def test_the_tracked_map_lacks_the_share_of_the_mean_that_the_settings_take_off():
    generator = BlobGenerator()
    step = run(generator)[0]
    features = step.features(3)
    assert as_tracked(features, generator, settings(generator)) is features
    without = as_tracked(features, generator, settings(generator, mean_removal=0.4))
    due = features.whole - 0.4 * generator.mean_features(3).whole
    assert torch.equal(without.whole, due)
    assert (without.block, without.size) == (3, features.size)


def test_a_mirrored_map_is_looked_at_like_any_other():
    values = np.random.RandomState(0).rand(3, 4, 4).astype(np.float32)
    mirrored = values[:, :, ::-1]
    np.testing.assert_array_equal(
        similarity(mirrored, (2.0, 2.0), (8, 8), "L2"), similarity(mirrored.copy(), (2.0, 2.0), (8, 8), "L2")
    )
