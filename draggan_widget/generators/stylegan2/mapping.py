"""z and a class to w (Karras et al. 2019, section 2; conditional as in StyleGAN2-ADA)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.layers import Dense

EPSILON = 1e-8  # keeps a vector of zeros from division by zero


def normalise(x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
    """The rows scaled to mean square 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()


class MappingNetwork(nn.Module):
    """Leaky layers of the normalised z and, where there are classes, the normalised embedding of the class."""

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.z_dim, self.slope = config.z_dim, config.slopes[0]
        self.embed = Dense(config, "mapping.embed") if config.c_dim else None
        for layer in range(config.mapping_layers):
            self.add_module(f"fc{layer}", Dense(config, f"mapping.fc{layer}", config.mapping_lr_multiplier))
        self.register_buffer("w_avg", torch.zeros(config.tensor_shapes["mapping.w_avg"], dtype=torch.float32))

    def forward(
        self, z: Float[Tensor, "batch z_dim"], c: Float[Tensor, "batch c_dim"] | None
    ) -> Float[Tensor, "batch w_dim"]:
        """w; `c` must be given when there are classes, and is ignored when there are none."""
        inputs = [normalise(z)] if self.z_dim else []
        if self.embed is not None:
            assert c is not None
            inputs.append(normalise(self.embed(c)))
        x = torch.cat(inputs, dim=1)
        for layer in self.children():
            if layer is not self.embed:
                assert isinstance(layer, Dense)
                x = layer.leaky(x, self.slope)
        return x
