"""StyleGAN2 against the network written out plainly, and what a `Generator` promises."""

import dataclasses
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from generators.reference_stylegan2 import Reference
from generators.tiny_stylegan2 import TINY, plain_config, random_tensors, tiny_checkpoint

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.errors import Cancelled, ConfigError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.stylegan2 import layers, synthesis
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.geometry import Window

WIDE = [8, 8, 8, 6, 6, 4, 4]  # 256 px
KINDS: dict[str, dict[str, Any]] = {
    "skip": {},
    "resnet": {"architecture": "resnet"},
    "orig": {"architecture": "orig"},
    "one block": {"channels": [8]},
    "two blocks": {"channels": [6, 8], "architecture": "resnet"},
    "clamped": {"conv_clamp": 0.8, "num_fp16_res": 2},
    "clamped resnet": {"conv_clamp": 0.8, "architecture": "resnet"},
    "no noise": {"use_noise": False},
    "grey": {"img_channels": 1},
    "RGBA": {"img_channels": 4},
    "relu": {"activation": "relu"},
    "relu resnet": {"activation": "relu", "mapping_activation": "lrelu", "architecture": "resnet", "conv_clamp": 0.8},
    "one tap": {"resample_filter": [1]},
    "two taps": {"resample_filter": [1, 1], "architecture": "resnet"},
    "three taps": {"resample_filter": [1, 2, 1], "architecture": "resnet"},
    "lopsided taps": {"resample_filter": [1, 4, 2, -1]},
    "five taps": {"resample_filter": [1, 4, 6, 4, 1]},
    "six taps": {"resample_filter": [1, 5, 10, 10, 5, 2]},
    "eight taps": {"resample_filter": [1, 2, 3, 4, 4, 3, 2, -1]},
    "upright": {"start_size": [4, 2]},
    "upright resnet": {"start_size": [4, 2], "architecture": "resnet"},
    "across": {"start_size": [3, 5]},
    "64 px": {"channels": [8, 8, 8, 6, 4], "conv_clamp": 256},
    "256 px": {"channels": WIDE},
    "256 px resnet": {"channels": WIDE, "architecture": "resnet", "conv_clamp": 1.0},
    "256 px orig, no noise": {"channels": WIDE, "architecture": "orig", "use_noise": False},
}
MAPPINGS: dict[str, dict[str, Any]] = {
    "2 layers": {},
    "8 layers": {"mapping_layers": 8},
    "one layer": {"mapping_layers": 1},
    "wide between": {"mapping_layers": 3, "mapping_features": 12},
    "other rate": {"mapping_lr_multiplier": 0.1},
    "other z": {"z_dim": 5},
    "classes": {"c_dim": 4},
    "classes, 8 layers": {"c_dim": 4, "mapping_layers": 8, "embed_features": 3},
    "classes alone": {"c_dim": 4, "z_dim": 0},
    "relu": {"activation": "relu", "mapping_layers": 3},
    "relu in the mapping alone": {"mapping_activation": "relu", "mapping_layers": 3},
}


def made(config: StyleGAN2Config, dtype: torch.dtype = torch.float32, device: str = "cpu") -> StyleGAN2:
    checkpoint = tiny_checkpoint(config)
    tensors = {name: tensor.to(dtype) for name, tensor in checkpoint.tensors.items()}
    return StyleGAN2.from_checkpoint(dataclasses.replace(checkpoint, tensors=tensors), "tiny", torch.device(device))


