"""Coordinates of W in which a drag turns a head before it changes whose head it is.

Adam moves every coordinate of w about equally far in a step. As trained, coordinates differ sixteenfold in spread, for
no reason a drag knows of. So each is divided by its spread, and by how readily a drag shall change what it holds: a
head's pose and expression readily, its colours, light and background least. What it holds is found by regression on
the renderer's vector. The last layer of the mapping network and the affine layers take
the factors up, so the pictures stay the same.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.generators.stylegan2.generator import Network
from training.render.vector import COLOURS, EXPRESSION, NAMES, POSE

SAMPLES = 8000  # z of RandomState(1)
# how far a drag moves what belongs to each group of `groups`, beside one another: only ratios count
READINESS = {"pose": 2.0, "expression": 2.0, "shape": 1.0, "colours": 0.5}


@torch.no_grad()
def stretch(network: Network) -> None:
    """Change the coordinates of W, and nothing else.

    Args:
        network: whose z is the renderer's vector.
    """
    z = torch.from_numpy(np.random.RandomState(1).randn(SAMPLES, network.config.z_dim)).float()
    w = network.mapping(z, None)
    shares = held(z, w)
    wanted = torch.tensor([math.log(READINESS[name]) for name in groups()])
    moves = w.std(0) * (shares @ wanted).exp()
    moves = moves / moves.log().mean().exp()
    last = list(network.mapping.children())[-1]
    last.weight.div_(moves[:, None])
    last.bias.div_(moves)
    for name, tensor in network.named_parameters():
        if name.endswith("affine.weight"):
            tensor.mul_(moves)


def held(z: Float[Tensor, "n entries"], w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "w_dim groups"]:
    """Which share of a coordinate's spread each group of the vector's numbers explains; rows sum to 1.

    The mapping network puts z on the sphere, and a leaky ReLU lets w depend on a number and on its size.
    """
    on_sphere = z * (z.shape[1] ** 0.5 / z.norm(dim=1, keepdim=True))
    known = torch.cat([on_sphere, on_sphere.abs()], 1)
    known = known - known.mean(0)
    factors = torch.linalg.lstsq(known, w - w.mean(0)).solution
    explained = (known.std(0)[:, None] * factors).square().unflatten(0, (2, -1)).sum(0)
    shares = torch.stack([explained[which].sum(0) for which in groups().values()], 1)
    return shares / shares.sum(1, keepdim=True)


def groups() -> dict[str, list[int]]:
    """The numbers of the renderer's vector, sorted by what they change."""
    named = {"pose": POSE, "expression": EXPRESSION, "colours": COLOURS}
    found = {name: [NAMES.index(entry) for entry in entries] for name, entries in named.items()}
    taken = {index for indices in found.values() for index in indices}
    return found | {"shape": [index for index in range(len(NAMES)) if index not in taken]}
