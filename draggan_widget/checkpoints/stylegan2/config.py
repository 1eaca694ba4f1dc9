"""What a StyleGAN2 generator is: its numbers, their bounds, and the names and shapes of its tensors.

A reader finds the numbers in a file (`infer_config`); the network is built from them (`generators.stylegan2`).

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"; names of fields and tensors as in
StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data"). Differs from them: 1. the channels are listed
block by block; 2. the size of the first block is stated, so that pictures need not be square (as in StyleGAN-Human).
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from draggan_widget.checkpoints.json_config import is_number
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import ConfigError

MAX_BLOCKS = 11  # 4096 px
MAX_SIDE = 4096  # px of the picture
MAX_WORK = 10**12  # multiplications of one picture; the official 1024 px take 0.08e12, 2048 px twice as wide 0.25e12
MAX_WIDTH = 2**16  # channels, latent entries and classes
MAX_LAYERS = 64  # of the mapping
MAX_START = 64  # px
MAX_TAPS = 32
MIN_LARGEST_TAP = 1e-30  # magnitude; its square is still far from the smallest double
MIN_FILTER_SUM = 1e-6  # magnitude relative to the largest tap: a filter is divided by its sum

SLOPES = {"lrelu": 0.2, "relu": 0.0}  # activation -> factor of what is below 0; the gain of both is the root of 2

FILTER = ".resample_filter"
NOISE = (".noise_const", ".noise_strength")

Shapes = dict[str, tuple[int, ...]]
Check = Callable[[str, object], None]  # of a field's name and value; raises ConfigError


def _whole(least: int, most: int) -> Check:
    def check(name: str, value: object) -> None:
        if type(value) is not int or not least <= value <= most:
            raise ConfigError(f"{name} is {brief(value)}; expected a whole number from {least} to {most}")

    return check


def _choice(*choices: object) -> Check:
    def check(name: str, value: object) -> None:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            expected = " or ".join(repr(choice) for choice in choices)
            raise ConfigError(f"{name} is {brief(value)}; expected {expected}")

    return check


def _above_zero(name: str, value: object) -> None:
    if not is_number(value) or value <= 0:
        raise ConfigError(f"{name} is {brief(value)}; expected a number above 0")


def _number(name: str, value: object) -> None:
    if not is_number(value):
        raise ConfigError(f"{name} is {brief(value)}; expected a number")


def _optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _each(check: Check, least: int, most: int) -> Check:
    def check_all(name: str, value: object) -> None:
        if not isinstance(value, tuple) or not least <= len(value) <= most:
            count = f"{least}" if least == most else f"{least} to {most}"
            raise ConfigError(f"{name} is {brief(value)}; expected a list of {count} numbers")
        for index, entry in enumerate(value):
            check(f"{name}[{index}]", entry)

    return check_all


def _filter_taps(name: str, value: object) -> None:
    _each(_number, 1, MAX_TAPS)(name, value)
    assert isinstance(value, tuple)
    largest, total = max(map(abs, value)), sum(value)
    if largest < MIN_LARGEST_TAP or abs(total) < MIN_FILTER_SUM * largest:
        raise ConfigError(f"{name} is {list(value)}, whose sum is {total}; expected taps whose sum is not near 0")


BOUNDS: dict[str, Check] = {
    "z_dim": _whole(0, MAX_WIDTH),
    "c_dim": _whole(0, MAX_WIDTH),
    "w_dim": _whole(1, MAX_WIDTH),
    "start_size": _each(_whole(1, MAX_START), 2, 2),
    "channels": _each(_whole(1, MAX_WIDTH), 1, MAX_BLOCKS),
    "img_channels": _choice(3, 1, 4),  # shown in RGB: a grey one is repeated, the fourth of RGBA is left out
    "architecture": _choice("skip", "resnet", "orig"),
    "mapping_layers": _whole(1, MAX_LAYERS),
    "mapping_features": _optional(_whole(1, MAX_WIDTH)),
    "embed_features": _optional(_whole(1, MAX_WIDTH)),
    "mapping_lr_multiplier": _above_zero,
    "activation": _choice(*SLOPES),
    "mapping_activation": _optional(_choice(*SLOPES)),
    "resample_filter": _filter_taps,
    "conv_clamp": _optional(_above_zero),
    "num_fp16_res": _whole(0, 64),
    "use_noise": _choice(True, False),
}


LATER_KEYS = ("mapping_activation",)  # older files lack them; their networks have the default


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Config:
    """Sizes and options of one generator; `BOUNDS` says which values each may have.

    Attributes:
        z_dim: length of z; 0 when a class alone makes the picture.
        c_dim: number of classes; 0 for an unconditional generator.
        w_dim: length of one row of ws.
        start_size: (height, width) of the first block, px.
        channels: channels of each block's features, from the first block upward.
        img_channels: 3, 1 for grey pictures, or 4 for RGB and opacity, which is computed but not shown.
        architecture: "skip" (every block adds to an RGB picture), "resnet" (blocks with a bypass) or "orig" (neither).
        mapping_layers: number of fully connected layers from z to w.
        mapping_features: width between these layers; None for `w_dim`.
        embed_features: width of the embedding of a class; None for `w_dim`.
        mapping_lr_multiplier: factor by which the stored weights and biases of these layers are multiplied.
        activation: of the 3 x 3 convolutions, "lrelu" (0.2 of what is below 0) or "relu".
        mapping_activation: of the mapping; None for `activation`. Older files of ours lack it.
        resample_filter: taps of the up-sampling filter, the same along both axes; only their ratios count.
        conv_clamp: largest magnitude of an activation; None for no bound.
        num_fp16_res: number of blocks, counted from the largest, that were trained in half precision. They are computed
            in the dtype of the weights all the same; the bound of `conv_clamp` still applies.
        use_noise: whether the layers add noise.

    Raises:
        ConfigError: a value is out of its bounds, or the picture is larger than `MAX_SIDE` or takes more than
            `MAX_WORK`.
    """

    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    start_size: tuple[int, int] = (4, 4)
    channels: tuple[int, ...]
    img_channels: int = 3
    architecture: str = "skip"
    mapping_layers: int = 8
    mapping_features: int | None = None
    embed_features: int | None = None
    mapping_lr_multiplier: float = 0.01
    activation: str = "lrelu"
    mapping_activation: str | None = None
    resample_filter: tuple[float, ...] = (1, 3, 3, 1)
    conv_clamp: float | None = None
    num_fp16_res: int = 0
    use_noise: bool = True

    def __post_init__(self) -> None:
        for name, check in BOUNDS.items():
            check(name, getattr(self, name))
        if self.z_dim == self.c_dim == 0:
            raise ConfigError("z_dim and c_dim are both 0; expected one of them above 0")
        height, width = self.image_size
        if max(height, width) > MAX_SIDE:
            raise ConfigError(f"the picture has {width} x {height} px; expected at most {MAX_SIDE} px along each side")
        if self.picture_work > MAX_WORK:
            raise ConfigError(
                f"a picture of {width} x {height} px takes {self.picture_work:.1e} multiplications with these "
                f"channels; expected at most {MAX_WORK:.0e}"
            )

    @classmethod
    def of_size(cls, resolution: int, channel_base: int = 32768, channel_max: int = 512) -> "StyleGAN2Config":
        """The official sizes for a square picture: `channel_base` / px channels a block, `channel_max` at most.

        Raises:
            ConfigError: the resolution is not a power of two from 4 to 4096.
        """
        blocks = resolution.bit_length() - 2
        if resolution != 4 * 2 ** max(blocks - 1, 0) or blocks > MAX_BLOCKS:
            raise ConfigError(f"resolution is {resolution}; expected a power of two from 4 to {2 * 2**MAX_BLOCKS}")
        return cls(channels=tuple(min(channel_base // (4 * 2**block), channel_max) for block in range(blocks)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StyleGAN2Config":
        """Read plain JSON values, as `to_dict` writes them: every key must be there, but for those of `LATER_KEYS`.

        Raises:
            ConfigError: a key is missing or unknown, or a value is out of its bounds.
        """
        known = ", ".join(BOUNDS)
        for key in values:
            if key not in BOUNDS:
                raise ConfigError(f"the config has the key {brief(key)}; expected only {known}")
        for key in BOUNDS:
            if key not in values and key not in LATER_KEYS:
                raise ConfigError(f"the config lacks {key!r}; expected {known}")
        plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: lists, not tuples."""
        values = dataclasses.asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @property
    def num_blocks(self) -> int:
        """Number of synthesis blocks."""
        return len(self.channels)

    @property
    def num_ws(self) -> int:
        """Rows of ws: one for each convolution (the first block has one, the others two), one for the last picture."""
        return 2 * self.num_blocks

    def block_size(self, block: int) -> tuple[int, int]:
        """(height, width) of a block's features, px."""
        height, width = self.start_size
        return (height * 2**block, width * 2**block)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the picture, px."""
        return self.block_size(self.num_blocks - 1)

    @property
    def picture_work(self) -> int:
        """The multiplications that the convolutions and filters of one picture take."""
        total, before, taps = 0, 0, len(self.resample_filter) ** 2
        for block, width in enumerate(self.channels):
            height, breadth = self.block_size(block)
            cell = 9 * width * width + 9 * before * width // 4 + taps * (width if block else 0)
            total, before = total + height * breadth * cell, width
        return total

    def block_name(self, block: int) -> str:
        """The name of a block's tensors: b4, b8, b16, ... whatever the size of the first block."""
        return f"b{4 * 2**block}"

    @property
    def mapping_sizes(self) -> tuple[int, ...]:
        """Widths from the mapping's input to w."""
        hidden = self.w_dim if self.mapping_features is None else self.mapping_features
        return (self.z_dim + self.embedding, *[hidden] * (self.mapping_layers - 1), self.w_dim)

    @property
    def slopes(self) -> tuple[float, float]:
        """The factor of what is below 0 in the activations of the mapping and of the synthesis."""
        return SLOPES[self.mapping_activation or self.activation], SLOPES[self.activation]

    @property
    def embedding(self) -> int:
        """Width of the embedding of a class; 0 for an unconditional generator."""
        if self.c_dim == 0:
            return 0
        return self.w_dim if self.embed_features is None else self.embed_features

    @cached_property
    def tensor_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape of every tensor of the generator, as in NVIDIA's state dicts.

        NVIDIA stores filters of eight and more taps along one axis; here every filter has two.
        """
        shapes = _mapping_shapes(self)
        for block in range(self.num_blocks):
            shapes |= _block_shapes(self, block)
        return shapes

    @cached_property
    def used_filters(self) -> frozenset[str]:
        """The names of the filters that are computed with (`used_filters`)."""
        return used_filters(self.architecture, self.num_blocks)

    @cached_property
    def mean_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape of the mean feature maps, one a block, that a file of ours may hold beside these tensors."""
        return {f"mean.{block}.features": (width, *self.block_size(block)) for block, width in enumerate(self.channels)}