def random_ws(generator: StyleGAN2, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Latents whose rows all differ."""
    source = torch.Generator().manual_seed(seed)
    values = torch.randn(batch, generator.num_ws, generator.w_dim, generator=source, dtype=torch.float64)
    return values.to(generator.device, generator.dtype)


def agree(found: torch.Tensor, due: np.ndarray, bound: float = 1e-4) -> None:
    assert found.shape == due.shape
    error = np.abs(found.detach().cpu().double().numpy() - due).max()
    assert error < bound * max(1.0, np.abs(due).max() / 10)


def check_drawing(generator: StyleGAN2, reference: Reference, bound: float = 1e-4) -> None:
    """Every block's features, with and without a graph, and every picture."""
    ws = random_ws(generator, 1)
    features, pictures = reference.draw(ws[0].double().numpy())
    assert np.abs(features[-1]).max() > 0.1
    for block, (due, picture) in enumerate(zip(features, pictures, strict=True)):
        found = generator.features(ws.clone().requires_grad_(), block)
        agree(found.whole, due, bound)
        with torch.no_grad():
            agree(generator.features(ws, block).whole, due, bound)
        assert (found.picture is None) == (picture is None)
        if picture is not None and found.picture is not None:
            agree(found.picture, picture, bound)
    assert pictures[-1] is not None
    colours = generator.image(ws)[0]
    agree(colours, np.broadcast_to(pictures[-1][:3], colours.shape), bound)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folded", ["shared weights", "own weights"])
def test_features_and_picture_are_those_of_the_network_written_plainly(kind: str, folded: str, monkeypatch):
    if folded == "own weights":
        monkeypatch.setattr(layers, "FOLD_ABOVE", 0)
    config = plain_config(**KINDS[kind])
    check_drawing(made(config), Reference(config, random_tensors(config)))


@pytest.mark.slow
def test_a_narrow_generator_of_1024_px_agrees():
    config = plain_config(channels=[4, 4, 4, 4, 4, 3, 3, 2, 2])
    check_drawing(made(config), Reference(config, random_tensors(config)))


@pytest.mark.parametrize("kind", ["skip", "resnet", "clamped"])
def test_in_float64_they_agree_to_many_digits(kind: str):
    config = plain_config(**KINDS[kind])
    check_drawing(made(config, torch.float64), Reference(config, random_tensors(config)), 1e-10)


@pytest.mark.parametrize("mode", ["random", "none"])
def test_other_noise_agrees(mode: str):
    generator = made(TINY).with_noise(mode, 7)
    source = torch.Generator().manual_seed(7)
    sides = [4] + [side for side in (8, 16, 32) for _ in range(2)]
    noises = [torch.randn(side, side, generator=source).double().numpy() for side in sides]
    check_drawing(generator, Reference(TINY, random_tensors(TINY), noises if mode == "random" else []))


@pytest.mark.parametrize("kind", MAPPINGS)
def test_the_mapping_is_that_of_the_network_written_plainly(kind: str):
    config = plain_config(**MAPPINGS[kind])
    generator, reference = made(config), Reference(config, random_tensors(config))
    z = torch.randn(3, config.z_dim, generator=torch.Generator().manual_seed(3))
    c = torch.eye(4)[:3] if config.c_dim else None
    for psi, cutoff in ((1.0, None), (0.7, None), (0.5, 3), (0.0, None), (0.7, 0)):
        found = generator.mapping(z, psi, cutoff, c)
        for index in range(3):
            one_hot = None if c is None else c[index].double().numpy()
            agree(found[index], reference.ws(z[index].double().numpy(), psi, cutoff, one_hot))


def test_a_label_is_its_class():
    generator = made(plain_config(c_dim=4))
    z = generator.z_from_seed(5)
    due = generator.mapping(z, 0.7, c=torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    assert torch.equal(generator.ws_from_seed(5, 0.7, label=2), due)
    assert not torch.equal(generator.ws_from_seed(5, 0.7, label=1), due)


def test_a_conditional_generator_wants_a_class():
    generator = made(plain_config(c_dim=4))
    with pytest.raises(ConfigError) as caught:
        generator.mapping(generator.z_from_seed(0))
    assert str(caught.value) == "c is None; tiny has 4 classes: pass one, one-hot, or a label"


@pytest.mark.parametrize(
    "kind", ["skip", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("resnet", "clamped"))]
)
def test_the_gradient_of_the_features_is_right(kind: str):
    generator = made(plain_config(**KINDS[kind]), torch.float64)
    ws = random_ws(generator, 2).requires_grad_()
    weights = torch.randn(3, 6 * 16 * 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda ws: weights @ generator.features(ws, 2).whole.flatten(), ws, atol=1e-4)


def test_the_gradient_of_the_mapping_is_right():
    generator = made(plain_config(c_dim=2), torch.float64)
    z, c = generator.z_from_seed(1).requires_grad_(), torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: generator.mapping(z, 0.7, 3, c), z)


def test_no_weight_ever_gets_a_gradient():
    generator = made(TINY)
    generator.features(random_ws(generator).requires_grad_(), 3).whole.sum().backward()
    assert all(p.grad is None and not p.requires_grad for p in generator.network.parameters())


