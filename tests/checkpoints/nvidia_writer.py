"""Writes files as NVIDIA's PyTorch code does: the same globals, the same nesting, and nothing of theirs imported.

The two foreign modules are stood in for by empty ones while `pickle` writes, since it only names what it finds there.
"""

import collections
import contextlib
import io
import pickle
import re
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MODULE_SRC = "raise SystemExit('module_src was run')\n" * 200
BUFFERS = ("w_avg", "resample_filter", "noise_const")
CLASSES = (
    (r"", "Generator"),
    (r"mapping", "MappingNetwork"),
    (r"synthesis", "SynthesisNetwork"),
    (r"synthesis\.b\d+", "SynthesisBlock"),
    (r"synthesis\.b\d+\.conv\d", "SynthesisLayer"),
    (r"synthesis\.b\d+\.torgb", "ToRGBLayer"),
    (r".*\.skip", "Conv2dLayer"),
    (r".*", "FullyConnectedLayer"),
)


class EasyDict(dict):
    """What `dnnlib.util.EasyDict` is to a pickler: a dict by another name."""

    __module__, __qualname__ = "dnnlib.util", "EasyDict"


def _reconstruct_persistent_obj(meta: Mapping[str, Any]) -> Any:
    """What the reference time is taken with: the meta, and no source run."""
    return meta["state"]


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


class Persistent:
    """An object that pickles as a persistent one."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": MODULE_SRC,
            "class_name": class_name,
            "state": state,
        }

    def __reduce__(self) -> tuple:
        return _reconstruct_persistent_obj, (self.meta,), None


@contextlib.contextmanager
def foreign_modules() -> Iterator[None]:
    """The names that a pickler, or the plain `pickle.load` of the benchmark, wants to find."""
    names = ("dnnlib", "dnnlib.util", "torch_utils", "torch_utils.persistence")
    stubs = {name: types.ModuleType(name) for name in names}
    stubs["dnnlib.util"].EasyDict = EasyDict  # type: ignore[attr-defined]
    stubs["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class _Pickler(pickle.Pickler):
    """With `zipped`, inner storages in the newer layout of torch.save."""

    zipped = False

    def reducer_override(self, value: Any) -> Any:
        if self.zipped and isinstance(value, torch.storage.TypedStorage):
            inner = io.BytesIO()
            torch.save(value, inner)
            return torch.storage._load_from_bytes, (inner.getvalue(),)
        return NotImplemented


def dumps(value: object, protocol: int = 4, zipped: bool = False) -> bytes:
    """The pickle of a value made of the objects above."""
    file = io.BytesIO()
    with foreign_modules():
        pickler = _Pickler(file, protocol)
        pickler.zipped = zipped
        pickler.dump(value)
    return file.getvalue()


def with_nvidia_filters(tensors: Mapping[str, Tensor], taps: Sequence[float]) -> dict[str, Tensor]:
    """The filters as NVIDIA's layers hold them: those of `conv1` are the default's, long ones have one axis."""
    filters = {}
    for name in tensors:
        if name.endswith(".resample_filter"):
            line = torch.tensor([1.0, 3.0, 3.0, 1.0] if name.endswith("conv1.resample_filter") else [*map(float, taps)])
            line = line / line.sum()
            filters[name] = line if len(line) >= 8 else torch.outer(line, line)
    return {**tensors, **filters}


def module(tensors: Mapping[str, Tensor], config: Mapping[str, Any], kwargs: dict, path: str = "") -> Persistent:
    """A persistent module with these tensors, its children made of the names' first parts."""
    state: dict[str, Any] = {"training": False}
    for name in nn.Module().__dict__:
        state.setdefault(name, collections.OrderedDict())
    state |= {"training": False, "_non_persistent_buffers_set": set(), "_is_full_backward_hook": None}
    children: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if rest:
            children.setdefault(first, {})[rest] = tensor
        elif first in BUFFERS:
            state["_buffers"][first] = tensor
        else:
            state["_parameters"][first] = nn.Parameter(tensor, requires_grad=False)
    for first, own in children.items():
        state["_modules"][first] = module(own, config, {}, f"{path}.{first}".strip("."))
    class_name = next(name for pattern, name in CLASSES if re.fullmatch(pattern, path))
    state |= attributes(class_name, path, config)
    state |= {"_init_args": (), "_init_kwargs": EasyDict(kwargs)}
    return Persistent(class_name, state)


