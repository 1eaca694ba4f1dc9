"""The layers of StyleGAN2 (Karras et al. 2020, section 2 and appendix B), for one latent at a time.

Each computes a whole map or equal windows of it, one a sample of the batch.

Modulation multiplies the weights of a convolution by a style, one factor an input channel; demodulation divides them by
their norm, one factor an output channel. Differs from the paper: 1. the weights stay as they are: the factors go to the
maps before and after the convolution instead, so that no gradient of weights is ever formed; 2. large maps made without
a graph take the factors in their weights, which is then less work; 3. a gain behind the activation is moved in front;
4. what follows from the weights alone is made once (`Frozen`).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.fixed_weight_conv import SLOPE, Convolution, Frozen
from draggan_widget.generators.stylegan2.resample import arranged, filter_of, upsample, upsampled_conv
from draggan_widget.geometry import Window

GAIN = 2**0.5  # keeps the mean square of a leaky ReLU's output near its input's
EPSILON = 1e-8  # in demodulation
FOLD_ABOVE = 128 * 128  # px of a whole map above which the weights take the factors; measured on a CPU


class Dense(nn.Module):
    """A fully connected layer with equalised learning rate: stored weights have unit variance."""

    def __init__(self, width_in: int, width_out: int, multiplier: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in))
        self.bias = nn.Parameter(torch.empty(width_out))
        self._weight_gain, self._bias_gain = multiplier / width_in**0.5, multiplier

    def forward(self, x: Float[Tensor, "batch width_in"]) -> Float[Tensor, "batch width_out"]:
        """The linear layer."""
        return torch.addmm(self.bias, x, self.weight.t(), beta=self._bias_gain, alpha=self._weight_gain)

    def leaky(self, x: Float[Tensor, "batch width_in"]) -> Float[Tensor, "batch width_out"]:
        """With the activation behind it."""
        alpha, beta = self._weight_gain * GAIN, self._bias_gain * GAIN
        return F.leaky_relu_(torch.addmm(self.bias, x, self.weight.t(), beta=beta, alpha=alpha), SLOPE)


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, perhaps of the doubled map; then noise, bias and leaky ReLU."""

    noise_const: Tensor
    noise_strength: Tensor
    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, block: int, up: bool):
        super().__init__()
        after = config.channels[block]
        before = config.channels[block - 1] if up else after
        self.up, self.clamp = up, config.conv_clamp
        self._pixels = math.prod(config.block_size(block))
        self._kept: tuple[tuple[int, int], Frozen] | None = None
        self.weight = nn.Parameter(torch.empty(after, before, 3, 3))
        self.bias = nn.Parameter(torch.empty(after))
        self.affine = Dense(config.w_dim, before)
        self.register_buffer("resample_filter", filter_of(config.resample_filter))
        if config.use_noise:
            self.register_buffer("noise_const", torch.empty(config.block_size(block)))
            self.noise_strength = nn.Parameter(torch.empty(()))

    def forward(
        self,
        x: Float[Tensor, "parts channels_in _ _"],
        w: Float[Tensor, "1 w_dim"],
        noise: Float[Tensor, "_ _"] | None,
        gain: float = 1.0,
        windows: Sequence[Window] | None = None,
    ) -> Float[Tensor, "parts channels_out _ _"]:
        """One layer, differentiable in `x` and `w`.

        Args:
            x: the map, of half the size in an up-sampling layer; a large one without a graph may be of another dtype
                than the weights, and the result is of that.
            w: this layer's row of ws.
            noise: of the whole map, before its strength; None for none.
            gain: behind the activation.
            windows: of its map to compute, one for each of `x`, which then holds all that they read (`windows.Part`).
        """
        scale, style = gain * GAIN, self.affine(w)[0]
        factors = (self._frozen().squares @ style.square() + EPSILON).rsqrt() * scale
        bias, added = self.bias * scale, self._added(noise, scale, windows)
        if self._pixels > FOLD_ABOVE and not torch.is_grad_enabled():
            x = F.leaky_relu_(self._folded(x, style, factors, bias, windows).add_(added.to(x.dtype)), SLOPE)
        else:
            convolution = Convolution(self._frozen(), 1 if windows is None else 0, self._doubled(windows))
            x = convolution.styled(x, style, factors, bias, added)
        if self.clamp is None:
            return x
        bound = self.clamp * gain
        return x.clamp(-bound, bound) if x.requires_grad else x.clamp_(-bound, bound)

    def _added(self, noise: Tensor | None, scale: float, windows: Sequence[Window] | None) -> Float[Tensor, "..."]:
        """The noise of the map or its windows, times its strength."""
        if noise is None:
            return self.bias.new_zeros(())
        if windows is not None:
            noise = torch.stack([noise[w.rows, w.columns] for w in windows])[:, None]
        return noise * (self.noise_strength * scale)

    def _folded(
        self, x: Tensor, style: Tensor, factors: Tensor, bias: Tensor, windows: Sequence[Window] | None
    ) -> Tensor:
        """The convolution with styles and factors in its weights, and its bias."""
        frozen, x = self._frozen(), arranged(x)
        folded = style[:, None] * factors if self.up else factors[:, None] * style
        weight = (frozen.given * folded[:, :, None, None]).to(x.dtype)
        if self.up:
            return upsampled_conv(x, weight, frozen.kernel.to(x.dtype), bias.to(x.dtype), self._doubled(windows))
        return F.conv2d(x, weight, bias.to(x.dtype), padding=1 if windows is None else 0)

    def _doubled(self, windows: Sequence[Window] | None) -> tuple[int, int] | None:
        """The size of windows computed from frames of the map below."""
        return (windows[0].height, windows[0].width) if self.up and windows is not None else None

    def _frozen(self) -> Frozen:
        """Made on first use, and again when somebody changed the weights."""
        version = 0 if self.weight.is_inference() else self.weight._version  # such a tensor has none
        state = (self.weight.data_ptr(), version)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, Frozen(self.weight.detach(), self.resample_filter, self.up))
        return self._kept[1]

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_kept": None}  # a copy makes its own


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to the picture's channels; neither demodulated nor activated."""

    def __init__(self, config: StyleGAN2Config, block: int):
        super().__init__()
        channels = config.channels[block]
        self.clamp, self._gain = config.conv_clamp, channels**-0.5
        self.weight = nn.Parameter(torch.empty(config.img_channels, channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(config.img_channels))
        self.affine = Dense(config.w_dim, channels)

    def forward(
        self, x: Float[Tensor, "1 channels height width"], w: Float[Tensor, "1 w_dim"]
    ) -> Float[Tensor, "1 colours height width"]:
        """What the block adds to the picture, in the dtype of the weights."""
        style = self.affine(w)[0] * self._gain
        given = (self.bias[:, None].to(x.dtype), (self.weight.flatten(1) * style).to(x.dtype))
        y = torch.addmm(*given, x[0].flatten(1)).view(1, -1, *x.shape[2:]).to(self.weight.dtype)
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class Bypass(nn.Module):
    """The way past a block of the "resnet" architecture: a plain 1 x 1 convolution of the doubled map."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, block: int):
        super().__init__()
        before, after = config.channels[block - 1], config.channels[block]
        self.weight = nn.Parameter(torch.empty(after, before, 1, 1))
        self.register_buffer("resample_filter", filter_of(config.resample_filter))
        self._weight_gain = before**-0.5

    def forward(
        self, x: Float[Tensor, "parts before h w"], gain: float, size: tuple[int, int] | None = None
    ) -> Float[Tensor, "parts after _ _"]:
        """The doubled map times `gain`; up-sampling comes last, where the maps are fewer or as many.

        With `size`, x are frames of windows of that size (`windows.Part`).
        """
        weight, taps = self.weight * (self._weight_gain * gain), self.resample_filter
        return upsample(F.conv2d(x, weight.to(x.dtype)), taps.to(x.dtype), size)
