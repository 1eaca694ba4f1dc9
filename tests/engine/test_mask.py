import numpy as np
import pytest
import torch
import torch.nn.functional as F
from analytic import BlobGenerator
from engine.oracle import fed_pixels

from draggan_widget import DragConfig, Edit, FeatureMap
from draggan_widget.engine import mask as masking
from draggan_widget.engine.mask import FixedPart, fixed_part, mask_loss

AT = ((1.0, 2.0),)


def part(mask: np.ndarray, side: int = 32, wide: int = 1, block: int = 2, norm: str = "fixed") -> FixedPart:
    generator = BlobGenerator(side=side, wide=wide, dtype=torch.float64)
    fixed = fixed_part(Edit(AT, AT, mask), generator, DragConfig(block=block, mask_norm=norm))
    assert fixed is not None
    return fixed


def weights(mask: np.ndarray, side: int = 32, wide: int = 1, block: int = 2) -> torch.Tensor:
    return part(mask, side, wide, block).cell_weights


def random_mask(height: int, width: int) -> np.ndarray:
    return np.random.RandomState(0).rand(height, width) > 0.6


@pytest.mark.parametrize(("wide", "block"), [(1, 2), (2, 2), (1, 1), (1, 0)])
def test_each_cell_weighs_as_many_fixed_pixels_as_it_feeds(wide: int, block: int):
    mask = random_mask(32, 32 * wide)
    due = fed_pixels(BlobGenerator(side=32, wide=wide).block_size(block), mask)
    torch.testing.assert_close(weights(mask, 32, wide, block), due / due.sum(), atol=1e-12, rtol=0)


def test_one_is_free_and_zero_is_fixed():
    mask = np.ones((32, 32), bool)
    mask[:, 24:] = False
    fixed = weights(mask)
    assert float(fixed.sum()) == pytest.approx(1.0)
    assert float(fixed[:, :11].abs().max()) == 0.0
    assert float(fixed[:, 12:].min()) > 0.0


def test_no_mask_and_a_wholly_free_one_fix_nothing():
    assert fixed_part(Edit(AT, AT), BlobGenerator(), DragConfig()) is None
    assert fixed_part(Edit(AT, AT, np.ones((64, 64), bool)), BlobGenerator(), DragConfig()) is None


def maps(seed: int) -> FeatureMap:
    return FeatureMap.of(2, torch.randn(5, 16, 16, generator=torch.Generator().manual_seed(seed)).double())


def image_size_mean(now: FeatureMap, start: FeatureMap, mask: np.ndarray) -> float:
    """|F - F0| upsampled first, averaged over channels and fixed pixels: the published order."""
    change = F.interpolate((now.whole - start.whole)[None], size=mask.shape, mode="bilinear", align_corners=False)
    return float(change[0].abs().mean(dim=0)[torch.from_numpy(~mask)].mean())


def test_the_loss_is_an_upper_bound_of_the_image_size_mean():
    mask = random_mask(32, 32)
    now, start = maps(1), maps(2)
    assert image_size_mean(now, start, mask) < float(mask_loss(now, start, part(mask)))


def test_the_loss_equals_the_image_size_mean_where_the_change_keeps_its_sign():
    mask = random_mask(32, 32)
    start = maps(1)
    signs = torch.tensor([1.0, -1, 1, -1, -1])[:, None, None]
    now = FeatureMap.of(2, start.whole + signs * maps(2).whole.abs())
    due = image_size_mean(now, start, mask)
    assert float(mask_loss(now, start, part(mask))) == pytest.approx(due, rel=1e-12)


def test_the_loss_means_the_same_for_a_small_and_a_large_fixed_part():
    start = maps(1)
    now = FeatureMap.of(2, start.whole + 0.25)
    small, large = np.ones((32, 32), bool), np.zeros((32, 32), bool)
    small[3:5, 7] = False
    for mask in (small, large):
        assert float(mask_loss(now, start, part(mask))) == pytest.approx(0.25)
    assert float(mask_loss(start, start, part(large))) == 0.0


@pytest.mark.parametrize("wide", [1, 2])
@pytest.mark.parametrize("side", [16, 32, 40, 48])  # 40: cells of two and a half px
@pytest.mark.parametrize("norm", ["mean", "sum"])
def test_the_exact_norms_equal_the_upsampled_map_in_value_and_gradient(norm: str, side: int, wide: int, monkeypatch):
    monkeypatch.setattr(masking, "CACHED", 2 * 16 * 16)  # two channels of the narrow map at a time
    mask = random_mask(side, side * wide)
    values = torch.randn(3, 16, 16 * wide, generator=torch.Generator().manual_seed(4)).double().requires_grad_()
    start = FeatureMap.of(2, torch.zeros_like(values))
    generator = BlobGenerator(side=64, wide=wide, dtype=torch.float64)
    generator.image_size = mask.shape
    fixed = fixed_part(Edit(AT, AT, mask), generator, DragConfig(block=2, mask_norm=norm))
    assert fixed is not None
    loss = mask_loss(FeatureMap.of(2, values), start, fixed)
    change = F.interpolate(values[None], size=mask.shape, mode="bilinear", align_corners=False)[0]
    due = change.abs() * torch.from_numpy(~mask)
    due = due.mean() if norm == "mean" else due.sum()
    assert float(loss.detach()) == pytest.approx(float(due.detach()), rel=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(value, values)[0] for value in (loss, due)))
