"""Stretching W changes how far a drag moves each coordinate, and no picture."""

import copy

import pytest
import torch

from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from heads_training.network import initial_network, synthesise
from heads_training.render.vector import NAMES
from heads_training.stretch import GROUPS, MOVES, coordinate_groups, stretch

pytestmark = pytest.mark.slow

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
    network = initial_network(CONFIG, seed=0)
    before = copy.deepcopy(network)
    stretch(network)
    z = torch.randn(4, len(NAMES), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = (synthesise(one, one.mapping(z, None)) for one in (network, before))
        assert not torch.allclose(network.mapping(z, None), before.mapping(z, None))
    assert torch.allclose(ours, theirs, atol=1e-4 * theirs.abs().max().item())


def test_a_step_in_w_turns_a_head_before_it_colours_it():
    network = initial_network(CONFIG, seed=0)
    stretch(network)
    z = torch.randn(2000, len(NAMES), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        spread = network.mapping(z, None).std(0)
    groups = coordinate_groups(network)
    for name, moves in MOVES.items():  # a coordinate of small spread is crossed in few steps
        own = spread[[index for index, group in enumerate(groups) if group == name]]
        assert (own * moves - 1).abs().max() < 0.1, name


def test_the_group_of_a_coordinate_is_that_of_the_entry_that_moves_it():
    network = initial_network(CONFIG, seed=0)
    z = torch.randn(2, len(NAMES), generator=torch.Generator().manual_seed(2))
    z = z / z.square().mean(1, keepdim=True).sqrt()
    groups = coordinate_groups(network)
    assert len(groups) == CONFIG.w_dim
    for name, group in (("yaw", "pose"), ("smile", "expression"), ("melanin", "colours"), ("age", "person")):
        turned = z.clone()
        turned[0, NAMES.index(name)] *= -1  # z stays on the sphere
        with torch.no_grad():
            moved = (network.mapping(turned, None) - network.mapping(z, None))[0].abs() > 1e-5
        assert {groups[index] for index in range(2 * len(NAMES)) if moved[index]} == {group}


def test_every_named_number_is_one_of_the_renderer():
    assert {entry for entries in GROUPS.values() for entry in entries} <= set(NAMES)
