"""Tensors that a drag needs and a MobileStyleGAN file lacks: mean latent, mean features, heads of the preview."""

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.mobilestylegan.generator import DRAG_DEFAULTS, MobileStyleGAN

MEAN_SAMPLES = 10_000  # z of RandomState(0), as the official tools take them
FIT_SEEDS = range(1, 17)  # seeds of the pictures that the heads are fitted to
FIT_PSI = 0.7
PREVIEW_FACTORS = {3: 2, 4: 2, 5: 2, 6: 1}  # block -> px of the preview per cell: more px show a grid, fewer a blur
RIDGE = 1e-4  # relative to the mean square feature; in some blocks, some channels are nearly linearly dependent


def prepare(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """The checkpoint with `w_avg`, `preview.*.weight` and `mean.*.features` added; takes about twenty seconds."""
    untrained = torch.zeros(checkpoint.config["w_dim"], dtype=torch.float32)
    bare = dataclasses.replace(checkpoint, tensors={**checkpoint.tensors, "w_avg": untrained})
    generator = MobileStyleGAN.from_checkpoint(bare, name, torch.device("cpu"))
    z = np.random.RandomState(0).randn(MEAN_SAMPLES, generator.z_dim)
    with torch.no_grad():
        w_avg = generator.mapping(torch.from_numpy(z).float())[:, 0].mean(dim=0)
    generator.network.w_avg.copy_(w_avg)
    heads = {f"preview.{block}.weight": head for block, head in fit_heads(generator).items()}
    block = min(int(DRAG_DEFAULTS["block"]), generator.num_blocks - 1)
    means = {f"mean.{block}.features": generator.mean_features(block).whole.half()}  # as float16 the map takes 4 MB
    return dataclasses.replace(checkpoint, tensors={**checkpoint.tensors, "w_avg": w_avg, **heads, **means})


@torch.no_grad()
def fit_heads(generator: MobileStyleGAN) -> dict[int, Float[Tensor, "outputs channels_and_bias"]]:
    """For each block the linear map from its features to a few px of a small picture, by least squares."""
    blocks = [block for block in PREVIEW_FACTORS if block < generator.num_blocks]
    sums: dict[int, tuple[Tensor, Tensor]] = {}
    for seed in FIT_SEEDS:
        ws = generator.ws_from_seed(seed, FIT_PSI)
        maps = [generator.features(ws, block) for block in blocks]
        picture = generator.image(ws, maps[-1])
        for features in maps:
            square, product = _normal_equations(features, picture)
            if features.block in sums:
                square, product = sums[features.block][0] + square, sums[features.block][1] + product
            sums[features.block] = (square, product)
    return {block: _solve(*pair) for block, pair in sums.items()}


def _normal_equations(features: FeatureMap, picture: Tensor) -> tuple[Tensor, Tensor]:
    factor = PREVIEW_FACTORS[features.block]
    small = F.adaptive_avg_pool2d(picture, factor * features.size[0])
    inputs = features.whole.flatten(1)
    inputs = torch.cat([inputs, torch.ones(1, inputs.shape[1], dtype=inputs.dtype)]).double()
    outputs = F.pixel_unshuffle(small, factor)[0].flatten(1).double()
    return inputs @ inputs.T, outputs @ inputs.T


def _solve(square: Tensor, product: Tensor) -> Tensor:
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    return torch.linalg.solve(square + ridge, product.T).T.float().contiguous()
