"""Training of the bundled generator: the batched network is the package's; runs learn, and resume when interrupted."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.load import load_generator
from draggan_widget.generators.stylegan2.generator import Network, StyleGAN2
from heads_training.adversary import Adversary
from heads_training.data import Pictures
from heads_training.export import load_trained, make_checkpoint
from heads_training.network import carry_z, initial_network, synthesise, waves
from heads_training.train import VALIDATION, Plan, Run

pytestmark = pytest.mark.slow

CONFIG = StyleGAN2Config(
    channels=(16, 12, 8),
    z_dim=5,
    w_dim=12,
    start_size=(4, 4),
    mapping_layers=3,
    mapping_features=20,
    mapping_lr_multiplier=1.0,
    use_noise=False,
)
PLAN = Plan(channels=(16, 12, 8), start_size=4, w_dim=12, stages=((8, 400), (16, 240)), batch=8, adversary_from=560)
COUNT, SIDE = VALIDATION + 64, 16


def disc(vector: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc with the place and the colour of a vector, and its centre."""
    centre = side / 2 - 0.5 + vector[:2] * side / 8
    y, x = np.mgrid[:side, :side]
    inside = np.clip(side / 4 - np.hypot(x - centre[0], y - centre[1]) + 0.5, 0, 1)[..., None]
    colour = 128 + 40 * np.clip(vector[2:5], -2, 2)
    return (inside * colour + (1 - inside) * 60).astype(np.uint8), centre


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    vectors = np.random.default_rng(0).standard_normal((COUNT, 5)).astype(np.float32)
    vectors *= 5**0.5 / np.linalg.norm(vectors, axis=1, keepdims=True)
    drawn = [disc(vector, SIDE) for vector in vectors]
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "pictures.npy", np.stack([picture for picture, _ in drawn]))
    mouths = np.abs(vectors[:, 4:])  # opening of the mouths
    centres = np.stack([centre for _, centre in drawn])
    landmarks = np.stack([centres, centres + mouths * [0, 1], centres - mouths * [0, 1]], 1)
    np.save(folder / "landmarks.npy", landmarks.astype(np.float32))
    about = {
        "flip_signs": [-1, 1, 1, 1, 1],
        "landmarks": ["nose_tip", "lip_bot", "lip_top"],
        "landmark_swap": [0, 1, 2],
    }
    (folder / "dataset.json").write_text(json.dumps(about))
    (folder / "progress-0-of-1.txt").write_text(str(COUNT))
    return folder


def test_batched_pictures_are_those_of_the_package():
    network = initial_network(CONFIG, seed=1)
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    generator = StyleGAN2(network, "fresh")
    with torch.no_grad():
        assert torch.allclose(
            synthesise(network, network.mapping(z, None)), generator.image(generator.mapping(z)), atol=1e-4
        )


def test_the_initial_mapping_carries_z():
    network = initial_network(CONFIG, seed=1)
    z = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    z = z / z.square().mean(1, keepdim=True).sqrt()
    with torch.no_grad():
        w = network.mapping(z, None)
    assert torch.allclose((w[:, 0:10:2] - w[:, 1:10:2]) / 1.2, z, atol=1e-5)


def test_a_narrow_mapping_is_refused():
    with pytest.raises(ValueError, match="expected twice z_dim, 10, or more"):
        carry_z(Network(StyleGAN2Config(channels=(4,), z_dim=5, w_dim=6, mapping_layers=1)))


def test_waves_are_distinct_and_fade():
    found = waves(16, 8, 8)
    assert found.shape == (16, 8, 8)
    assert torch.linalg.matrix_rank(found.flatten(1)) == 16
    sizes = found.square().mean((1, 2)).sqrt()
    assert sizes[0] == sizes.max()
    assert sizes[-1] < 0.5


