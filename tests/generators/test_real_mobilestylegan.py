"""The real weights: against the published graphs run operator by operator, and two drags of a nose."""

import math

import checkpoints.ir_oracle as oracle
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.checkpoints.mobilestylegan import read
from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Graph
from draggan_widget.geometry import image_to_feature

pytestmark = pytest.mark.real
PREVIEW_FLOOR = 22.0  # dB against the downsampled picture, on seeds the heads were not fitted on
NOSE_BOUND = 1.5  # feature cells between the target and the best match of the nose


@pytest.fixture(scope="module")
def members(real_source) -> dict[str, bytes]:
    return read.read_members(real_source)


@pytest.fixture(scope="module")
def synthesis(members) -> Graph:
    return read.network(members, "SynthesisNetwork")


def agree(found: Tensor, due: Tensor) -> bool:
    return float((found - due).abs().max()) < 1e-4 * max(1.0, float(due.abs().max()))


def test_the_mapping_equals_the_published_graph(real_generator, members):
    z = torch.cat([real_generator.z_from_seed(seed) for seed in (0, 3, 42)])
    due, _ = oracle.run(read.network(members, "MappingNetwork"), z, wanted=[])
    ws = real_generator.mapping(z)
    assert ws.shape == (3, 23, 512)
    assert (ws - due[:, None]).abs().max() < 1e-4


@pytest.mark.parametrize("different_rows", [False, True])
def test_picture_and_features_of_every_block_equal_the_published_graph(real_generator, synthesis, different_rows: bool):
    z = torch.randn(23, 512, generator=torch.Generator().manual_seed(2))
    w = real_generator.mapping(z)[:, 0]
    ws = w[None] if different_rows else w[None, :1].expand(1, 23, 512)
    with torch.no_grad():
        due, due_features = oracle.run(synthesis, ws if different_rows else w[:1])
        for block, wanted in enumerate(due_features.values()):
            assert agree(real_generator.features(ws, block).whole, wanted[0]), f"block {block}"
    assert agree(real_generator.image(ws), due)
    assert len(due_features) == real_generator.num_blocks == 8
    assert due.shape == (1, 3, 1024, 1024)


@pytest.mark.parametrize("block", [4, 5])
def test_a_picture_from_features_is_the_same_bit_for_bit(real_generator, block: int, monkeypatch: pytest.MonkeyPatch):
    ws = real_generator.ws_from_seed(3, 0.7)
    features, due = real_generator.features(ws, block), real_generator.image(ws)
    called = []
    compute = real_generator.network.block
    monkeypatch.setattr(real_generator.network, "block", lambda n, *others: (called.append(n), compute(n, *others))[1])
    assert torch.equal(real_generator.image(ws, features), due)
    assert min(called) == block + 1
    assert max(called) == 7


def test_the_picture_in_strips_is_the_picture_computed_whole(real_generator):
    ws = real_generator.ws_from_seed(5, 0.7)
    network = real_generator.network
    with torch.no_grad():
        x = network.run(ws, 7)
        scaled = x * (0.5 * network.style(22, ws))
        rgb = F.conv2d(scaled, network.to_rgb.weight[:, :, None, None], 0.5 * network.to_rgb.bias)
        whole = F.pixel_shuffle(_corners(rgb), 2)
    assert (real_generator.image(ws) - whole).abs().max() < 1e-4


def _corners(rgb: Tensor) -> Tensor:
    """The four pixels that each cell of the last inverse Haar gives, colour by colour."""
    average, (down, along, both) = rgb[:, :3], rgb[:, 3:].unflatten(1, (3, 3)).unbind(2)
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    pixels = [average + y * down + x * along + y * x * both for y, x in signs]
    return torch.stack(pixels, dim=2).flatten(1, 2)


@pytest.mark.parametrize("seed", [100, 200, 300, 400])
def test_a_preview_looks_like_the_picture_made_small(real_generator, seed: int):
    ws = real_generator.ws_from_seed(seed, 0.7)
    preview = real_generator.preview(real_generator.features(ws, 4), ws)
    small = F.adaptive_avg_pool2d(real_generator.image(ws), preview.shape[-1])[0]
    noise = float((preview - small).square().mean())
    assert preview.shape == (3, 256, 256)
    assert 10 * math.log10(4 / noise) > PREVIEW_FLOOR


def test_the_mean_latent_is_the_mean_of_mapped_latents(real_generator):
    z = torch.randn(2000, 512, generator=torch.Generator().manual_seed(7))
    mean = real_generator.mapping(z)[:, 0]
    off = (mean.mean(dim=0) - real_generator.network.w_avg).norm()
    assert off < 3 * (mean.std(dim=0) / len(z) ** 0.5).norm()
    assert torch.equal(real_generator.mapping(z[:1], 0.0), real_generator.network.w_avg.expand(1, 23, 512))


def best_match(start: Tensor, cell: tuple[int, int], now: Tensor) -> tuple[int, int]:
    """Where in the whole map `now` the 3 x 3 patch around `cell` of `start` is found again: plain L2."""
    width = start.shape[2]
    column, row = cell
    patch = F.unfold(start[None], 3, padding=1)[0, :, row * width + column]
    away = (F.unfold(now[None], 3, padding=1)[0] - patch[:, None]).square().sum(dim=0)
    found_row, found_column = divmod(int(away.argmin()), width)
    return found_column, found_row


@pytest.mark.parametrize(
    ("seed", "nose", "cells"),
    [(3, (31, 36), 4), (100, (30, 38), -4)],
    ids=["to the right", "to the left"],
)
def test_a_nose_dragged_by_64_px_is_found_where_it_should_be(real_generator, seed: int, nose, cells: int):
    """Checked without the tracker: the nose's own features are searched for over the whole last map."""
    handle = tuple(image_to_feature(part, 1024, 64) for part in nose)  # back
    target = (handle[0] + 16 * cells, handle[1])
    config = DragConfig.for_generator(real_generator)
    steps = list(drag(real_generator, real_generator.ws_from_seed(seed, 0.7), Edit((handle,), (target,)), config))
    start, last = steps[0].features(4).whole, steps[-1].features(4).whole
    assert config.block == 4
    assert steps[-1].ended == "arrived"
    assert best_match(start, nose, start) == nose
    assert math.dist(best_match(start, nose, last), (nose[0] + cells, nose[1])) <= NOSE_BOUND
    assert steps[-1].picture().size == (1024, 1024)
