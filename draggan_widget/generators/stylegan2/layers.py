"""The layers of StyleGAN2 (Karras et al. 2020, section 2 and appendix B), for one latent at a time.

A layer computes a whole map, or windows of one size; each window is then one sample of the batch.

Modulation multiplies the weights of a convolution by a style, one factor for each input channel; demodulation divides
them by their norm, one factor for each output channel. Differs from the paper: 1. the weights stay as they are: the
factors multiply the maps before and after the convolution instead, so that no gradient of weights is ever formed;
2. for large maps without a graph the factors multiply the weights, which is less work there; 3. a gain after the
activation is applied before it; 4. values that depend on the weights alone are computed once (`FixedWeights`).

A layer takes the shapes of its tensors from `StyleGAN2Config.tensor_shapes`.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.checkpoints.stylegan2.resample_filter import filter_matrix
from draggan_widget.generators.stylegan2.fixed_weight_conv import Convolution, FixedWeights
from draggan_widget.generators.stylegan2.resample import arranged, upsample, upsampled_conv
from draggan_widget.geometry import Window

GAIN = 2**0.5  # after an activation; keeps the mean square of its output near its input's
EPSILON = 1e-8  # in demodulation
FOLD_ABOVE = 128 * 128  # px of a whole map above which the factors multiply the weights; measured on a CPU


def empty_parameter(config: StyleGAN2Config, name: str) -> nn.Parameter:
    """A parameter of the shape that the tensor of this name has, its values not set."""
    return nn.Parameter(torch.empty(config.tensor_shapes[name], dtype=torch.float32))


class Dense(nn.Module):
    """A fully connected layer with equalised learning rate: stored weights have unit variance."""

    def __init__(self, config: StyleGAN2Config, name: str, multiplier: float = 1.0):
        """Make a layer whose values are not set yet.

        Args:
            config: the numbers of its generator.
            name: the name of its tensors before ".weight" and ".bias".
            multiplier: factor of the stored weights and biases.
        """
        super().__init__()
        self.weight = empty_parameter(config, f"{name}.weight")
        self.bias = empty_parameter(config, f"{name}.bias")
        self._weight_gain, self._bias_gain = multiplier / self.weight.shape[1] ** 0.5, multiplier

    def forward(self, x: Float[Tensor, "batch width_in"]) -> Float[Tensor, "batch width_out"]:
        """The linear layer."""
        return torch.addmm(self.bias, x, self.weight.t(), beta=self._bias_gain, alpha=self._weight_gain)

    def leaky(self, x: Float[Tensor, "batch width_in"], slope: float) -> Float[Tensor, "batch width_out"]:
        """The linear layer followed by the leaky ReLU of that slope."""
        alpha, beta = self._weight_gain * GAIN, self._bias_gain * GAIN
        return F.leaky_relu_(torch.addmm(self.bias, x, self.weight.t(), beta=beta, alpha=alpha), slope)


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, of the doubled map if `up`; then noise, bias and leaky ReLU."""

    noise_const: Tensor
    noise_strength: Tensor
    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, name: str, size: tuple[int, int], up: bool):
        super().__init__()
        self.up, self.clamp, self.slope = up, config.conv_clamp, config.slopes[1]
        self._pixels = math.prod(size)
        self._kept: tuple[tuple[int, int], FixedWeights] | None = None
        self.weight = empty_parameter(config, f"{name}.weight")
        self.bias = empty_parameter(config, f"{name}.bias")
        self.affine = Dense(config, f"{name}.affine")
        self.register_buffer("resample_filter", filter_matrix(config.resample_filter))
        if config.use_noise:
            self.register_buffer("noise_const", empty_parameter(config, f"{name}.noise_const").data)
            self.noise_strength = empty_parameter(config, f"{name}.noise_strength")

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
            x: the map, of half the size in an up-sampling layer. A large map without a graph may have another dtype
                than the weights; the result has the dtype of `x`.
            w: this layer's row of ws.
            noise: noise of the whole map, not yet multiplied by its strength; None for no noise.
            gain: factor after the activation.
            windows: the windows of the map to compute, one for each sample of `x`, which holds all that the window
                reads (`windows.Part`); None for the whole map.
        """
        scale, style = gain * GAIN, self.affine(w)[0]
        factors = (self._fixed().squares @ style.square() + EPSILON).rsqrt() * scale
        bias, added = self.bias * scale, self._added(noise, scale, windows)
        if self._pixels > FOLD_ABOVE and not (x.requires_grad or style.requires_grad):
            x = F.leaky_relu_(self._folded(x, style, factors, bias, windows).add_(added.to(x.dtype)), self.slope)
        else:
            margin = 1 if windows is None else 0
            convolution = Convolution(self._fixed(), margin, self._doubled(windows), self.slope)
            x = convolution.styled(x, style, factors, bias, added)
        if self.clamp is None:
            return x
        bound = self.clamp * gain
        return x.clamp(-bound, bound) if x.requires_grad else x.clamp_(-bound, bound)

    def _added(self, noise: Tensor | None, scale: float, windows: Sequence[Window] | None) -> Float[Tensor, "..."]:
        """The noise of the map or of its windows, times its strength and the scale."""
        if noise is None:
            return self.bias.new_zeros(())
        if windows is not None:
            noise = torch.stack([noise[w.rows, w.columns] for w in windows])[:, None]
        return noise * (self.noise_strength * scale)

    def _folded(
        self, x: Tensor, style: Tensor, factors: Tensor, bias: Tensor, windows: Sequence[Window] | None
    ) -> Tensor:
        """The convolution and its bias, the weights multiplied by styles and factors."""
        fixed, x = self._fixed(), arranged(x)
        folded = style[:, None] * factors if self.up else factors[:, None] * style
        weight = (fixed.conv_weight * folded[:, :, None, None]).to(x.dtype)
        if self.up:
            return upsampled_conv(x, weight, fixed.kernel.to(x.dtype), bias.to(x.dtype), self._doubled(windows))
        return F.conv2d(x, weight, bias.to(x.dtype), padding=1 if windows is None else 0)

    def _doubled(self, windows: Sequence[Window] | None) -> tuple[int, int] | None:
        """(height, width) of the windows, where they are computed from frames of the map below; else None."""
        return (windows[0].height, windows[0].width) if self.up and windows is not None else None

    def _fixed(self) -> FixedWeights:
        """The values that depend on the weights alone; made on first use, and again when the weights were changed."""
        version = 0 if self.weight.is_inference() else self.weight._version  # an inference tensor has no version
        state = (self.weight.data_ptr(), version)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, FixedWeights(self.weight.detach(), self.resample_filter, self.up))
        return self._kept[1]

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_kept": None}  # a copy computes its own values


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to the picture's channels; neither demodulated nor activated."""

    def __init__(self, config: StyleGAN2Config, name: str):
        super().__init__()
        self.weight = empty_parameter(config, f"{name}.weight")
        self.bias = empty_parameter(config, f"{name}.bias")
        self.affine = Dense(config, f"{name}.affine")
        self.clamp, self._gain = config.conv_clamp, self.weight.shape[1] ** -0.5

    def forward(
        self, x: Float[Tensor, "1 channels height width"], w: Float[Tensor, "1 w_dim"]
    ) -> Float[Tensor, "1 colours height width"]:
        """What the block adds to the picture, in the dtype of the weights."""
        style = self.affine(w)[0] * self._gain
        given = (self.bias[:, None].to(x.dtype), (self.weight.flatten(1) * style).to(x.dtype))
        y = torch.addmm(*given, x[0].flatten(1)).view(1, -1, *x.shape[2:]).to(self.weight.dtype)
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class Bypass(nn.Module):
    """The bypass of a block in the "resnet" architecture: a plain 1 x 1 convolution of the doubled map."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, name: str):
        super().__init__()
        self.weight = empty_parameter(config, f"{name}.weight")
        self.register_buffer("resample_filter", filter_matrix(config.resample_filter))
        self._weight_gain = self.weight.shape[1] ** -0.5

    def forward(
        self, x: Float[Tensor, "parts before h w"], gain: float, size: tuple[int, int] | None = None
    ) -> Float[Tensor, "parts after _ _"]:
        """The convolution of the doubled map, times `gain`; up-sampled last, where the channels are as many or fewer.

        With `size`, the samples of `x` are the frames of windows of that size (`windows.Part`).
        """
        weight, taps = self.weight * (self._weight_gain * gain), self.resample_filter
        return upsample(F.conv2d(x, weight.to(x.dtype)), taps.to(x.dtype), size)
