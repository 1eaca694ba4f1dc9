"""StyleGAN2 written out plainly from the papers, in NumPy and float64: zeros are inserted, weights are modulated."""

import numpy as np
from torch import Tensor

from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config

Array = np.ndarray


def correlate(x: Array, weight: Array) -> Array:
    """Cross-correlation of (in, h, w) with weights (out, in, k, k), without padding."""
    size = weight.shape[2]
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    out = np.zeros((len(weight), height, width))
    for row in range(size):
        for column in range(size):
            out += np.einsum(
                "oi,ihw->ohw", weight[:, :, row, column], x[:, row : row + height, column : column + width]
            )
    return out


def convolve(x: Array, weight: Array) -> Array:
    """The same with the kernel flipped: a true convolution."""
    return correlate(x, weight[:, :, ::-1, ::-1])


def padded(x: Array, before: int, after: int) -> Array:
    """Zeros around both axes; a negative number cuts."""
    x = np.pad(x, ((0, 0), (max(before, 0), max(after, 0)), (max(before, 0), max(after, 0))))
    return x[:, : x.shape[1] + min(after, 0), : x.shape[2] + min(after, 0)]


def doubled(x: Array, taps: tuple[float, ...], margin: int = 0) -> Array:
    """Zeros between the values, then the filter, times 4; with `margin` rows and columns beyond every edge."""
    channels, height, width = x.shape
    spread = np.zeros((channels, 2 * height, 2 * width))
    spread[:, ::2, ::2] = x
    spread = padded(spread, margin + (len(taps) + 1) // 2, margin + (len(taps) - 2) // 2)
    line = np.asarray(taps, dtype=np.float64) / sum(taps)
    kernel = np.outer(line, line)[None, None]
    return np.stack([convolve(channel[None], 4 * kernel)[0] for channel in spread])


def activated(x: Array, activation: str, gain: float, clamp: float | None) -> Array:
    below = {"lrelu": 0.2 * x, "relu": np.zeros_like(x)}[activation]
    x = np.where(x > 0, x, below) * np.sqrt(2) * gain
    return x if clamp is None else np.clip(x, -clamp * gain, clamp * gain)


class Reference:
    """One generator."""

    def __init__(self, config: StyleGAN2Config, tensors: dict[str, Tensor], noises: list[Array] | None = None):
        """Copy the tensors to double precision.

        Args:
            config: the numbers of the generator.
            tensors: the tensors by name; their filters are not read.
            noises: the noise of every convolution; None for the noise among the tensors, [] for no noise.
        """
        self.config = config
        self.tensors = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        self.noises = noises

    def dense(self, x: Array, name: str, multiplier: float = 1.0) -> Array:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return (weight * multiplier / np.sqrt(weight.shape[1])) @ x + bias * multiplier

    def w(self, z: Array, c: Array | None = None) -> Array:
        def normal(x: Array) -> Array:
            return x / np.sqrt(np.mean(x**2) + 1e-8)

        parts = [normal(z)] if self.config.z_dim else []
        if self.config.c_dim:
            parts.append(normal(self.dense(c, "mapping.embed")))
        x = np.concatenate(parts)
        for layer in range(self.config.mapping_layers):
            x = self.dense(x, f"mapping.fc{layer}", self.config.mapping_lr_multiplier)
            x = activated(x, self.config.mapping_activation or self.config.activation, 1, None)
        return x

    def ws(self, z: Array, psi: float = 1.0, cutoff: int | None = None, c: Array | None = None) -> Array:
        w, mean = self.w(z, c), self.tensors["mapping.w_avg"]
        rows = 2 * len(self.config.channels)
        cutoff = rows if cutoff is None else cutoff
        return np.stack([mean + psi * (w - mean) if row < cutoff else w for row in range(rows)])

    def conv(self, x: Array, name: str, ws: Array, row: int, gain: float = 1.0) -> Array:
        style = self.dense(ws[row], f"{name}.affine")
        weight = self.tensors[f"{name}.weight"] * style[None, :, None, None]
        weight = weight / np.sqrt((weight**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
        if name.endswith("conv0"):
            x = convolve(doubled(x, self.config.resample_filter, margin=1), weight)
        else:
            x = correlate(padded(x, 1, 1), weight)
        if self.noises is None and self.config.use_noise:
            x = x + self.tensors[f"{name}.noise_const"] * self.tensors[f"{name}.noise_strength"]
        elif self.noises:
            x = x + self.noises[row] * self.tensors[f"{name}.noise_strength"]
        x = x + self.tensors[f"{name}.bias"][:, None, None]
        return activated(x, self.config.activation, gain, self.config.conv_clamp)

    def rgb(self, x: Array, name: str, w: Array) -> Array:
        weight = self.tensors[f"{name}.weight"]
        style = self.dense(w, f"{name}.affine") / np.sqrt(weight.shape[1])
        y = correlate(x, weight * style[None, :, None, None]) + self.tensors[f"{name}.bias"][:, None, None]
        clamp = self.config.conv_clamp
        return y if clamp is None else np.clip(y, -clamp, clamp)

    def draw(self, ws: Array) -> tuple[list[Array], list[Array | None]]:
        """Every block's features of one latent, and the picture after every block (None before the first)."""
        x, picture, row = np.zeros(0), None, 0
        features, pictures = [], []
        last = len(self.config.channels) - 1
        for block in range(last + 1):
            name = f"synthesis.b{4 * 2**block}"
            half = np.sqrt(0.5) if self.config.architecture == "resnet" and block else 1.0
            if block == 0:
                x = before = self.tensors[f"{name}.const"]
            else:
                before, x = x, self.conv(x, f"{name}.conv0", ws, row)
                row += 1
            x = self.conv(x, f"{name}.conv1", ws, row, half)
            row += 1
            if self.config.architecture == "resnet" and block:
                weight = self.tensors[f"{name}.skip.weight"]
                wide = doubled(before, self.config.resample_filter)
                x = x + half * correlate(wide, weight / np.sqrt(weight.shape[1]))
            if block == last or self.config.architecture == "skip":
                own = self.rgb(x, f"{name}.torgb", ws[row])
                picture = own if picture is None else own + doubled(picture, self.config.resample_filter)
            features.append(x)
            pictures.append(picture)
        return features, pictures
