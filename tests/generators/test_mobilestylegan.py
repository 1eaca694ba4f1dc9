"""MobileStyleGAN with small random weights, written out plainly and held against the fast network."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from generators.tiny import CHANNELS, WIDTH, random_ws, tiny_checkpoint, tiny_generator, tiny_tensors
from torch import Tensor

from draggan_widget.errors import Cancelled, CheckpointError, ConfigError
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.mobilestylegan import network as network_module
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.mobilestylegan.network import MobileStyleGANConfig, inverse_haar
from draggan_widget.geometry import Window


def slow_haar(x: Tensor) -> Tensor:
    """The orthonormal inverse Haar, pixel by pixel; the details change sign down, along, and both ways."""
    batch, channels, height, width = x.shape
    quarter = channels // 4
    out = x.new_zeros(batch, quarter, 2 * height, 2 * width)
    for channel, row, column in itertools.product(range(quarter), (0, 1), (0, 1)):
        down, along = 1 - 2 * row, 1 - 2 * column
        detail = quarter + 3 * channel
        bands = x[:, channel] + down * x[:, detail] + along * x[:, detail + 1] + down * along * x[:, detail + 2]
        out[:, channel, row::2, column::2] = bands / 2
    return out


def slow_network(tensors: dict[str, Tensor], ws: Tensor, channels: tuple[int, ...]) -> tuple[list[Tensor], Tensor]:
    """Every block's features and the picture, as the published network draws them."""

    def styled(x: Tensor, row: int) -> Tensor:
        style = ws[:, row] @ tensors[f"affine.{row}.weight"].T + tensors[f"affine.{row}.bias"]
        return x * style[:, :, None, None]

    def ended(x: Tensor, conv: int) -> Tensor:
        x = x + tensors[f"conv.{conv}.noise"] + tensors[f"conv.{conv}.bias"][:, None, None]
        return torch.where(x > 0, x, 0.2 * x)

    def separable(x: Tensor, conv: int) -> Tensor:
        x = F.conv2d(x, tensors[f"conv.{conv}.depthwise"], padding=1, groups=x.shape[1])
        return ended(torch.einsum("oi,bihw->bohw", tensors[f"conv.{conv}.pointwise"], x), conv)

    x = tensors["input"].expand(len(ws), -1, -1, -1)
    x = ended(F.conv2d(styled(x, 0), tensors["conv.0.weight"], padding=1), 0)
    features = [x]
    for block in range(1, len(channels)):
        x = slow_haar(styled(x, 3 * block - 2))
        x = separable(styled(x, 3 * block - 1), 2 * block - 1)
        x = separable(styled(x, 3 * block), 2 * block)
        features.append(x)
    x = styled(x, 3 * len(channels) - 2)
    rgb = torch.einsum("oi,bihw->bohw", tensors["to_rgb.weight"], x) + tensors["to_rgb.bias"][:, None, None]
    return features, slow_haar(rgb)


