"""A StyleGAN2's config, from its tensors first and from what its file says beside them where shapes cannot tell.

Source: StyleGAN2-ADA and StyleGAN3 (their ``training.networks`` state dicts); StyleGAN-Human for 2:1 pictures.

Half precision: tensors are kept in the type they are stored in; a generator computes in the type it likes, so it makes
them wider itself. ``num_fp16_res`` only says what the model was trained with.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from draggan_widget.checkpoints.stylegan2.config import CHECKS, MOST_BLOCKS, MOST_LAYERS, MOST_TAPS, check_config
from draggan_widget.checkpoints.stylegan2.tensor_shapes import FILTER, REMEDY, check_tensors
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError

FAMILY = "stylegan2"
ATTRIBUTES = ("activation", "architecture", "bias_gain", "conv_clamp", "use_fp16", "use_noise")
SEEN = (
    "architecture",
    "z_dim",
    "c_dim",
    "w_dim",
    "start_size",
    "channels",
    "img_channels",
    "mapping_layers",
)  # in the tensors


def config_of(
    tensors: Mapping[str, Tensor],
    init_kwargs: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    name: str = "the network",
) -> dict[str, Any]:
    """The generator's config as plain JSON values.

    Args:
        tensors: its state dict, by NVIDIA's names.
        init_kwargs: what it was constructed with; {} when not known.
        attributes: "synthesis.b4.conv1.conv_clamp" -> value, for module attributes named in ``ATTRIBUTES``.
        name: what to call it in errors.

    Returns:
        z_dim, c_dim, w_dim, start_size ([height, width], px), channels (a block each, from the first upward),
        img_channels, architecture, mapping_layers, mapping_features, embed_features, mapping_lr_multiplier,
        activation, resample_filter (taps), conv_clamp, num_fp16_res and use_noise.

    Raises:
        CheckpointError: the tensors are not those of a StyleGAN2 generator.
    """
    said = _Said(init_kwargs, attributes or {}, name)
    blocks = _blocks(tensors, name)
    config = _mapping_sizes(tensors, name) | _synthesis_sizes(tensors, blocks, said, name)
    config |= {
        "architecture": _architecture(tensors, blocks, said),
        "mapping_lr_multiplier": said.one(r"mapping\.fc\d+\.bias_gain", "lr_multiplier", 0.01),
        "activation": said.one(r"(mapping\.fc\d+|synthesis\.b\d+\.conv\d)\.activation", "activation", "lrelu"),
        "resample_filter": _taps(tensors, said, name),
        "conv_clamp": said.one(r"synthesis\.b\d+\.(conv\d|torgb)\.conv_clamp", "conv_clamp", None),
        "num_fp16_res": _fp16_blocks(said),
    }
    check_config(config, name)
    check_tensors(config, tensors, name)
    return {key: config[key] for key in CHECKS}


def config_beside(
    tensors: Mapping[str, Tensor], own: Mapping[Any, Any], init_kwargs: Mapping[Any, Any], name: str
) -> dict[str, Any]:
    """The config of tensors that came with one of somebody's own: it fills what they cannot tell, and must not differ.

    Raises:
        CheckpointError: the tensors are not those of a StyleGAN2 generator, or of another than the config says.
    """
    said = {**own, **init_kwargs}
    if "mapping_lr_multiplier" in own:
        said["lr_multiplier"] = own["mapping_lr_multiplier"]
    config = config_of(tensors, said, None, name)
    for key in SEEN:
        claimed = [*own[key]] if key in own and type(own[key]) is tuple else own.get(key, config[key])
        if claimed != config[key]:
            raise CheckpointError(
                f"{name}: its config says {key} {brief(claimed)}, its tensors {config[key]}; expected the same; save "
                "it again with the right one"
            )
    return config


class _Said:
    """What a file says beside its tensors: module attributes, else the arguments of its construction."""

    def __init__(self, kwargs: Mapping[str, Any], attributes: Mapping[str, Any], name: str) -> None:
        self.attributes, self.name = attributes, name
        parts = [kwargs.get("synthesis_kwargs"), kwargs.get("mapping_kwargs"), kwargs]
        self.kwargs = [part for part in parts if isinstance(part, Mapping)]

    def values(self, pattern: str) -> list[Any]:
        """The attributes whose path fits."""
        found = [value for path, value in self.attributes.items() if re.fullmatch(pattern, path)]
        return [value for value in found if value is None or type(value) in (bool, int, float, str)]

    def one(self, pattern: str, key: str, default: Any) -> Any:
        """The value all those attributes agree on, else the argument ``key``, else the default."""
        values = self.values(pattern)
        if values and any(type(value) is not type(values[0]) or value != values[0] for value in values):
            raise CheckpointError(f"{self.name}: its layers differ in {key}; expected one for all; {REMEDY}")
        if values:
            return values[0]
        return next((part[key] for part in self.kwargs if key in part), default)


def _shape(tensors: Mapping[str, Tensor], key: str, axes: int, name: str) -> tuple[int, ...]:
    tensor = tensors.get(key)
    if tensor is None or tensor.ndim != axes:
        found = "is missing" if tensor is None else f"has shape {tuple(tensor.shape)}"
        raise CheckpointError(f"{name}: {key} {found}; expected a StyleGAN2's tensor of {axes} axes; {REMEDY}")
    return tuple(tensor.shape)


def _blocks(tensors: Mapping[str, Tensor], name: str) -> list[str]:
    """The blocks' names, from the smallest up."""
    found = {match[1] for key in tensors if (match := re.match(r"synthesis\.b(\d{1,5})\.", key))}
    expected = [f"synthesis.b{4 << index}" for index in range(len(found))]
    if not 1 <= len(found) <= MOST_BLOCKS or {f"synthesis.b{size}" for size in found} != {*expected}:
        sizes = ", ".join(sorted(found, key=int)[: MOST_BLOCKS + 1]) or "none"
        raise CheckpointError(f"{name}: has blocks {sizes}; expected 4, 8, 16 and so on; {REMEDY}")
    return expected