def test_features_depend_on_no_row_beyond_their_block():
    generator = made(TINY)
    ws = random_ws(generator).requires_grad_()
    for block, rows in ((0, 1), (1, 3), (2, 5), (3, 7)):
        (gradient,) = torch.autograd.grad(generator.features(ws, block).whole.square().sum(), ws)
        assert (gradient[0, :rows].abs().sum(dim=1) > 0).all()
        assert (gradient[0, rows:] == 0).all()


@pytest.mark.parametrize("kind", ["skip", "resnet", "orig", "upright", "grey"])
def test_a_batch_is_its_pictures_one_by_one(kind: str):
    generator = made(plain_config(**KINDS[kind]))
    ws = random_ws(generator, 4, batch=3)
    assert torch.equal(generator.image(ws), torch.cat([generator.image(ws[i : i + 1]) for i in range(3)]))


@pytest.mark.parametrize("kind", ["skip", "resnet", "orig", "upright", "256 px", "256 px resnet"])
def test_a_picture_that_goes_on_from_features_is_the_same(kind: str):
    generator = made(plain_config(**KINDS[kind]))
    ws = random_ws(generator, 4)
    due = generator.image(ws)
    for block in range(generator.num_blocks):
        features = generator.features(ws.clone().requires_grad_(), block)
        exactly = max(generator.block_size(block)) <= 128
        for held in (features, features.detach()):
            found = generator.image(ws, held)
            assert torch.equal(found, due) if exactly else (found - due).abs().max() < 1e-5
            assert not found.requires_grad


@pytest.mark.parametrize(
    "kind", ["skip", "resnet", "orig", "upright", "across", "one tap", "six taps", "256 px", "clamped"]
)
@pytest.mark.parametrize("side", [pytest.param(5, marks=pytest.mark.slow), 16])
def test_a_picture_by_tiles_is_the_same(kind: str, side: int, monkeypatch: pytest.MonkeyPatch):
    generator = made(plain_config(**KINDS[kind]))
    ws = random_ws(generator, 4)
    monkeypatch.setattr(synthesis, "TILE_ABOVE", 10**9)
    due = generator.image(ws)
    monkeypatch.setattr(synthesis, "TILE_ABOVE", 32 * 32 if kind == "256 px" else 30)
    monkeypatch.setattr(synthesis, "TILE", 8 * side if kind == "256 px" else side)
    torch.testing.assert_close(generator.image(ws), due, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["skip", "resnet", "orig", "clamped"])
@pytest.mark.parametrize("tiled", [30, 10**9])
def test_half_pictures_are_near_the_others_and_change_nothing_else(kind: str, tiled: int, monkeypatch):
    monkeypatch.setattr(synthesis, "HALF_ABOVE", 8 * 8)
    monkeypatch.setattr(layers, "FOLD_ABOVE", 8 * 8)
    monkeypatch.setattr(synthesis, "TILE_ABOVE", tiled)
    generator = made(plain_config(**KINDS[kind]))
    half, ws = generator.with_half_pictures(), random_ws(generator, 4)
    due, found = generator.image(ws), half.image(ws)
    assert found.dtype == due.dtype == torch.float32
    assert 0 < float((found - due).abs().max()) < 0.02 * float(due.abs().max())
    for block in (0, 1, 3):
        features = half.features(ws, block)
        assert torch.equal(features.whole, generator.features(ws, block).whole)
        assert torch.equal(half.image(ws, features), found), block
    assert torch.equal(half.with_noise("const").image(ws), found)
    assert torch.equal(half.with_half_pictures(False).image(ws), due)
    assert torch.equal(generator.image(ws), due)


def test_changed_weights_are_seen_at_once():
    generator = made(TINY)
    ws = random_ws(generator)
    generator.image(ws)
    changed = made(TINY)
    for one in (generator, changed):
        for conv in one.network.synthesis.convs():
            conv.weight.add_(0.3)
    assert torch.equal(generator.image(ws), changed.image(ws))