def test_mirrored_pictures_come_with_mirrored_vectors_and_landmarks(data: Path):
    pictures = Pictures(data)
    x, vectors, landmarks = pictures.take(np.arange(3), SIDE)
    flipped, negated, moved = pictures.take(np.arange(3), SIDE, np.array([True, False, True]))
    assert torch.equal(flipped[0], x[0].flip(2))
    assert torch.equal(flipped[1], x[1])
    assert negated[0, 0] == -vectors[0, 0]
    assert torch.equal(negated[0, 1:], vectors[0, 1:])
    assert moved[2, 0, 0] == SIDE - 1 - landmarks[2, 0, 0]
    assert moved[2, 0, 1] == landmarks[2, 0, 1]
    small, _, halved = pictures.take(np.arange(3), SIDE // 2)
    assert small.shape == (3, 3, 8, 8)
    assert torch.allclose(halved, (landmarks + 0.5) / 2 - 0.5)


def test_a_growing_set_gives_the_pictures_drawn_so_far(data: Path):
    (data / "progress-0-of-1.txt").unlink()
    (data / "progress-0-of-2.txt").write_text("10")
    (data / "progress-1-of-2.txt").write_text("3")
    ready = Pictures(data).ready()
    assert list(ready) == [*range(10), *range(COUNT // 2, COUNT // 2 + 3)]


def test_open_mouths_are_the_widest_quarter_of_the_pictures_drawn_so_far(data: Path):
    (data / "progress-0-of-1.txt").write_text("40")
    pictures = Pictures(data)
    chosen = pictures.open_mouths(8)
    others = np.setdiff1d(np.arange(8, 40), chosen)
    assert len(chosen) == 8
    assert chosen.min() >= 8
    width = np.abs(pictures.vectors[:, 4])
    assert width[chosen].min() > width[others].max()


def test_a_run_learns_and_grows(data: Path, tmp_path: Path):
    run = Run(tmp_path / "run", Pictures(data), PLAN)
    first, _ = run.validate()
    run.train(minutes=10)
    assert (run.seen, run.side, run.adversary.steps) == (640, 16, 10)
    last, _ = run.validate()
    assert last > first + 3, "dB"
    z = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        w = run.ema.mapping(z, None)
    z = z / z.square().mean(1, keepdim=True).sqrt()
    assert torch.allclose((w[:, 0:10:2] - w[:, 1:10:2]) / 1.2, z, atol=1e-4), "w no longer holds z"
    assert len((tmp_path / "run" / "log.txt").read_text().splitlines()) >= 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_run_on_a_gpu_learns_as_one_on_a_cpu(data: Path, tmp_path: Path):
    runs = [Run(tmp_path / device, Pictures(data), PLAN, device) for device in ("cpu", "cuda")]
    for run in runs:
        run.advance(30)
    ours, theirs = (run.validate()[0] for run in runs)
    assert abs(ours - theirs) < 1, "dB"
    runs[1].save()
    assert Run(tmp_path / "cuda", Pictures(data), PLAN, "cuda").seen == runs[1].seen


@pytest.mark.parametrize("steps", [20, 74])  # in the first stage; with the critic
def test_an_interrupted_run_ends_like_an_uninterrupted_one(data: Path, tmp_path: Path, steps: int):
    whole, cut = (Run(tmp_path / name, Pictures(data), PLAN) for name in ("whole", "cut"))
    whole.train(minutes=10)
    cut.advance(steps)
    cut.save()
    resumed = Run(tmp_path / "cut", Pictures(data), PLAN)
    assert resumed.seen == steps * PLAN.batch
    resumed.train(minutes=10)
    for name in ("network", "ema"):
        ours, theirs = getattr(resumed, name).state_dict(), getattr(whole, name).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs), name


def test_the_critic_pulls_soft_pictures_toward_sharp_ones():
    rng = torch.Generator().manual_seed(0)
    sharp = F.interpolate(torch.randn(16, 3, 8, 8, generator=rng).clamp(-1, 1), scale_factor=4)
    soft = F.avg_pool2d(sharp, 3, 1, 1)
    torch.manual_seed(0)
    adversary = Adversary()
    for step in range(40):
        gradient, gap = adversary.train_step(soft[step % 2 :: 2], sharp[step % 2 :: 2])
    assert gap > 1
    missing = sharp[1::2] - soft[1::2]
    assert -(gradient * missing).sum() > 0.05 * gradient.norm() * missing.norm()


def test_what_is_exported_is_what_was_trained(data: Path, tmp_path: Path):
    run = Run(tmp_path / "run", Pictures(data), PLAN)
    run.save()
    network = load_trained(tmp_path / "run")
    out = tmp_path / "heads.safetensors"
    own_file.save(make_checkpoint(network, {"block": 1, "mean_removal": 0.4}, drag_rows=2), out)
    generator = load_generator(out, "cpu")
    assert generator.drag_rows == (0, 1)
    assert dict(generator.drag_defaults) == {"block": 1, "mean_removal": 0.4}
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        due = synthesise(run.ema, run.ema.mapping(z, None))
        assert (generator.image(generator.mapping(z)) - due).abs().max() < 0.02  # half precision
    assert all(tensor.dtype == torch.float16 for tensor in own_file.load(out).tensors.values())
