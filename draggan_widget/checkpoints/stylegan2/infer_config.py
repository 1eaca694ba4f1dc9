"""The config of a StyleGAN2, from its tensors first and from what its file states beside them where shapes cannot tell.

Source: StyleGAN2-ADA and StyleGAN3 (their `training.networks` state dicts); StyleGAN-Human for 2:1 pictures.

Half precision: tensors keep the dtype they are stored in; a generator converts them to the dtype it computes in.
`num_fp16_res` only says what the model was trained with.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from draggan_widget.checkpoints.stylegan2.check_tensors import REMEDY, check_stylegan2
from draggan_widget.checkpoints.stylegan2.config import MAX_BLOCKS, MAX_LAYERS, MAX_TAPS, StyleGAN2Config, used_filters
from draggan_widget.checkpoints.stylegan2.resample_filter import taps_of
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError

FAMILY = "stylegan2"
ATTRIBUTES = ("activation", "architecture", "bias_gain", "conv_clamp", "use_fp16", "use_noise")
DEFAULTS = StyleGAN2Config(channels=(1,)).to_dict()  # used if neither tensors nor file give the value
PARTS = ("synthesis_kwargs", "mapping_kwargs")  # arguments of a generator that are arguments of its parts
TOLD_BY_TENSORS = (
    "architecture",
    "z_dim",
    "c_dim",
    "w_dim",
    "start_size",
    "channels",
    "img_channels",
    "mapping_layers",
)


def infer_config(
    tensors: Mapping[str, Tensor],
    init_kwargs: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    name: str = "the network",
) -> dict[str, Any]:
    """The generator's config as plain JSON values: those of `StyleGAN2Config.to_dict`.

    Args:
        tensors: its state dict, by NVIDIA's names.
        init_kwargs: the arguments it was constructed with; {} when not known.
        attributes: "synthesis.b4.conv1.conv_clamp" -> value, for module attributes named in `ATTRIBUTES`.
        name: what to call the network in errors.

    Raises:
        CheckpointError: the tensors are not those of a StyleGAN2 generator.
    """
    stated = _StatedSettings(init_kwargs, attributes or {}, name)
    blocks = _block_names(tensors, name)
    config = _mapping_sizes(tensors, name) | _synthesis_sizes(tensors, blocks, stated, name)
    activation = stated.setting("activation", r"synthesis\.b\d+\.conv\d\.activation", parts=("synthesis_kwargs", ""))
    of_mapping = stated.setting("activation", r"mapping\.fc\d+\.activation", parts=("mapping_kwargs",))
    config |= {
        "architecture": _architecture(tensors, blocks, stated),
        "mapping_lr_multiplier": stated.setting(
            "mapping_lr_multiplier", r"mapping\.fc\d+\.bias_gain", argument="lr_multiplier"
        ),
        "activation": activation,
        "mapping_activation": None if of_mapping == activation else of_mapping,
        "conv_clamp": stated.setting("conv_clamp", r"synthesis\.b\d+\.(conv\d|torgb)\.conv_clamp"),
        "num_fp16_res": _fp16_blocks(stated),
    }
    config["resample_filter"] = _taps(tensors, used_filters(config["architecture"], len(blocks)), stated, name)
    return check_stylegan2(config, tensors, name).to_dict()


def infer_config_beside(
    tensors: Mapping[str, Tensor], stated: Mapping[Any, Any], init_kwargs: Mapping[Any, Any], name: str
) -> dict[str, Any]:
    """The config of tensors whose file states one in its own words: it fills what they cannot tell.

    Raises:
        CheckpointError: the tensors are not those of a StyleGAN2 generator, or differ from what the file states.
    """
    arguments = {**stated, **init_kwargs}
    if "mapping_lr_multiplier" in stated:
        arguments["lr_multiplier"] = stated["mapping_lr_multiplier"]
    if "activation" in stated:
        # In a config's words it is that of all layers; in NVIDIA's arguments that of the synthesis alone.
        of_mapping = stated.get("mapping_activation") or stated["activation"]
        arguments["mapping_kwargs"] = {"activation": of_mapping} | dict(_dict_under(arguments, "mapping_kwargs"))
    config = infer_config(tensors, arguments, None, name)
    for key in TOLD_BY_TENSORS:
        claimed = [*stated[key]] if key in stated and type(stated[key]) is tuple else stated.get(key, config[key])
        if claimed != config[key]:
            raise CheckpointError(
                f"{name}: its config says {key} {brief(claimed)}, its tensors {config[key]}; expected the same; save "
                "it again with the right one"
            )
    return config


class _StatedSettings:
    """What a file states beside its tensors: module attributes, else the arguments of the construction."""

    def __init__(self, kwargs: Mapping[str, Any], attributes: Mapping[str, Any], name: str) -> None:
        self.attributes, self.name = attributes, name
        self.arguments = {part: _dict_under(kwargs, part) for part in PARTS} | {"": kwargs}

    def values(self, pattern: str) -> list[Any]:
        """The values of the attributes whose path matches."""
        found = [value for path, value in self.attributes.items() if re.fullmatch(pattern, path)]
        return [value for value in found if value is None or type(value) in (bool, int, float, str)]

    def setting(
        self, key: str, pattern: str = "", argument: str | None = None, parts: Sequence[str] = (*PARTS, "")
    ) -> Any:
        """The value that all attributes whose path matches agree on, else the argument's, else the default.

        The argument is looked for in `parts`, in this order; "" stands for the arguments of the whole generator.
        """
        values, argument = self.values(pattern), argument or key
        if values and any(type(value) is not type(values[0]) or value != values[0] for value in values):
            raise CheckpointError(f"{self.name}: its layers differ in {argument}; expected one for all; {REMEDY}")
        if values:
            return values[0]
        given = [self.arguments[part] for part in parts]
        return next((part[argument] for part in given if argument in part), DEFAULTS[key])


def _dict_under(arguments: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    found = arguments.get(key)
    return found if isinstance(found, Mapping) else {}


def _shape(tensors: Mapping[str, Tensor], key: str, axes: int, name: str) -> tuple[int, ...]:
    tensor = tensors.get(key)
    if tensor is None or tensor.ndim != axes:
        found = "is missing" if tensor is None else f"has shape {tuple(tensor.shape)}"
        raise CheckpointError(f"{name}: {key} {found}; expected a StyleGAN2's tensor of {axes} axes; {REMEDY}")
    return tuple(tensor.shape)


def _block_names(tensors: Mapping[str, Tensor], name: str) -> list[str]:
    """The names of the blocks' tensors, the smallest block first."""
    found = {match[1] for key in tensors if (match := re.match(r"synthesis\.b(\d{1,5})\.", key))}
    expected = [f"synthesis.b{4 << index}" for index in range(len(found))]
    if not 1 <= len(found) <= MAX_BLOCKS or {f"synthesis.b{size}" for size in found} != {*expected}:
        sizes = ", ".join(sorted(found, key=int)[: MAX_BLOCKS + 1]) or "none"
        raise CheckpointError(f"{name}: has blocks {sizes}; expected 4, 8, 16 and so on; {REMEDY}")
    return expected


