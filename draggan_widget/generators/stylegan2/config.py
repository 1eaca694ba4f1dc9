"""The numbers that fix a StyleGAN2 generator.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN".

Field names follow the words of StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data"). Differs from
them: 1. the channels are listed block by block; 2. the first block's size is stated, so pictures need not be square.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from draggan_widget.errors import ConfigError

ARCHITECTURES = ("skip", "resnet", "orig")
MOST_BLOCKS = 11  # 4096 px
MOST_WIDTH = 2**16  # channels, latent entries and classes


@dataclass(frozen=True)
class StyleGAN2Config:
    """Sizes and options of one generator.

    Attributes:
        channels: of each block's features, from the first block upward.
        z_dim: length of z; 0 when a class alone makes the picture.
        c_dim: classes, 0 for an unconditional generator.
        w_dim: length of one row of ws.
        start_size: (height, width) of the first block, px.
        img_channels: 3, or 1 for grey pictures.
        architecture: "skip" (every block adds to an RGB picture), "resnet" (blocks with a bypass) or "orig" (neither).
        mapping_layers: fully connected layers from z to w.
        mapping_features: width between them; None for `w_dim`.
        embed_features: width a class is embedded in; None for `w_dim`.
        mapping_lr_multiplier: what their stored weights were divided by.
        activation: "lrelu", the only one supported.
        resample_filter: taps of the up-sampling filter, along either axis.
        conv_clamp: largest magnitude of an activation; None for no bound.
        num_fp16_res: so many of the largest blocks were trained in half precision. They are computed in the dtype of
            the weights all the same; the bound of `conv_clamp` holds.
        use_noise: whether the layers add noise.
    """

    channels: tuple[int, ...]
    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    start_size: tuple[int, int] = (4, 4)
    img_channels: int = 3
    architecture: str = "skip"
    mapping_layers: int = 8
    mapping_features: int | None = None
    embed_features: int | None = None
    mapping_lr_multiplier: float = 0.01
    activation: str = "lrelu"
    resample_filter: tuple[float, ...] = (1, 3, 3, 1)
    conv_clamp: float | None = None
    num_fp16_res: int = 0
    use_noise: bool = True

    def __post_init__(self) -> None:
        _check_whole_numbers(self)
        _check_choices(self)
        _check_reals(self)

    @classmethod
    def of_size(cls, resolution: int, channel_base: int = 32768, channel_max: int = 512) -> "StyleGAN2Config":
        """The official sizes for a square picture: `channel_base` / px channels a block, `channel_max` at most.

        Raises:
            ConfigError: the resolution is not a power of two from 4 to 4096.
        """
        blocks = resolution.bit_length() - 2
        if resolution != 4 * 2 ** max(blocks - 1, 0) or blocks > MOST_BLOCKS:
            raise ConfigError(f"resolution is {resolution}; expected a power of two from 4 to {2 * 2**MOST_BLOCKS}")
        return cls(channels=tuple(min(channel_base // (4 * 2**block), channel_max) for block in range(blocks)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StyleGAN2Config":
        """Read plain JSON values, as `to_dict` writes them; what is absent takes its default.

        Raises:
            ConfigError: `channels` is missing, a key is unknown, or a value has the wrong type or is out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [key for key in values if key not in known]
        if unknown:
            raise ConfigError(f"a StyleGAN2 has no setting {unknown[0]!r}; known are {', '.join(known)}")
        if "channels" not in values:
            raise ConfigError("the configuration lacks 'channels'; expected the channels of every block")
        plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: lists, not tuples."""
        values = dataclasses.asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @property
    def num_blocks(self) -> int:
        """Synthesis blocks."""
        return len(self.channels)

    @property
    def num_ws(self) -> int:
        """One row a convolution (the first block has one, the others two), one for the last block's picture."""
        return 2 * self.num_blocks

    def block_size(self, block: int) -> tuple[int, int]:
        """(height, width) of a block's features, px."""
        height, width = self.start_size
        return (height * 2**block, width * 2**block)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the picture, px."""
        return self.block_size(self.num_blocks - 1)

    def block_name(self, block: int) -> str:
        """The name its tensors bear: b4, b8, b16, ... whatever the first block's size."""
        return f"b{4 * 2**block}"

    @property
    def mapping_sizes(self) -> tuple[int, ...]:
        """Widths from the mapping's input to w."""
        hidden = self.w_dim if self.mapping_features is None else self.mapping_features
        return (self.z_dim + self.embedding, *[hidden] * (self.mapping_layers - 1), self.w_dim)

    @property
    def embedding(self) -> int:
        """Width a class is embedded in; 0 for an unconditional generator."""
        if self.c_dim == 0:
            return 0
        return self.w_dim if self.embed_features is None else self.embed_features


def _whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}; expected a whole number from {low} to {high}")


def _check_whole_numbers(config: StyleGAN2Config) -> None:
    if not isinstance(config.channels, tuple) or not 1 <= len(config.channels) <= MOST_BLOCKS:
        raise ConfigError(f"channels is {config.channels!r}; expected 1 to {MOST_BLOCKS} whole numbers, one a block")
    if not isinstance(config.start_size, tuple) or len(config.start_size) != 2:
        raise ConfigError(f"start_size is {config.start_size!r}; expected (height, width)")
    for count in config.channels:
        _whole("an entry of channels", count, 1, MOST_WIDTH)
    for side in config.start_size:
        _whole("a side of start_size", side, 1, 64)
    for name in ("z_dim", "c_dim"):
        _whole(name, getattr(config, name), 0, MOST_WIDTH)
    _whole("w_dim", config.w_dim, 1, MOST_WIDTH)
    for name in ("mapping_features", "embed_features"):
        if getattr(config, name) is not None:
            _whole(name, getattr(config, name), 1, MOST_WIDTH)
    _whole("mapping_layers", config.mapping_layers, 1, 64)
    _whole("num_fp16_res", config.num_fp16_res, 0, 64)
    if config.z_dim == config.c_dim == 0:
        raise ConfigError("z_dim and c_dim are both 0; expected one of them above 0")


def _check_choices(config: StyleGAN2Config) -> None:
    choices: dict[str, tuple[object, ...]] = {
        "architecture": ARCHITECTURES,
        "activation": ("lrelu",),
        "img_channels": (3, 1),
    }
    for name, allowed in choices.items():
        value = getattr(config, name)
        if isinstance(value, bool) or value not in allowed:
            expected = " or ".join(repr(choice) for choice in allowed)
            raise ConfigError(f"{name} is {value!r}; only {expected} can be computed")
    if not isinstance(config.use_noise, bool):
        raise ConfigError(f"use_noise is {config.use_noise!r}; expected True or False")


def _finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_reals(config: StyleGAN2Config) -> None:
    for name in ("mapping_lr_multiplier", "conv_clamp"):
        value = getattr(config, name)
        unbounded = value is None and name == "conv_clamp"
        if not unbounded and not (_finite(value) and value > 0):
            raise ConfigError(f"{name} is {value!r}; expected a number above 0")
    taps = config.resample_filter
    fits = isinstance(taps, tuple) and 1 <= len(taps) <= 32 and all(_finite(tap) for tap in taps)
    if not fits or sum(taps) == 0:
        raise ConfigError(f"resample_filter is {taps!r}; expected 1 to 32 numbers whose sum is not 0")