def attributes(class_name: str, path: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the modules of that class keep beside their tensors."""
    clamp = {"conv_clamp": config["conv_clamp"]}
    if class_name == "FullyConnectedLayer":
        rate = config["mapping_lr_multiplier"] if path.startswith("mapping.fc") else 1
        linear = "affine" in path or "embed" in path
        activation = "linear" if linear else config.get("mapping_activation") or config.get("activation", "lrelu")
        return {"activation": activation, "weight_gain": 1 / np.sqrt(16), "bias_gain": rate}
    if class_name == "SynthesisBlock":
        index = (int(path.rpartition(".b")[2]) // 4).bit_length() - 1
        half = index >= len(config["channels"]) - config["num_fp16_res"]
        return {"architecture": config["architecture"], "use_fp16": half, "w_dim": config["w_dim"]}
    if class_name == "SynthesisLayer":
        own = {"use_noise": config["use_noise"], "activation": config["activation"], "up": 1, "act_gain": np.sqrt(2)}
        return own | clamp
    return clamp if class_name in ("ToRGBLayer", "Conv2dLayer") else {}


def init_kwargs(config: Mapping[str, Any], flat: bool = False) -> dict[str, Any]:
    """The arguments of a Generator: those of the synthesis apart, as in StyleGAN2-ADA, or flat, as in StyleGAN3's."""
    synthesis = {
        "channel_base": 16384,
        "channel_max": 512,
        "num_fp16_res": config["num_fp16_res"],
        "conv_clamp": config["conv_clamp"],
        "architecture": config["architecture"],
        "resample_filter": [*config["resample_filter"]],
    }
    sizes = {key: config[key] for key in ("z_dim", "c_dim", "w_dim", "img_channels")}
    sizes |= {"img_resolution": config["start_size"][0] << len(config["channels"]) - 1}
    mapping = EasyDict(num_layers=config["mapping_layers"])
    return sizes | {"mapping_kwargs": mapping} | (synthesis if flat else {"synthesis_kwargs": EasyDict(synthesis)})


def generator(config: Mapping[str, Any], tensors: Mapping[str, Tensor], flat: bool = False) -> Persistent:
    """A persistent Generator."""
    return module(tensors, config, init_kwargs(config, flat))


def discriminator(seed: int = 7) -> tuple[Persistent, dict[str, Tensor]]:
    """A small persistent Discriminator and its tensors."""
    source = torch.Generator().manual_seed(seed)
    shapes = {
        "b8.resample_filter": (4, 4),
        "b8.fromrgb.weight": (4, 3, 1, 1),
        "b8.conv0.weight": (4, 4, 3, 3),
        "b8.skip.weight": (6, 4, 1, 1),
        "b4.conv.weight": (6, 7, 3, 3),
        "b4.fc.weight": (6, 96),
        "b4.out.weight": (1, 6),
        "b4.out.bias": (1,),
    }
    tensors = {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}
    plain = {"conv_clamp": 256, "mapping_lr_multiplier": 1}
    kwargs = {"c_dim": 0, "img_resolution": 8, "epilogue_kwargs": EasyDict(mbstd_group_size=4)}
    made = module(tensors, plain, kwargs)
    made.meta["class_name"] = "Discriminator"
    return made, tensors


def snapshot(config: Mapping[str, Any], ema: Mapping[str, Tensor], raw: Mapping[str, Tensor] | None = None) -> dict:
    """Everything a training snapshot holds."""
    pipe = Persistent("AugmentPipe", {"_parameters": {}, "_buffers": {"p": torch.ones(())}, "_modules": {}, "xflip": 1})
    return {
        "training_set_kwargs": EasyDict(class_name="training.dataset.ImageFolderDataset", path="/data.zip", max_size=7),
        "G": generator(config, ema if raw is None else raw),
        "D": discriminator()[0],
        "G_ema": generator(config, ema),
        "augment_pipe": pipe,
    }