def used_filters(architecture: str, num_blocks: int) -> frozenset[str]:
    """The names of the filters that are computed with; a file has more of them.

    NVIDIA's code gives `resample_filter` to the first convolution of a block, to the bypass and to the block itself. It
    leaves the filter of the second convolution at [1, 3, 3, 1], which nothing reads.
    """
    parts = ["conv0", *(["skip"] if architecture == "resnet" else [])]
    blocks = [f"synthesis.b{4 << block}" for block in range(1, num_blocks)]
    found = {f"{block}.{part}{FILTER}" for block in blocks for part in parts}
    return frozenset(found | {f"{block}{FILTER}" for block in blocks if architecture == "skip"})


def _mapping_shapes(config: StyleGAN2Config) -> Shapes:
    sizes = config.mapping_sizes
    shapes: Shapes = {"mapping.w_avg": (config.w_dim,)}
    if config.c_dim:
        shapes |= {"mapping.embed.weight": (config.embedding, config.c_dim), "mapping.embed.bias": (config.embedding,)}
    for layer in range(config.mapping_layers):
        weight = (sizes[layer + 1], sizes[layer])
        shapes |= {f"mapping.fc{layer}.weight": weight, f"mapping.fc{layer}.bias": weight[:1]}
    return shapes


def _block_shapes(config: StyleGAN2Config, block: int) -> Shapes:
    name, width, size = f"synthesis.{config.block_name(block)}", config.channels[block], config.block_size(block)
    shapes = _filter_shape(config, name)
    if block == 0:
        shapes[f"{name}.const"] = (width, *size)
    else:
        before = config.channels[block - 1]
        shapes |= _conv_shapes(config, f"{name}.conv0", before, width, size)
        if config.architecture == "resnet":
            shapes |= {f"{name}.skip.weight": (width, before, 1, 1)} | _filter_shape(config, f"{name}.skip")
    shapes |= _conv_shapes(config, f"{name}.conv1", width, width, size)
    if config.architecture == "skip" or block == config.num_blocks - 1:
        colours = config.img_channels
        shapes |= {f"{name}.torgb.weight": (colours, width, 1, 1), f"{name}.torgb.bias": (colours,)}
        shapes |= _affine_shapes(config, f"{name}.torgb", width)
    return shapes


def _conv_shapes(config: StyleGAN2Config, name: str, before: int, width: int, size: tuple[int, int]) -> Shapes:
    shapes = {f"{name}.weight": (width, before, 3, 3), f"{name}.bias": (width,)} | _filter_shape(config, name)
    if config.use_noise:
        shapes |= {f"{name}.noise_const": size, f"{name}.noise_strength": ()}
    return shapes | _affine_shapes(config, name, before)


def _affine_shapes(config: StyleGAN2Config, name: str, width: int) -> Shapes:
    return {f"{name}.affine.weight": (width, config.w_dim), f"{name}.affine.bias": (width,)}


def _filter_shape(config: StyleGAN2Config, name: str) -> Shapes:
    return {f"{name}{FILTER}": (len(config.resample_filter), len(config.resample_filter))}
