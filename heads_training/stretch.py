"""Coordinates of W in which a drag turns a head before it changes whose head it is.

Adam moves every coordinate of w about equally far in a step. As trained, coordinates differ widely in spread, for no
reason a drag knows of. So each is divided by its spread, and by how readily a drag shall change what it holds: a
head's pose and expression readily, its background and whose head it is least. The mapping network hands the numbers of
the renderer's vector on as pairs of coordinates (`heads_training.network.carry`), so what those hold is known; the
others mix. The last layer of the mapping network and the affine layers take the factors up, so the
pictures stay the same.
"""

import numpy as np
import torch

from draggan_widget.generators.stylegan2.generator import Network
from heads_training.render.vector import COLOURS, EXPRESSION, NAMES, POSE

SAMPLES = 8000  # z of RandomState(1)
WHOSE = ("sex", "age", "africa", "asia", "weight", "muscle")
# how many of its spreads a step of rate 1 moves a coordinate; what no group names is a face's shape
GROUPS = {"pose": POSE, "expression": EXPRESSION, "colours": COLOURS, "whose": WHOSE}
READINESS = {"pose": 5.0, "expression": 5.0, "shape": 5.0, "colours": 0.2, "whose": 0.2, "mixed": 1.0}


@torch.no_grad()
def stretch(network: Network) -> None:
    """Change the coordinates of W, and nothing else.

    Args:
        network: whose z is the renderer's vector, and whose mapping hands it on.
    """
    z = torch.from_numpy(np.random.RandomState(1).randn(SAMPLES, network.config.z_dim)).float()
    moves = network.mapping(z, None).std(0) * torch.tensor([READINESS[held] for held in holdings(network)])
    last = list(network.mapping.children())[-1]
    last.weight.div_(moves[:, None])
    last.bias.div_(moves)
    for name, tensor in network.named_parameters():
        if name.endswith("affine.weight"):
            tensor.mul_(moves)


def holdings(network: Network) -> list[str]:
    """What each coordinate of w holds, by the names of `READINESS`."""
    group = {entry: name for name, entries in GROUPS.items() for entry in entries}
    carried = [group.get(NAMES[index // 2], "shape") for index in range(2 * network.config.z_dim)]
    return carried + ["mixed"] * (network.config.w_dim - len(carried))
