"""From the tensors of a checkpoint to those of a network."""

from collections.abc import Mapping

import torch
from torch import Tensor

from draggan_widget.checkpoints.stylegan2.config import FILTER, StyleGAN2Config
from draggan_widget.checkpoints.stylegan2.resample_filter import as_matrix, filter_matrix, is_filter
from draggan_widget.torch_modes import outside_inference_mode


def network_tensors(config: StyleGAN2Config, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors by name, of one dtype, without graphs; those of the right dtype share their memory.

    One that was made in inference mode is copied.

    They are float64 where all tensors but the filters are, else float32. A filter that nothing reads and that is
    another than the config's is replaced.

    Args:
        config: the numbers of the network.
        tensors: the tensors of its checkpoint, which fit them (`check_stylegan2`).
    """
    matrix = filter_matrix(config.resample_filter)
    held = {key: outside_inference_mode(tensors.get(key, matrix).detach()) for key in config.tensor_shapes}
    double = all(tensor.dtype == torch.float64 for key, tensor in held.items() if not key.endswith(FILTER))
    for key, tensor in held.items():
        if key.endswith(FILTER):
            held[key] = as_matrix(tensor) if is_filter(tensor, config.resample_filter) else matrix
    return {key: tensor.to(torch.float64 if double else torch.float32) for key, tensor in held.items()}
