"""A module like the one NVIDIA's code builds: its class name, nesting and tensors. Its forward must not be called."""

from typing import Any

import torch
from generators.tiny_stylegan2 import random_tensors
from torch import nn

from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config

BUFFERS = (".w_avg", ".resample_filter", ".noise_const")


class Part(nn.Module):
    def forward(self, *_: Any) -> None:
        raise AssertionError("a module of the user was run")


class Generator(Part):
    pass


def live_module(config: StyleGAN2Config, seed: int = 0, **init_kwargs: Any) -> Generator:
    module = Generator()
    module._init_kwargs = init_kwargs
    for name, tensor in random_tensors(config, seed).items():
        *path, last = name.split(".")
        part: nn.Module = module
        for step in path:
            if step not in dict(part.named_children()):
                part.add_module(step, Part())
            part = dict(part.named_children())[step]
        if name.endswith(BUFFERS):
            part.register_buffer(last, tensor)
        else:
            part.register_parameter(last, nn.Parameter(tensor))
    return module


def photograph(module: nn.Module) -> dict[str, Any]:
    """The state of a module and of torch that loading the module must not change."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {
        "values": {name: tensor.detach().clone() for name, tensor in tensors.items()},
        "objects": {name: id(tensor) for name, tensor in tensors.items()},
        "grads": {name: None if t.grad is None else t.grad.clone() for name, t in tensors.items()},
        "requires_grad": {name: tensor.requires_grad for name, tensor in tensors.items()},
        "kinds": {name: (tensor.device, tensor.dtype) for name, tensor in tensors.items()},
        "modes": {name: part.training for name, part in module.named_modules()},
        "hooks": {name: (len(p._forward_hooks), len(p._backward_hooks)) for name, p in module.named_modules()},
        "torch": (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
            torch.get_rng_state().tolist(),
        ),
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
