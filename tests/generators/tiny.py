"""A MobileStyleGAN of 64 px with random weights."""

import torch

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.mobilestylegan.network import MobileStyleGANConfig, Network

CHANNELS = (16, 16, 8, 8)
WIDTH = 8  # of z and of each row of ws


def tiny_tensors(channels: tuple[int, ...] = CHANNELS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Every weight by name, each layer's output about as large as its input, styles around 1."""
    source = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, empty in Network(MobileStyleGANConfig(channels, WIDTH, WIDTH)).state_dict().items():
        values = torch.randn(empty.shape, generator=source)
        if name.startswith("affine.") and name.endswith("bias"):
            values = 1 + 0.1 * values
        elif name.endswith(("noise", "bias", "w_avg")):
            values = 0.1 * values
        elif values.ndim > 1 and name != "input":
            values = values / values[0].numel() ** 0.5
        tensors[name] = values
    for block, factor in ((2, 2), (3, 1))[: max(len(channels) - 2, 0)]:
        tensors[f"preview.{block}.weight"] = 0.1 * torch.randn(3 * factor**2, channels[block] + 1, generator=source)
    return tensors


def tiny_checkpoint(channels: tuple[int, ...] = CHANNELS) -> Checkpoint:
    config = {"channels": list(channels), "z_dim": WIDTH, "w_dim": WIDTH}
    return Checkpoint("mobilestylegan", config, tiny_tensors(channels), {"licence": "none"})


def tiny_generator(
    channels: tuple[int, ...] = CHANNELS, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> MobileStyleGAN:
    checkpoint = tiny_checkpoint(channels)
    for name, tensor in checkpoint.tensors.items():
        checkpoint.tensors[name] = tensor.to(dtype)
    return MobileStyleGAN.from_checkpoint(checkpoint, "tiny", torch.device(device))


def random_ws(generator: MobileStyleGAN, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Latents whose rows all differ."""
    values = torch.randn(
        batch, generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return values.to(generator.device, generator.dtype)
