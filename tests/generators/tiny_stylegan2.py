"""StyleGAN2 generators with few channels and random weights; names and shapes are written out here, as an oracle."""

from typing import Any

import torch
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config

TINY = StyleGAN2Config(channels=(8, 8, 6, 4), z_dim=8, w_dim=8, mapping_layers=2)  # 32 px


def filter_of(taps: tuple[float, ...]) -> Tensor:
    """The two-dimensional filter whose sum is 1."""
    line = torch.tensor(taps, dtype=torch.float32)
    return torch.outer(line, line) / line.sum() ** 2


class _Maker:
    """Draws tensors in order, each layer's output about as large as its input, styles around 1."""

    def __init__(self, config: StyleGAN2Config, seed: int):
        self.config = config
        self.source = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}

    def draw(self, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        self.tensors[name] = mean + scale * torch.randn(shape, generator=self.source)

    def mapping(self) -> None:
        config = self.config
        widths = [config.z_dim] + [config.mapping_features or config.w_dim] * (config.mapping_layers - 1)
        if config.c_dim:
            width = config.embed_features or config.w_dim
            self.draw("mapping.embed.weight", width, config.c_dim)
            self.draw("mapping.embed.bias", width, scale=0.1)
            widths[0] += width
        widths.append(config.w_dim)
        for layer in range(config.mapping_layers):
            scale = 1 / config.mapping_lr_multiplier
            self.draw(f"mapping.fc{layer}.weight", widths[layer + 1], widths[layer], scale=scale)
            self.draw(f"mapping.fc{layer}.bias", widths[layer + 1], scale=0.1 * scale)
        self.draw("mapping.w_avg", config.w_dim, scale=0.3)

    def affine(self, name: str, channels: int) -> None:
        self.draw(f"{name}.affine.weight", channels, self.config.w_dim, scale=0.5)
        self.draw(f"{name}.affine.bias", channels, scale=0.1, mean=1.0)

    def filter(self, name: str) -> None:
        self.tensors[f"{name}.resample_filter"] = filter_of(self.config.resample_filter)

    def conv(self, name: str, before: int, after: int, size: tuple[int, int]) -> None:
        self.draw(f"{name}.weight", after, before, 3, 3)
        self.draw(f"{name}.bias", after, scale=0.1)
        self.affine(name, before)
        self.filter(name)
        if self.config.use_noise:
            self.draw(f"{name}.noise_const", *size)
            self.draw(f"{name}.noise_strength", scale=0.1, mean=0.2)

    def block(self, index: int) -> None:
        config = self.config
        name, channels = f"synthesis.b{4 * 2**index}", config.channels[index]
        size = (config.start_size[0] * 2**index, config.start_size[1] * 2**index)
        self.filter(name)
        if index == 0:
            self.draw(f"{name}.const", channels, *size)
        else:
            before = config.channels[index - 1]
            self.conv(f"{name}.conv0", before, channels, size)
            if config.architecture == "resnet":
                self.draw(f"{name}.skip.weight", channels, before, 1, 1)
                self.filter(f"{name}.skip")
        self.conv(f"{name}.conv1", channels, channels, size)
        if config.architecture == "skip" or index == len(config.channels) - 1:
            self.draw(f"{name}.torgb.weight", config.img_channels, channels, 1, 1)
            self.draw(f"{name}.torgb.bias", config.img_channels, scale=0.1)
            self.affine(f"{name}.torgb", channels)


def random_tensors(config: StyleGAN2Config, seed: int = 0) -> dict[str, Tensor]:
    """Every tensor of such a generator by its state-dict name, float32."""
    maker = _Maker(config, seed)
    maker.mapping()
    for index in range(len(config.channels)):
        maker.block(index)
    return maker.tensors


def tiny_checkpoint(config: StyleGAN2Config = TINY, seed: int = 0) -> Checkpoint:
    """A checkpoint as a reader returns it."""
    return Checkpoint("stylegan2", config.to_dict(), random_tensors(config, seed), {"licence": "none"})


def plain_config(**changes: Any) -> StyleGAN2Config:
    """The tiny configuration with some changes."""
    return StyleGAN2Config.from_dict({**TINY.to_dict(), **changes})
