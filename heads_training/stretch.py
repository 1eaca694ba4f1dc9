"""Coordinates of W in which a drag turns a head before it changes the person.

Adam moves every coordinate of w about equally far in a step, but the standard deviations of trained coordinates differ
widely, for reasons that have nothing to do with a drag. So each coordinate is divided by its standard deviation, and by
how far a drag shall move what it controls: pose and expression far, background and person least. The mapping network
carries the entries of the renderer's vector to w as pairs of coordinates (`heads_training.network.carry_z`), so it is
known what those control; the others mix. The last layer of the mapping network and the affine layers absorb the
factors, so the pictures stay the same.
"""

import numpy as np
import torch

from draggan_widget.generators.stylegan2.generator import Network
from heads_training.render.vector import COLOURS, EXPRESSION, NAMES, POSE

SAMPLES = 8000  # z drawn from RandomState(1)
PERSON = ("sex", "age", "africa", "asia", "weight", "muscle")
GROUPS = {"pose": POSE, "expression": EXPRESSION, "colours": COLOURS, "person": PERSON}  # all other entries: "shape"
# standard deviations by which one step at learning rate 1 moves a coordinate of a group
MOVES = {"pose": 5.0, "expression": 5.0, "shape": 5.0, "colours": 0.2, "person": 0.2, "mixed": 1.0}


@torch.no_grad()
def stretch(network: Network) -> None:
    """Change the coordinates of W in place; pictures stay the same.

    Args:
        network: a network that takes the renderer's vector as z and carries it to w.
    """
    z = torch.from_numpy(np.random.RandomState(1).randn(SAMPLES, network.config.z_dim)).float()
    moves = network.mapping(z, None).std(0) * torch.tensor([MOVES[group] for group in coordinate_groups(network)])
    last = list(network.mapping.children())[-1]
    last.weight.div_(moves[:, None])
    last.bias.div_(moves)
    for name, tensor in network.named_parameters():
        if name.endswith("affine.weight"):
            tensor.mul_(moves)


def coordinate_groups(network: Network) -> list[str]:
    """The group of each coordinate of w, by the names of `MOVES`."""
    group = {entry: name for name, entries in GROUPS.items() for entry in entries}
    carried = [group.get(NAMES[index // 2], "shape") for index in range(2 * network.config.z_dim)]
    return carried + ["mixed"] * (network.config.w_dim - len(carried))
