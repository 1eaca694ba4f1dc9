"""Stretching W changes what a drag finds easy, and no picture."""

import copy

import torch

from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from training.network import initialised, synthesise
from training.render.vector import NAMES
from training.stretch import READINESS, groups, held, stretch

CONFIG = StyleGAN2Config(
    channels=(8, 8),
    z_dim=len(NAMES),
    w_dim=2 * len(NAMES) + 4,
    start_size=(4, 4),
    mapping_layers=2,
    mapping_lr_multiplier=1.0,
    use_noise=False,
)


def test_pictures_stay():
    network = initialised(CONFIG, seed=0)
    before = copy.deepcopy(network)
    stretch(network)
    z = torch.randn(4, len(NAMES), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = (synthesise(one, one.mapping(z, None)) for one in (network, before))
        assert not torch.allclose(network.mapping(z, None), before.mapping(z, None))
    assert torch.allclose(ours, theirs, atol=1e-4 * theirs.abs().max().item())


def test_a_step_in_w_turns_a_head_before_it_colours_it():
    network = initialised(CONFIG, seed=0)  # at first every number has a pair of coordinates of its own
    stretch(network)
    z = torch.randn(2000, len(NAMES), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        spread = network.mapping(z, None).std(0)[: 2 * len(NAMES)].unflatten(0, (-1, 2)).mean(1)
    of = {name: spread[indices].mean().item() for name, indices in groups().items()}
    for name, readiness in READINESS.items():  # what has a small spread is crossed in few steps
        due = READINESS["pose"] / readiness
        assert 0.9 * due < of[name] / of["pose"] < 1.1 * due, name


def test_what_a_coordinate_holds_is_found():
    z = torch.randn(4000, len(NAMES), generator=torch.Generator().manual_seed(2))
    z = z * (len(NAMES) ** 0.5 / z.norm(dim=1, keepdim=True))
    yaw, smile, melanin = (NAMES.index(name) for name in ("yaw", "smile", "melanin"))
    w = torch.stack([z[:, yaw], z[:, smile].abs(), z[:, melanin] + z[:, yaw]], 1)
    shares = dict(zip(groups(), held(z, w).T, strict=True))
    assert shares["pose"][0] > 0.9
    assert shares["expression"][1] > 0.9
    assert abs(shares["pose"][2] - 0.5) < 0.05
    assert abs(shares["colours"][2] - 0.5) < 0.05


def test_every_number_belongs_to_one_group():
    assert sorted(index for indices in groups().values() for index in indices) == list(range(len(NAMES)))
