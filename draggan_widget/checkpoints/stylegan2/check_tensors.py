"""The one check that numbers and tensors, whatever file they came from, are those of a StyleGAN2 generator."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from draggan_widget.checkpoints.stylegan2.config import FILTER, NOISE, StyleGAN2Config
from draggan_widget.checkpoints.stylegan2.resample_filter import has_filter_shape, is_filter
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError, ConfigError

REMEDY = "this reader knows the StyleGAN2 of NVIDIA's PyTorch repositories; convert the model to one of those"


def check_stylegan2(config: Mapping[str, Any], tensors: Mapping[str, Tensor], name: str) -> StyleGAN2Config:
    """Check that config and tensors are those of a StyleGAN2, and return the config.

    Args:
        config: the keys and values of `StyleGAN2Config.to_dict`.
        tensors: name -> tensor. Filters may be missing, since the config tells them; noise may be there when the config
            does not use it, and so may mean feature maps.
        name: what to call the checkpoint in errors.

    Raises:
        CheckpointError: a number is missing or out of its bounds, or a tensor is missing, unknown, of another shape,
            not of real numbers, or another filter.
    """
    try:
        checked = StyleGAN2Config.from_dict(config)
    except ConfigError as error:
        raise CheckpointError(
            f"{name}: {error}; convert the model again, or pass its config as it was trained"
        ) from error
    _check_names(checked, tensors, name)
    for key, tensor in tensors.items():
        problem = _problem_of_filter(checked, key, tensor) if key.endswith(FILTER) else _problem(checked, key, tensor)
        if problem is not None:
            raise CheckpointError(f"{name}: {brief(key)} {problem}; {REMEDY}")
    return checked


def _check_names(config: StyleGAN2Config, tensors: Mapping[str, Tensor], name: str) -> None:
    missing = [key for key in config.tensor_shapes if key not in tensors and not key.endswith(FILTER)]
    known = {*config.tensor_shapes, *config.mean_shapes}
    unknown = [key for key in tensors if key not in known and not key.endswith((FILTER, *NOISE))]
    for found, keys in (("lacks", missing), ("has, beyond a StyleGAN2,", unknown)):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            height, width = config.image_size
            raise CheckpointError(
                f"{name}: {found} {brief(keys[0])}{more}; expected the tensors of a {config.architecture!r} StyleGAN2 "
                f"of {width} x {height} px; {REMEDY}"
            )


def _problem(config: StyleGAN2Config, key: str, tensor: Tensor) -> str | None:
    shape = tuple(tensor.shape)
    expected = config.tensor_shapes.get(key, config.mean_shapes.get(key, shape))
    if shape != expected:
        return f"has shape {shape}; expected {expected}"
    return None if tensor.is_floating_point() else f"is {tensor.dtype}; expected real numbers"


def _problem_of_filter(config: StyleGAN2Config, key: str, tensor: Tensor) -> str | None:
    count, used = len(config.resample_filter), key in config.used_filters
    if not has_filter_shape(tensor) or (used and len(tensor) != count):
        return f"has shape {tuple(tensor.shape)}; expected {(count, count)}"
    if not tensor.is_floating_point():
        return f"is {tensor.dtype}; expected real numbers"
    if used and not is_filter(tensor, config.resample_filter):
        return f"is another filter; expected that of the taps {list(config.resample_filter)}"
    return None
