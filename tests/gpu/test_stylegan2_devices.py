"""StyleGAN2 on a CUDA or MPS device computes the same numbers as on the CPU, within a stated bound."""

from typing import Any

import pytest
import torch
from generators.test_stylegan2 import made, random_ws
from generators.tiny_stylegan2 import plain_config

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.generators.load import pick_device
from draggan_widget.generators.stylegan2.generator import StyleGAN2

pytestmark = pytest.mark.gpu
BOUND = 1e-4  # largest difference, relative to the largest value
KINDS: dict[str, dict[str, Any]] = {
    "skip": {},
    "resnet": {"architecture": "resnet", "conv_clamp": 1.0},
    "orig": {"architecture": "orig", "start_size": [4, 2]},
    "256 px": {"channels": [8, 8, 8, 6, 6, 4, 4], "num_fp16_res": 4, "conv_clamp": 256},
}


@pytest.fixture
def device() -> str:
    found = pick_device().type
    if found == "cpu":
        pytest.skip("no CUDA or MPS device")
    return found


@pytest.fixture(autouse=True)
def full_precision():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def near(found: torch.Tensor, due: torch.Tensor) -> bool:
    return bool((found.cpu() - due).abs().max() < BOUND * due.abs().max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["const", "random", "none"])
def test_features_gradients_and_pictures_are_those_of_the_cpu(device: str, kind: str, mode: str):
    config = plain_config(**KINDS[kind])
    here, there = made(config).with_noise(mode), made(config, device=device).with_noise(mode)
    assert there.device.type == device
    ws = random_ws(here)
    for block in range(here.num_blocks):
        gradients = []
        maps = []
        for generator in (here, there):
            leaf = ws.to(generator.device).requires_grad_()
            features = generator.features(leaf, block).whole
            gradients.append(torch.autograd.grad(features.square().mean(), leaf)[0])
            maps.append(features.detach())
        assert near(maps[1], maps[0])
        assert near(gradients[1], gradients[0])
    assert near(there.image(ws.to(there.device)), here.image(ws))
    assert near(there.ws_from_seed(3, 0.7), here.ws_from_seed(3, 0.7))


def test_a_drag_runs_there(device: str):
    generator: StyleGAN2 = made(plain_config(), device=device)
    config = DragConfig.for_generator(generator).replace(max_steps=5)
    steps = list(drag(generator, generator.ws_from_seed(3, 0.7), Edit(((16.0, 14.0),), ((19.0, 14.0),)), config))
    assert steps[-1].ws.device.type == device
    assert steps[-1].pixels().shape == (32, 32, 3)