def blocks_called(generator: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks that are computed from now on."""
    called: list[int] = []

    def watch(number: int, block: torch.nn.Module) -> None:
        forward = block.forward
        monkeypatch.setattr(block, "forward", lambda *args: (called.append(number), forward(*args))[1])

    for number, block in enumerate(generator.network.synthesis.children()):
        watch(number, block)
    return called


def test_what_was_computed_is_not_computed_again(monkeypatch: pytest.MonkeyPatch):
    generator = made(TINY)
    ws = random_ws(generator)
    features = generator.features(ws, 2)
    called = blocks_called(generator, monkeypatch)
    generator.image(ws, features)
    assert called == [3]
    called.clear()
    generator.features(ws, 1)
    assert called == [0, 1]
    called.clear()
    generator.image(ws, generator.features(ws, 3))
    assert called == [0, 1, 2, 3]


def test_features_without_their_picture_are_drawn_again(monkeypatch: pytest.MonkeyPatch):
    generator = made(TINY)
    ws = random_ws(generator)
    due, features = generator.image(ws), generator.features(ws, 2)
    called = blocks_called(generator, monkeypatch)
    for held in (FeatureMap.of(2, features.whole), features.cut([Window(0, 0, 4, 4)])):
        assert torch.equal(generator.image(ws, held), due)
    assert called == [0, 1, 2, 3] * 2


def test_the_picture_of_the_features_stays_with_them():
    generator = made(TINY)
    features = generator.features(random_ws(generator).requires_grad_(), 2)
    assert features.picture is not None
    assert not features.picture.requires_grad
    for held in (features.detach(), features.cut([Window(0, 0, 4, 4)])):
        assert held.picture is features.picture


def test_windows_are_cut_from_the_map():
    generator = made(TINY)
    ws = random_ws(generator)
    windows = (Window(0, 0, 4, 5), Window(3, 7, 9, 9))
    found, whole = generator.features(ws, 2, windows), generator.features(ws, 2).whole
    assert found.windows == windows
    for window, values in zip(windows, found.values, strict=True):
        torch.testing.assert_close(values, whole[:, window.rows, window.columns], atol=1e-5, rtol=0)


def test_a_preview_is_what_was_drawn_so_far():
    generator = made(TINY)
    ws = random_ws(generator)
    features = generator.features(ws, 2)
    assert features.picture is not None
    assert torch.equal(generator.preview(features), features.picture)
    assert torch.equal(generator.preview(features, ws), generator.image(ws)[0])  # 128 px lie beyond the last block


def test_a_preview_goes_on_to_128_px():
    generator = made(plain_config(channels=WIDE))
    ws = random_ws(generator)
    for block, side in ((0, 128), (4, 128), (5, 128), (6, 256)):
        assert generator.preview(generator.features(ws, block), ws).shape == (3, side, side)
        assert generator.preview(generator.features(ws, block)).shape == (3, *generator.block_size(block))


def test_a_grey_generator_s_pictures_have_three_equal_channels():
    generator = made(plain_config(img_channels=1))
    ws = random_ws(generator)
    for picture in (generator.image(ws)[0], generator.preview(generator.features(ws, 2))):
        assert len(picture) == 3
        assert torch.equal(picture[0], picture[1])
        assert torch.equal(picture[0], picture[2])


def test_an_rgba_generator_s_pictures_are_its_first_three_channels():
    generator = made(plain_config(img_channels=4))
    ws = random_ws(generator)
    features = generator.features(ws, 3)
    assert features.picture is not None
    for picture in (generator.image(ws)[0], generator.preview(features), generator.image(ws, features)[0]):
        torch.testing.assert_close(picture, features.picture[:3])


def test_an_rgba_generator_of_relu_layers_is_dragged_and_drawn_in_eight_bits():
    generator = made(plain_config(img_channels=4, activation="relu"))
    config = DragConfig.for_generator(generator).replace(max_steps=2)
    *_, last = drag(generator, generator.ws_from_seed(3, 0.7), Edit([(16, 14)], [(19, 14)]), config)
    assert last.pixels().shape == (32, 32, 3)
    assert last.pixels().std() > 1


def test_a_grey_generator_is_dragged_and_drawn_in_eight_bits():
    generator = made(plain_config(img_channels=1))
    config = DragConfig.for_generator(generator).replace(max_steps=2)
    *_, last = drag(generator, generator.ws_from_seed(3, 0.7), Edit([(16, 14)], [(19, 14)]), config)
    pixels = last.pixels()
    assert pixels.shape == (32, 32, 3)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    assert pixels.std() > 1


@pytest.mark.parametrize("kind", ["resnet", "orig"])
def test_without_a_picture_in_every_block_there_is_no_preview(kind: str):
    generator = made(plain_config(**KINDS[kind]))
    ws = random_ws(generator)
    with pytest.raises(ConfigError) as caught:
        generator.preview(generator.features(ws, 2), ws)
    assert str(caught.value) == (
        "block 2 has no preview: tiny draws in its last block only, or the features were made without a picture; "
        "take image()"
    )
    assert torch.equal(generator.preview(generator.features(ws, 3)), generator.image(ws)[0])


def test_a_picture_nobody_waits_for_is_dropped():
    generator = made(TINY)
    answers = itertools.chain([False, False], itertools.repeat(True))
    with pytest.raises(Cancelled) as caught:
        generator.image(random_ws(generator), cancelled=lambda: next(answers))
    assert str(caught.value) == "the picture was dropped before block 2: nobody waits for it"


def test_random_noise_is_drawn_once_and_follows_its_seed():
    generator = made(TINY)
    ws = random_ws(generator)
    noisy = generator.with_noise("random", 1)
    assert torch.equal(noisy.image(ws), noisy.image(ws))
    assert torch.equal(noisy.image(ws), generator.with_noise("random", 1).image(ws))
    assert not torch.equal(noisy.image(ws), generator.with_noise("random", 2).image(ws))
    assert torch.equal(generator.image(ws), noisy.with_noise("const").image(ws))
    assert noisy.network is generator.network
    with pytest.raises(ConfigError) as caught:
        generator.with_noise("white")
    assert str(caught.value) == "noise_mode is 'white'; expected one of const, random, none"


def test_the_generator_says_its_sizes():
    generator = made(plain_config(channels=[8, 8, 4], start_size=[4, 2], c_dim=3, z_dim=5))
    assert (generator.name, generator.family, generator.noise_mode) == ("tiny", "stylegan2", "const")
    assert (generator.image_size, generator.num_blocks, generator.num_ws) == ((16, 8), 3, 6)
    assert (generator.w_dim, generator.z_dim, generator.c_dim) == (8, 5, 3)
    assert [generator.block_size(block) for block in range(3)] == [(4, 2), (8, 4), (16, 8)]
    assert (generator.latent_spaces, generator.drag_rows) == (("W+", "W"), (0, 1, 2, 3, 4, 5))
    assert made(plain_config(channels=[8, 8])).drag_rows == (0, 1, 2, 3)


@pytest.mark.parametrize("block", [-1, 4])
def test_a_block_that_is_not_there_is_refused(block: int):
    generator = made(TINY)
    for ask in (lambda: generator.block_size(block), lambda: generator.features(random_ws(generator), block)):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert str(caught.value) == f"block is {block}; tiny has blocks 0 to 3"


@pytest.mark.parametrize("space", ["W", pytest.param("W+", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["skip", pytest.param("resnet", marks=pytest.mark.slow)])
def test_a_drag_comes_nearer_its_target(kind: str, space: str):
    generator = made(plain_config(**KINDS[kind]))
    config = DragConfig.for_generator(generator).replace(latent_space=space, max_steps=40, learning_rate=0.02)
    steps = list(drag(generator, generator.ws_from_seed(3, 0.7), Edit(((16.0, 14.0),), ((19.0, 14.0),)), config))
    assert min(step.distances[0] for step in steps) < steps[0].distances[0]
    assert torch.equal(steps[-1].ws[:, 6:], steps[0].ws[:, 6:])
    kept = steps[3]
    assert np.array_equal(kept.pixels(), kept.pixels())


def test_a_generator_loaded_in_inference_mode_draws():
    with torch.inference_mode():
        generator = made(plain_config())
        ws = random_ws(generator)
        inside = generator.image(ws).clone()
    assert torch.equal(made(plain_config()).image(ws.clone()), inside)


def test_a_copy_of_a_generator_that_was_used_is_no_larger():
    generator = made(plain_config())
    before = len(pickle.dumps(generator.network))
    ws = random_ws(generator)
    picture = generator.image(ws)
    again = pickle.dumps(generator.network)
    assert len(again) == before
    network = pickle.loads(again)  # noqa: S301 - our own
    assert torch.equal(StyleGAN2(network, "copy").image(ws), picture)