def _mapping_sizes(tensors: Mapping[str, Tensor], name: str) -> dict[str, Any]:
    layers = 1
    while f"mapping.fc{layers}.weight" in tensors and layers < MAX_LAYERS:
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


def _synthesis_sizes(
    tensors: Mapping[str, Tensor], blocks: list[str], stated: _StatedSettings, name: str
) -> dict[str, Any]:
    use_noise = stated.setting("use_noise", r"synthesis\.b\d+\.conv\d\.use_noise")
    return {
        "start_size": [*_shape(tensors, f"{blocks[0]}.const", 3, name)[1:]],
        "channels": [_shape(tensors, f"{block}.conv1.weight", 4, name)[0] for block in blocks],
        "img_channels": _shape(tensors, f"{blocks[-1]}.torgb.weight", 4, name)[0],
        "use_noise": use_noise is not False and f"{blocks[0]}.conv1.noise_strength" in tensors,
    }


def _architecture(tensors: Mapping[str, Tensor], blocks: list[str], stated: _StatedSettings) -> Any:
    if len(blocks) == 1:
        return stated.setting("architecture", r"synthesis\.b\d+\.architecture")
    if f"{blocks[0]}.torgb.weight" in tensors:
        return "skip"
    return "resnet" if f"{blocks[-1]}.skip.weight" in tensors else "orig"


def _fp16_blocks(stated: _StatedSettings) -> Any:
    used = stated.values(r"synthesis\.b\d+\.use_fp16")
    return sum(value is True for value in used) if used else stated.setting("num_fp16_res")


def _taps(tensors: Mapping[str, Tensor], used: Iterable[str], stated: _StatedSettings, name: str) -> Any:
    """The taps of the filters that are computed with, else those that the file states."""
    filters = {key: tensors[key] for key in used if key in tensors}
    if not filters:
        return stated.setting("resample_filter")
    taps = taps_of(filters.values())
    if taps is None:
        shapes = ", ".join(sorted({str(tuple(tensor.shape)) for tensor in filters.values()})[:4])
        raise CheckpointError(
            f"{name}: its filters, of shape {shapes}, are not one and the same up-sampling filter; expected the outer "
            f"product of at most {MAX_TAPS} taps, of sum 1; {REMEDY}"
        )
    return taps
