"""A StyleGAN2 that is already in memory, as NVIDIA's code builds it: read by its class name and tensors, never run.

The module stays as it was: its tensors are shared, none of its methods is called, no hook is added.
"""

from typing import Any

import torch
from torch import Tensor, nn

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2 import infer_config
from draggan_widget.errors import CheckpointError
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.stylegan2.generator import Network, StyleGAN2

CLASS_NAME = "Generator"
PARTS = ("mapping", "synthesis")
WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}
STYLEGAN3 = "synthesis.input.transform"


class LiveStyleGAN2(StyleGAN2):
    """A StyleGAN2 over the tensors of somebody's module."""

    def __init__(self, network: Network, module: nn.Module):
        """Wrap a network that shares the module's tensors."""
        super().__init__(network, f"live {CLASS_NAME}")
        self.module = module

    def refreshed(self) -> Generator:
        """The module read again: what was copied (other dtype or device) or replaced is taken anew."""
        return from_module(self.module, self.device).with_half_pictures(self.picture_dtype is not None)


def from_module(module: nn.Module, device: torch.device | None = None) -> LiveStyleGAN2:
    """The generator over a live module's tensors.

    Args:
        module: NVIDIA's StyleGAN2 `Generator`, in any mode, also wrapped by DataParallel or torch.compile. float32
            tensors on the wanted device are shared; others are copied.
        device: None: where the module is.

    Raises:
        CheckpointError: it is another network.
    """
    inner = _unwrapped(module)
    held = [*inner.named_parameters(), *inner.named_buffers()]
    tensors = {name: _plain(tensor.detach()) for name, tensor in held}
    what = f"the {type(inner).__name__} module"
    if STYLEGAN3 in tensors:
        raise CheckpointError(f"{what} is a StyleGAN3; expected a StyleGAN2; StyleGAN3 is not read by this version")
    children = dict(inner.named_children())
    if type(inner).__name__ != CLASS_NAME or not all(part in children for part in PARTS):
        raise CheckpointError(
            f"{what} has the parts {', '.join(children) or 'none'}; expected NVIDIA's StyleGAN2 Generator with mapping "
            "and synthesis; pass G itself (not the discriminator or one part of it) or a checkpoint file"
        )
    if any(tensor.is_meta for tensor in tensors.values()):
        raise CheckpointError(f"{what} has tensors on 'meta', without values; load its weights first")
    config = infer_config.config_of(tensors, _init_kwargs(inner), _attributes(inner), what)
    checkpoint = Checkpoint(infer_config.FAMILY, config, tensors, {})
    target = tensors["mapping.w_avg"].device if device is None else device
    return LiveStyleGAN2(StyleGAN2.from_checkpoint(checkpoint, what, target).network, module)


def _plain(tensor: Tensor) -> Tensor:
    """A copy of a tensor made in inference mode: autograd may not keep it for a gradient."""
    with torch.inference_mode(False):
        return tensor.clone() if tensor.is_inference() else tensor


def _unwrapped(module: nn.Module) -> nn.Module:
    while type(module).__name__ in WRAPPERS:
        module = getattr(module, WRAPPERS[type(module).__name__])
    return module


def _init_kwargs(module: nn.Module) -> dict[str, Any]:
    """What NVIDIA's persistence wrote down of the module's construction."""
    found = vars(module).get("_init_kwargs", {})
    return dict(found) if isinstance(found, dict) else {}


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {
        f"{path}.{name}": vars(part)[name]
        for path, part in module.named_modules()
        for name in infer_config.ATTRIBUTES
        if name in vars(part)
    }