def blocks_called(generator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks that are computed from now on."""
    called = []
    block = generator.network.block
    monkeypatch.setattr(generator.network, "block", lambda n, *others: (called.append(n), block(n, *others))[1])
    return called


@pytest.mark.parametrize("channels", [CHANNELS, (8, 8), (16, 8, 16, 8, 4)])
def test_features_and_picture_equal_the_network_written_plainly(channels: tuple[int, ...]):
    generator = tiny_generator(channels, torch.float64)
    tensors = {name: tensor.double() for name, tensor in tiny_tensors(channels).items()}
    ws = random_ws(generator, 1)
    features, picture = slow_network(tensors, ws, channels)
    for block, due in enumerate(features):
        torch.testing.assert_close(generator.features(ws, block).whole, due[0], atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(generator.image(ws), picture, atol=1e-10, rtol=1e-10)


def test_the_fast_inverse_haar_is_twice_the_slow_one():
    x = torch.randn(2, 12, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(inverse_haar(x), 2 * slow_haar(x))


def test_the_gradient_of_the_features_is_right():
    generator = tiny_generator(dtype=torch.float64)
    ws = random_ws(generator, 2).requires_grad_()
    weights = torch.randn(3, 8 * 32 * 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda ws: weights @ generator.features(ws, 3).whole.flatten(), ws, atol=1e-4)


def test_features_depend_on_no_row_beyond_their_block():
    generator = tiny_generator()
    ws = random_ws(generator).requires_grad_()
    for block, rows in ((0, 1), (1, 4), (2, 7), (3, 10)):
        (gradient,) = torch.autograd.grad(generator.features(ws, block).whole.square().sum(), ws)
        assert (gradient[0, :rows].abs().sum(dim=1) > 0).all()
        assert (gradient[0, rows:] == 0).all()


def test_the_generator_says_its_sizes():
    generator = tiny_generator()
    assert (generator.name, generator.family) == ("tiny", "mobilestylegan")
    assert (generator.image_size, generator.num_blocks, generator.num_ws) == ((64, 64), 4, 11)
    assert (generator.w_dim, generator.z_dim) == (WIDTH, WIDTH)
    assert [generator.block_size(block) for block in range(4)] == [(4, 4), (8, 8), (16, 16), (32, 32)]
    assert generator.drag_rows == tuple(range(10))
    assert not any(parameter.requires_grad for parameter in generator.network.parameters())


def test_the_published_sizes_are_the_defaults():
    config = MobileStyleGANConfig()
    assert (config.num_ws, config.resolution) == (23, 1024)


@pytest.mark.parametrize("block", [-1, 4])
def test_a_block_that_is_not_there_is_refused(block: int):
    generator = tiny_generator()
    for ask in (lambda: generator.block_size(block), lambda: generator.features(random_ws(generator), block)):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert str(caught.value) == f"block is {block}; tiny has blocks 0 to 3"


def test_windows_are_cut_from_the_whole_map():
    generator = tiny_generator()
    ws = random_ws(generator)
    windows = [Window(2, 3, 5, 4), Window(0, 0, 1, 1)]
    cut = generator.features(ws, 2, windows)
    assert cut.windows == tuple(windows)
    assert torch.equal(cut.values[0], generator.features(ws, 2).whole[:, 2:7, 3:7])


@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_a_picture_from_features_is_the_same_and_computes_no_lower_block(block: int, monkeypatch: pytest.MonkeyPatch):
    generator = tiny_generator()
    ws = random_ws(generator)
    features, due = generator.features(ws, block), generator.image(ws)
    called = blocks_called(generator, monkeypatch)
    assert torch.equal(generator.image(ws, features), due)
    assert sorted(set(called)) == list(range(block + 1, 4))


def test_features_compute_no_higher_block(monkeypatch: pytest.MonkeyPatch):
    generator = tiny_generator()
    called = blocks_called(generator, monkeypatch)
    generator.features(random_ws(generator), 2)
    assert called == [0, 1, 2]


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 32])
@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_a_picture_in_strips_is_the_picture_computed_whole(rows: int, blocks: int, monkeypatch: pytest.MonkeyPatch):
    generator = tiny_generator(dtype=torch.float64)
    ws = random_ws(generator)
    _, due = slow_network({k: v.double() for k, v in tiny_tensors().items()}, ws, CHANNELS)
    monkeypatch.setattr(network_module, "STRIP_ROWS", rows)
    monkeypatch.setattr(network_module, "STRIP_BLOCKS", blocks)
    torch.testing.assert_close(generator.image(ws), due, atol=1e-10, rtol=1e-10)


def test_a_batch_of_latents_is_drawn_one_by_one():
    generator = tiny_generator(dtype=torch.float64)
    ws = random_ws(generator, batch=3)
    pictures = generator.image(ws)
    assert pictures.shape == (3, 3, 64, 64)
    for picture, row in zip(pictures, ws, strict=True):
        torch.testing.assert_close(picture, generator.image(row[None])[0], atol=1e-10, rtol=0)


def test_a_picture_has_no_graph_and_leaves_the_features_alone():
    generator = tiny_generator()
    ws = random_ws(generator).requires_grad_()
    features = generator.features(ws, 2)
    before = features.whole.detach().clone()
    assert not generator.image(ws, features).requires_grad
    assert not generator.preview(features, ws).requires_grad
    assert torch.equal(features.whole, before)
    features.whole.sum().backward()  # its graph is still whole


def test_a_picture_nobody_waits_for_is_dropped_between_blocks_and_strips():
    generator = tiny_generator()
    ws = random_ws(generator)
    for answers, message in (
        ([True], "the picture was dropped before block 0: nobody waits for it"),
        ([False, True], "the picture was dropped before block 1: nobody waits for it"),
        ([False, False, True], "the picture was dropped at row 0 of 8: nobody waits for it"),
    ):
        left = iter(answers)
        with pytest.raises(Cancelled) as caught:
            generator.image(ws, cancelled=lambda left=left: next(left))
        assert str(caught.value) == message
    assert torch.equal(generator.image(ws, cancelled=lambda: False), generator.image(ws))


def test_without_truncation_every_row_is_the_mapped_z():
    generator = tiny_generator()
    ws = generator.mapping(generator.z_from_seed(4))
    assert ws.shape == (1, 11, WIDTH)
    assert torch.equal(ws, ws[:, :1].expand(-1, 11, -1))


def test_the_mapping_is_pixel_norm_and_eight_leaky_layers():
    generator = tiny_generator(dtype=torch.float64)
    tensors = {name: tensor.double() for name, tensor in tiny_tensors().items()}
    z = generator.z_from_seed(4)
    x = z / torch.sqrt((z**2).mean(dim=1, keepdim=True) + 1e-8)
    for layer in range(8):
        x = x @ tensors[f"mapping.{layer}.weight"].T + tensors[f"mapping.{layer}.bias"]
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    torch.testing.assert_close(generator.mapping(z)[:, 0], x, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("psi", [0.0, 0.5, 0.7, 1.3])
@pytest.mark.parametrize("cutoff", [None, 0, 4, 11])
def test_truncation_pulls_the_first_rows_toward_the_mean(psi: float, cutoff: int | None):
    generator = tiny_generator()
    z, mean = generator.z_from_seed(4), tiny_tensors()["w_avg"]
    plain, pulled = generator.mapping(z), generator.mapping(z, psi, cutoff)
    rows = 11 if cutoff is None else cutoff
    torch.testing.assert_close(pulled[:, :rows], mean + psi * (plain[:, :rows] - mean))
    assert torch.equal(pulled[:, rows:], plain[:, rows:])


def test_a_seed_is_numpy_s_random_state():
    generator = tiny_generator()
    z = np.random.RandomState(42).randn(1, WIDTH).astype(np.float32)
    assert np.array_equal(generator.z_from_seed(42).numpy(), z)
    assert torch.equal(generator.ws_from_seed(42, 0.7), generator.mapping(torch.from_numpy(z), 0.7))


@pytest.mark.parametrize(("block", "side"), [(2, 32), (3, 32)])
def test_a_preview_is_the_linear_head_of_its_block(block: int, side: int):
    generator = tiny_generator()
    ws = random_ws(generator)
    features = generator.features(ws, block)
    head = tiny_tensors()[f"preview.{block}.weight"]
    factor = side // features.size[0]
    flat = head[:, :-1] @ features.whole.flatten(1) + head[:, -1:]
    due = torch.zeros(3, side, side)
    for colour, row, column in itertools.product(range(3), range(factor), range(factor)):
        plane = flat[colour * factor**2 + row * factor + column].view(features.size)
        due[colour, row::factor, column::factor] = plane
    torch.testing.assert_close(generator.preview(features), due)
    assert torch.equal(generator.preview(features, ws), generator.preview(features))


def test_a_block_without_a_head_has_no_preview():
    generator = tiny_generator()
    with pytest.raises(ConfigError) as caught:
        generator.preview(generator.features(random_ws(generator), 1))
    assert str(caught.value) == "block 1 has no preview; blocks with one are [2, 3]"


def test_the_generator_is_a_generator_and_holds_no_state():
    generator = tiny_generator()
    before = {name: tensor.clone() for name, tensor in generator.network.state_dict().items()}
    ws = random_ws(generator)
    features = generator.features(ws.requires_grad_(), 3)
    features.whole.sum().backward()
    generator.image(ws, features)
    assert isinstance(generator, Generator)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.network.state_dict().items())
    assert ws.grad is not None


SIZES = "expected channels of at most 10 blocks, z_dim and w_dim, each a whole number from 1 to 65536; convert or fetch"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": [4] * 11}, "channels a list of 11, z_dim 8 and w_dim 8"),
        ({"channels": []}, "channels a list of 0, z_dim 8 and w_dim 8"),
        ({"channels": 8}, "channels 8, z_dim 8 and w_dim 8"),
        ({"channels": [16, 10**12]}, "channels a list of 2, z_dim 8 and w_dim 8"),
        ({"channels": [16, "8"]}, "channels a list of 2, z_dim 8 and w_dim 8"),
        ({"w_dim": 8.0}, "channels a list of 4, z_dim 8 and w_dim 8.0"),
        ({"z_dim": -1}, "channels a list of 4, z_dim -1 and w_dim 8"),
    ],
)
def test_sizes_that_no_generator_has_are_refused_before_a_network_is_made(changes: dict, words: str):
    checkpoint = tiny_checkpoint()
    wrong = dataclasses.replace(checkpoint, config={**checkpoint.config, **changes})
    with pytest.raises(CheckpointError) as caught:
        MobileStyleGAN.from_checkpoint(wrong, "x", torch.device("cpu"))
    assert str(caught.value) == f"x has {words}; {SIZES} it again"


def test_a_tensor_of_no_block_is_refused_by_its_name():
    checkpoint = tiny_checkpoint()
    wrong = dataclasses.replace(checkpoint, tensors={**checkpoint.tensors, "mean.x.features": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"^x is not a MobileStyleGAN of 64 px: (?s:.*)mean\.x\.features"):
        MobileStyleGAN.from_checkpoint(wrong, "x", torch.device("cpu"))
