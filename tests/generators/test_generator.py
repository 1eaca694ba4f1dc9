import numpy as np
import pytest
import torch
from analytic import BlobGenerator

from draggan_widget import FeatureMap
from draggan_widget.errors import ConfigError
from draggan_widget.geometry import Window


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
def test_a_seed_gives_the_z_of_the_official_tools(seed: int):
    z = BlobGenerator().z_from_seed(seed)
    assert z.dtype == torch.float32
    assert np.array_equal(z.numpy(), np.random.RandomState(seed).randn(1, 8).astype(np.float32))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed: int):
    with pytest.raises(ConfigError) as caught:
        BlobGenerator().z_from_seed(seed)
    assert str(caught.value) == f"seed is {seed}; expected a whole number from 0 to 2**32 - 1"


def test_the_latent_of_a_seed_is_its_mapped_z():
    generator = BlobGenerator()
    ws = generator.ws_from_seed(5, 0.7)
    assert torch.equal(ws, generator.mapping(generator.z_from_seed(5), 0.7))
    assert not ws.requires_grad


def test_the_resolution_is_the_longer_side():
    assert BlobGenerator(side=64, wide=2).resolution == 128


def whole_map() -> FeatureMap:
    return FeatureMap.of(3, torch.arange(2 * 6 * 8, dtype=torch.float32).view(2, 6, 8))


def test_a_whole_map_knows_its_size():
    features = whole_map()
    assert (features.block, features.size, features.windows) == (3, (6, 8), (Window(0, 0, 6, 8),))
    assert torch.equal(features.whole, features.values[0])


def test_windows_of_different_sizes_are_read_at_their_places():
    whole = whole_map()
    cut = whole.cut([Window(0, 0, 2, 3), Window(2, 4, 4, 2)])
    assert [tuple(values.shape) for values in cut.values] == [(2, 2, 3), (2, 4, 2)]
    for window in (Window(0, 1, 2, 2), Window(3, 4, 2, 2), Window(2, 4, 4, 2)):
        assert torch.equal(cut.read(window), whole.whole[:, window.rows, window.columns])
    assert cut.size == (6, 8)


def test_what_is_not_held_is_refused():
    cut = whole_map().cut([Window(2, 4, 4, 2)])
    with pytest.raises(ValueError, match="not held") as caught:
        _ = cut.whole
    assert str(caught.value) == (
        "Window(y=0, x=0, height=6, width=8) of block 3 is not held; held are (Window(y=2, x=4, height=4, width=2),)"
    )


def test_detached_values_have_no_graph_and_are_the_same():
    values = torch.randn(2, 4, 4, requires_grad=True)
    features = FeatureMap.of(1, values * 2).cut([Window(0, 0, 2, 2)])
    assert features.values[0].requires_grad
    assert not features.detach().values[0].requires_grad
    assert torch.equal(features.detach().values[0], features.values[0])
