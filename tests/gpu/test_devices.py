"""A CUDA or MPS device computes the same numbers as the CPU, within stated bounds."""

import itertools

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from generators.tiny import random_ws, tiny_generator

from draggan_widget import DragConfig, Edit, drag, load_generator
from draggan_widget.generators.load import pick_device

pytestmark = pytest.mark.gpu
FEATURES = 1e-4  # largest difference of features, relative to their largest value
LEVELS = 2  # of 255, largest difference of a picture
HANDLES = 1.0  # image px, after 20 steps
EDIT = Edit(((24.0, 30.0), (27.5, 35.25)), ((42.0, 37.0), (45.5, 42.25)), np.arange(64)[None].repeat(64, 0) < 56)


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


def test_features_and_gradients_are_those_of_the_cpu(device: str):
    gradients = []
    maps = []
    for place in ("cpu", device):
        generator = tiny_generator(device=place)
        ws = random_ws(generator).requires_grad_()
        features = generator.features(ws, 3).whole
        features.square().mean().backward()
        maps.append(features.detach().cpu())
        assert ws.grad is not None
        gradients.append(ws.grad.cpu())
        assert features.device.type == place
    for due, found in (maps, gradients):
        assert (due - found).abs().max() < FEATURES * due.abs().max()


def test_pictures_are_those_of_the_cpu(device: str):
    levels = []
    for place in ("cpu", device):
        generator = tiny_generator(device=place)
        picture = generator.image(random_ws(generator))[0].cpu()
        levels.append(picture.mul(127.5).add(127.5).clamp(0, 255))
    assert (levels[0] - levels[1]).abs().max() < LEVELS


@pytest.mark.parametrize("space", ["W", "W+"])
def test_a_drag_goes_the_way_it_goes_on_the_cpu(device: str, space: str):
    runs = []
    for place in ("cpu", device):
        generator = BlobGenerator(device=place)
        config = DragConfig.for_generator(generator).replace(latent_space=space, confidence_gate=0.3)
        steps = list(itertools.islice(drag(generator, generator.ws_at(24.0, 30.0), EDIT, config), 20))
        assert steps[-1].ws.device.type == place
        runs.append(steps)
    for due, found in zip(*runs, strict=True):
        assert np.abs(np.array(due.handles) - np.array(found.handles)).max() <= HANDLES
        assert np.array(found.tracking_error) == pytest.approx(np.array(due.tracking_error), abs=0.1)
    assert runs[1][-1].handles != EDIT.handles


def test_a_step_s_picture_is_the_same_before_and_after_the_drag_went_on(device: str):
    generator = tiny_generator(device=device)
    config = DragConfig.for_generator(generator).replace(block=2, max_steps=6, learning_rate=0.05, stop_distance=0)
    kept = []
    for step in drag(generator, random_ws(generator), Edit(((30.0, 30.0),), ((50.0, 20.0),)), config):
        kept.append((step, step.pixels()))
    for step, before in kept:
        assert np.abs(step.pixels().astype(int) - before).max() <= 1


@pytest.mark.real
def test_the_real_picture_is_that_of_the_cpu(device: str, real_generator):
    there = load_generator("mobilestylegan-ffhq", device)
    ws = real_generator.ws_from_seed(3, 0.7)
    due, found = real_generator.image(ws)[0], there.image(ws.to(there.device))[0].cpu()
    assert (due - found).abs().max() * 127.5 < LEVELS
