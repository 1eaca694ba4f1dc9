"""What tells the weights of one generator from those of another."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def weights_sha256(weights: Mapping[str, Tensor]) -> str | None:
    """sha256 over names, types, shapes and values, in the order of the names; None without weights."""
    if not weights:
        return None
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
