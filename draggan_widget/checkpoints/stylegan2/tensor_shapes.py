"""The names and shapes of a StyleGAN2 generator's tensors, as NVIDIA's state dicts have them.

Source: StyleGAN2-ADA (Karras et al. 2020); StyleGAN-Human for a first block that is not square.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from draggan_widget.errors import CheckpointError

FILTER = ".resample_filter"
NOISE = (".noise_const", ".noise_strength")
REMEDY = "this reader knows the StyleGAN2 of NVIDIA's PyTorch repositories; convert the model to one of those"

Shapes = dict[str, tuple[int, ...]]


def expected_shapes(config: Mapping[str, Any]) -> Shapes:
    """Name -> shape of every tensor of the generator with this config (the keys of ``stylegan2.config_of``)."""
    shapes = _mapping(config)
    channels = config["channels"]
    for index, width in enumerate(channels):
        shapes |= _block(config, index, channels[index - 1] if index else 0, width)
    return shapes


def mean_shapes(config: Mapping[str, Any]) -> Shapes:
    """Name -> shape of the mean feature maps that a file of ours may carry beside them, one a block."""
    height, length = config["start_size"]
    channels = enumerate(config["channels"])
    return {f"mean.{index}.features": (width, height << index, length << index) for index, width in channels}


def _mapping(config: Mapping[str, Any]) -> Shapes:
    w_dim, c_dim, layers = config["w_dim"], config["c_dim"], config["mapping_layers"]
    embedded = (config["embed_features"] or w_dim) if c_dim else 0
    hidden = config["mapping_features"] or w_dim
    widths = [config["z_dim"] + embedded, *[hidden] * (layers - 1), w_dim]
    shapes: Shapes = {"mapping.w_avg": (w_dim,)}
    if c_dim:
        shapes |= {"mapping.embed.weight": (embedded, c_dim), "mapping.embed.bias": (embedded,)}
    for layer in range(layers):
        weight = (widths[layer + 1], widths[layer])
        shapes |= {f"mapping.fc{layer}.weight": weight, f"mapping.fc{layer}.bias": weight[:1]}
    return shapes


def _block(config: Mapping[str, Any], index: int, before: int, width: int) -> Shapes:
    name, last = f"synthesis.b{4 << index}", index == len(config["channels"]) - 1
    taps = len(config["resample_filter"])
    height, length = (side << index for side in config["start_size"])
    shapes: Shapes = {f"{name}{FILTER}": (taps, taps)}
    if index == 0:
        shapes[f"{name}.const"] = (width, height, length)
    else:
        shapes |= _convolution(config, f"{name}.conv0", before, width, (height, length))
        if config["architecture"] == "resnet":
            shapes |= {f"{name}.skip.weight": (width, before, 1, 1), f"{name}.skip{FILTER}": (taps, taps)}
    shapes |= _convolution(config, f"{name}.conv1", width, width, (height, length))
    if last or config["architecture"] == "skip":
        colours = config["img_channels"]
        shapes |= {f"{name}.torgb.weight": (colours, width, 1, 1), f"{name}.torgb.bias": (colours,)}
        shapes |= _affine(config, f"{name}.torgb", width)
    return shapes


def _convolution(config: Mapping[str, Any], name: str, before: int, width: int, size: tuple[int, int]) -> Shapes:
    taps = len(config["resample_filter"])
    shapes: Shapes = {
        f"{name}.weight": (width, before, 3, 3),
        f"{name}.bias": (width,),
        f"{name}{FILTER}": (taps, taps),
    }
    if config["use_noise"]:
        shapes |= {f"{name}.noise_const": size, f"{name}.noise_strength": ()}
    return shapes | _affine(config, name, before)


def _affine(config: Mapping[str, Any], name: str, width: int) -> Shapes:
    return {f"{name}.affine.weight": (width, config["w_dim"]), f"{name}.affine.bias": (width,)}


def check_tensors(config: Mapping[str, Any], tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse tensors that are not exactly those of the generator with this config.

    Filters may be missing, since the config tells them; noise may be there when the config does not use it, and so may
    mean feature maps.

    Raises:
        CheckpointError: a tensor is missing, unknown, of another shape, or not of real numbers.
    """
    shapes = expected_shapes(config)
    missing = [key for key in shapes if key not in tensors and not key.endswith(FILTER)]
    shapes |= mean_shapes(config)
    unknown = [key for key in tensors if key not in shapes and not key.endswith((FILTER, *NOISE))]
    for found, keys in (("lacks", missing), ("has, beyond a StyleGAN2,", unknown)):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CheckpointError(f"{name}: {found} {keys[0][:200]!a}{more}; expected a StyleGAN2's tensors; {REMEDY}")
    for key, tensor in tensors.items():
        shape = shapes.get(key, tensor.shape)
        # A filter of eight taps and more is stored along one axis.
        if tuple(tensor.shape) != shape and not (key.endswith(FILTER) and tuple(tensor.shape) == shape[:1]):
            raise CheckpointError(f"{name}: {key} has shape {tuple(tensor.shape)}; expected {shape}; {REMEDY}")
        if not tensor.is_floating_point():
            raise CheckpointError(f"{name}: {key} is {tensor.dtype}; expected real numbers; {REMEDY}")
