"""A StyleGAN2 module that NVIDIA's code has built in memory, recognised by its class name and its tensors.

The module stays as it is: its tensors are shared, none of its methods is called, no hook is added.
"""

from typing import Any

import torch
from torch import nn

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2.infer_config import ATTRIBUTES, FAMILY, infer_config
from draggan_widget.errors import CheckpointError
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.stylegan2.generator import Network, StyleGAN2
from draggan_widget.torch_modes import in_own_modes

CLASS_NAME = "Generator"
PARTS = ("mapping", "synthesis")
WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}
STYLEGAN3 = "synthesis.input.transform"


class LiveStyleGAN2(StyleGAN2):
    """A StyleGAN2 that shares the tensors of a live module.

    Attributes:
        module: the user's module.
    """

    def __init__(self, network: Network, module: nn.Module):
        """Wrap a network that shares the tensors of `module`."""
        super().__init__(network, f"live {CLASS_NAME}")
        self.module = module

    def refreshed(self) -> Generator:
        """The module read again: tensors that were copied (other dtype or device) or replaced are read anew."""
        return from_module(self.module, self.device).with_half_pictures(self.picture_dtype is not None)


@in_own_modes
def from_module(module: nn.Module, device: torch.device | None = None) -> LiveStyleGAN2:
    """The generator that shares a live module's tensors.

    Args:
        module: NVIDIA's StyleGAN2 `Generator`, in training or evaluation mode, also wrapped by DataParallel or
            torch.compile. float32 tensors on `device` are shared; others are copied.
        device: where the generator computes; None for the device of the module.

    Raises:
        CheckpointError: the module is another network.
    """
    inner = _unwrap(module)
    held = [*inner.named_parameters(), *inner.named_buffers()]
    tensors = {name: tensor.detach() for name, tensor in held}
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
    config = infer_config(tensors, _init_kwargs_of(inner), _attributes_of(inner), what)
    checkpoint = Checkpoint(FAMILY, config, tensors, {})
    target = tensors["mapping.w_avg"].device if device is None else device
    return LiveStyleGAN2(StyleGAN2.from_checkpoint(checkpoint, what, target).network, module)


def _unwrap(module: nn.Module) -> nn.Module:
    while type(module).__name__ in WRAPPERS:
        module = getattr(module, WRAPPERS[type(module).__name__])
    return module


def _init_kwargs_of(module: nn.Module) -> dict[str, Any]:
    """The arguments of the module's construction, as NVIDIA's persistence code keeps them."""
    found = vars(module).get("_init_kwargs", {})
    return dict(found) if isinstance(found, dict) else {}


def _attributes_of(module: nn.Module) -> dict[str, Any]:
    return {
        f"{path}.{name}": vars(part)[name]
        for path, part in module.named_modules()
        for name in ATTRIBUTES
        if name in vars(part)
    }