def _mapping_sizes(tensors: Mapping[str, Tensor], name: str) -> dict[str, Any]:
    layers = 1
    while f"mapping.fc{layers}.weight" in tensors and layers < MOST_LAYERS:
        layers += 1
    width, inputs = _shape(tensors, "mapping.fc0.weight", 2, name)
    w_dim = _shape(tensors, f"mapping.fc{layers - 1}.weight", 2, name)[0]
    embedded, c_dim = _shape(tensors, "mapping.embed.weight", 2, name) if "mapping.embed.weight" in tensors else (0, 0)
    return {
        "z_dim": inputs - embedded,
        "c_dim": c_dim,
        "w_dim": w_dim,
        "mapping_layers": layers,
        "mapping_features": width if layers > 1 else None,
        "embed_features": embedded if c_dim else None,
    }


def _synthesis_sizes(tensors: Mapping[str, Tensor], blocks: list[str], said: _Said, name: str) -> dict[str, Any]:
    use_noise = said.one(r"synthesis\.b\d+\.conv\d\.use_noise", "use_noise", True)
    return {
        "start_size": [*_shape(tensors, f"{blocks[0]}.const", 3, name)[1:]],
        "channels": [_shape(tensors, f"{block}.conv1.weight", 4, name)[0] for block in blocks],
        "img_channels": _shape(tensors, f"{blocks[-1]}.torgb.weight", 4, name)[0],
        "use_noise": use_noise is not False and f"{blocks[0]}.conv1.noise_strength" in tensors,
    }


def _architecture(tensors: Mapping[str, Tensor], blocks: list[str], said: _Said) -> Any:
    if len(blocks) == 1:
        return said.one(r"synthesis\.b\d+\.architecture", "architecture", "skip")
    if f"{blocks[0]}.torgb.weight" in tensors:
        return "skip"
    return "resnet" if f"{blocks[-1]}.skip.weight" in tensors else "orig"


def _fp16_blocks(said: _Said) -> Any:
    used = said.values(r"synthesis\.b\d+\.use_fp16")
    return sum(value is True for value in used) if used else said.one("", "num_fp16_res", 0)


def _taps(tensors: Mapping[str, Tensor], said: _Said, name: str) -> list[float]:
    """The taps along one axis, as small whole numbers where they are such."""
    filters = [tensor for key, tensor in tensors.items() if key.endswith(FILTER)]
    if not filters:
        taps = said.one("", "resample_filter", [1, 3, 3, 1])
        return [*taps] if isinstance(taps, (list, tuple)) else taps
    first = filters[0].detach()
    if not 1 <= first.ndim <= 2 or not 1 <= len(first) <= MOST_TAPS or first.shape[0] != first.shape[-1]:
        raise CheckpointError(f"{name}: {FILTER[1:]} has shape {tuple(first.shape)}; expected a small square; {REMEDY}")
    first = first.cpu().double()  # on MPS there are no doubles
    line = first if first.ndim == 1 else first.sum(0)
    same = all(f.shape == first.shape and torch.allclose(f.detach().cpu().double(), first, atol=1e-3) for f in filters)
    separable = first.ndim == 1 or torch.allclose(torch.outer(line, line), first * line.sum(), atol=1e-3)
    if not (same and separable and bool(line.isfinite().all()) and float(line.abs().max()) > 1e-6):
        raise CheckpointError(f"{name}: its filters are not one and the same; expected separable taps; {REMEDY}")
    return _whole(line.tolist())


def _whole(taps: list[float]) -> list[float]:
    least = min(abs(tap) for tap in taps if abs(tap) > 1e-6)
    scaled = [tap / least for tap in taps]
    whole = [round(tap) for tap in scaled]
    near = all(abs(tap - number) <= 1e-2 for tap, number in zip(scaled, whole, strict=True))
    return [*whole] if near and max(map(abs, whole)) <= 1000 else taps
