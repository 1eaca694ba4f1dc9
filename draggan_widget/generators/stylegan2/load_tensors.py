"""From the tensors of a checkpoint to those of a network: every name, shape and dtype checked."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from draggan_widget.errors import CheckpointError
from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.resample import filter_of

FILTER = ".resample_filter"
NOISE = (".noise_const", ".noise_strength")  # found in files of generators that were made without noise, too
FILTER_ERROR = 1e-3  # of a filter stored in half precision


def fitted(network: nn.Module, config: StyleGAN2Config, tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors the network wants, of one dtype, without graphs; those of the right dtype share their memory.

    Raises:
        CheckpointError: a tensor is missing, unknown, of another shape or not real, or a filter is another one.
    """
    wanted = network.state_dict()
    taps = filter_of(config.resample_filter)
    problems = _missing(wanted, tensors) or _unknown(wanted, tensors) or _misfits(wanted, tensors, taps)
    if problems:
        height, width = config.image_size
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CheckpointError(
            f"{name} is not the {config.architecture!r} StyleGAN2 of {height} x {width} px that its configuration "
            f"describes: {problems[0]}{more}; convert or fetch it again"
        )
    held = {key: tensors.get(key, taps).detach() for key in wanted}
    double = all(held[key].dtype == torch.float64 for key in wanted if not key.endswith(FILTER))
    return {key: tensor.to(torch.float64 if double else torch.float32) for key, tensor in held.items()}


def _missing(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    return [f"it lacks {key!r}" for key in wanted if key not in tensors and not key.endswith(FILTER)]


def _unknown(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    return [
        f"it holds {key!r}, which has no place there"
        for key in tensors
        if key not in wanted and not key.endswith((FILTER, *NOISE))
    ]


def _misfits(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], taps: Tensor) -> list[str]:
    problems = []
    for key, empty in wanted.items():
        tensor = tensors.get(key, taps)
        if tensor.shape != empty.shape:
            problems.append(f"{key!r} has shape {tuple(tensor.shape)}, expected {tuple(empty.shape)}")
        elif not tensor.is_floating_point():
            problems.append(f"{key!r} holds {tensor.dtype}, expected real numbers")
        elif key.endswith(FILTER) and not torch.allclose(tensor.detach().float().cpu(), taps, atol=FILTER_ERROR):
            problems.append(f"{key!r} is not the filter of its configuration")
    return problems
