"""Finds the network in an unpickled file: its tensors by name, still as places in the file.

`find_network` takes NVIDIA's PyTorch `.pkl` (a dict of G, D and G_ema, each a persistent object that holds a module's
state) and state dicts as people keep them with `torch.save`: bare, or under a key, beside a config.

Source: the layout of StyleGAN2-ADA's and StyleGAN3's `.pkl` files.

Differs from NVIDIA's loader: 1. no class is made and no source run: a module is its `_parameters`, `_buffers` and
`_modules`, followed to a bounded depth; 2. other families are recognised by their tensors' names and refused.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from draggan_widget.checkpoints.stylegan2.infer_config import ATTRIBUTES
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import PersistentObject, StoredTensor

DEEPEST = 8  # levels of modules; a StyleGAN2 has 4
MOST_NAMES = 20_000  # modules and tensors together; a StyleGAN2 of 1024 px has 400
LONGEST_MEMBER_NAME = 80  # characters in the name of a module or tensor within its module
OTHER_FAMILIES = (  # (pattern of tensor names, family)
    (r"synthesis\.(L\d+_\d+_\d+|input)\.", "StyleGAN3"),
    (r"(style\.\d+\.weight|to_rgbs\.\d+\.|convs\.\d+\.conv\.)", "rosinality's StyleGAN2"),
)
USE_STYLEGAN2 = "use a StyleGAN2 of NVIDIA's PyTorch repositories for now"
NETWORKS = ("G_ema", "G", "D")
SINGLE_NETWORK_KEYS = ("G_ema", "G", "g_ema", "state_dict", "generator")  # a file may keep one network under these
LONGEST_TENSOR_NAME = 200  # characters in a tensor's name in a state dict
WRAPPER_PREFIXES = ("module.", "_orig_mod.")  # DataParallel and torch.compile put these before every name


@dataclass(frozen=True)
class StoredNetwork:
    """A network in a file: its tensors as places, and the settings that the file keeps beside them.

    Attributes:
        format: name of the file's format.
        tensors: tensor name -> place in the file.
        class_name: name of the module's class; "" where it is not known.
        init_kwargs: arguments that the module was constructed with.
        attributes: dotted path -> value of the module attributes that `infer_config.ATTRIBUTES` names.
        config: the config stored beside a state dict; empty where there is none.
    """

    format: str
    tensors: dict[str, StoredTensor]
    class_name: str = ""
    init_kwargs: dict[Any, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    config: dict[Any, Any] = field(default_factory=dict)


def find_network(value: object, network: str, source: ByteSource) -> StoredNetwork:
    """Find the network `network` in an unpickled value.

    Raises:
        CheckpointError: there is no such network, or its family is not read.
    """
    if type(value) is PersistentObject:
        return _network_from_module(value, source)
    if type(value) is not dict:
        raise source.refuse(f"holds {brief(value)}", "a dict of networks or of tensors", USE_STYLEGAN2)
    found = value.get(network)
    if type(found) is PersistentObject:
        return _network_from_module(found, source)
    if any(type(item) is PersistentObject for item in value.values()):
        raise source.refuse(f"holds {_list_keys(value)}", f"a network {network!r}", "ask for one that is there")
    if type(value.get("g_ema")) is dict:
        _refuse_other_families(value["g_ema"], source)
    if network == "D":
        raise source.refuse(f"holds {_list_keys(value)}", "a pickled discriminator 'D'", "read it from NVIDIA's .pkl")
    return _network_from_state_dict(value, network, source)


def _network_from_module(module: PersistentObject, source: ByteSource) -> StoredNetwork:
    """The network in the state of a pickled module.

    Raises:
        CheckpointError: the object is not a module, its modules nest too deep, or its family is not read.
    """
    tensors: dict[str, StoredTensor] = {}
    attributes: dict[str, Any] = {}
    for prefix, part, names in _modules(module, source):
        for name, tensor in names:
            if type(tensor) is not StoredTensor:
                raise source.refuse(f"{prefix}{name} is {brief(tensor)}", "a tensor")
            tensors[f"{prefix}{name}"] = tensor
        attributes |= {f"{prefix}{key}": part.state[key] for key in ATTRIBUTES if key in part.state}
    _refuse_other_families(tensors, source)
    kwargs = module.state.get("_init_kwargs")
    plain = kwargs if type(kwargs) is dict else {}
    return StoredNetwork("NVIDIA PyTorch pickle", tensors, module.class_name, plain, attributes)


def _refuse_other_families(names: Mapping[Any, object], source: ByteSource) -> None:
    """Refuse a family that is not read; its tensors' names tell which it is.

    Raises:
        CheckpointError: the names are those of StyleGAN3 or of rosinality's StyleGAN2.
    """
    for pattern, family in OTHER_FAMILIES:
        if any(type(key) is str and re.match(pattern, key) for key in names):
            raise source.refuse(f"holds {family}, which is not read yet", "StyleGAN2", USE_STYLEGAN2)


def _modules(
    root: PersistentObject, source: ByteSource
) -> Iterator[tuple[str, PersistentObject, list[tuple[str, object]]]]:
    """Yield (dotted prefix, module, its own tensors) for every module."""
    # Bounded, since modules may hold each other many times.
    waiting, left = [("", root, 0)], MOST_NAMES
    while waiting:
        prefix, module, depth = waiting.pop()
        children = _members(module, "_modules", source)
        tensors = _members(module, "_parameters", source) + _members(module, "_buffers", source)
        left -= 1 + len(children) + len(tensors)
        if left < 0 or depth > DEEPEST:
            raise source.refuse(
                f"has over {MOST_NAMES} modules and tensors, or modules {depth} deep", "a StyleGAN2's, which are few"
            )
        yield prefix, module, tensors
        for name, child in children:
            if type(child) is not PersistentObject:
                raise source.refuse(f"module {prefix}{name} is {brief(child)}", "a persistent object")
            waiting.append((f"{prefix}{name}.", child, depth + 1))


def _members(module: PersistentObject, kind: str, source: ByteSource) -> list[tuple[str, object]]:
    found = module.state.get(kind)
    if type(found) is not dict or len(found) > MOST_NAMES:
        raise source.refuse(f"class {brief(module.class_name)} has {kind} that are {brief(found)}", "a dict")
    for name in found:
        if type(name) is not str or "." in name or not 0 < len(name) <= LONGEST_MEMBER_NAME:
            raise source.refuse(f"class {brief(module.class_name)} has {kind} named {brief(name)}", "short plain names")
    return [(name, value) for name, value in found.items() if value is not None]


def _network_from_state_dict(value: dict[Any, Any], network: str, source: ByteSource) -> StoredNetwork:
    """The network whose state dict lies in the dict under a usual key, or is the dict itself."""
    found = [key for key in (network, *SINGLE_NETWORK_KEYS) if type(value.get(key)) is dict]
    state = value[found[0]] if found else value
    _refuse_other_families(state, source)
    if not state or len(state) > MOST_NAMES or type(next(iter(state.values()))) is not StoredTensor:
        raise source.refuse(
            f"holds {_list_keys(state)}", f"a StyleGAN2's tensors by name, or {network!r}", USE_STYLEGAN2
        )
    tensors = _state_dict_tensors(state, source)
    kwargs, config = (_dict_under(value, key) if found else {} for key in ("init_kwargs", "config"))
    return StoredNetwork("PyTorch state dict", tensors, init_kwargs=kwargs, config=config)


def _state_dict_tensors(state: dict[Any, Any], source: ByteSource) -> dict[str, StoredTensor]:
    for key, tensor in state.items():
        if type(key) is not str or len(key) > LONGEST_TENSOR_NAME or type(tensor) is not StoredTensor:
            raise source.refuse(f"{brief(key)} is {brief(tensor)}", "names and tensors only", "save its state_dict()")
    wrapper = next((prefix for prefix in WRAPPER_PREFIXES if all(key.startswith(prefix) for key in state)), "")
    return {key.removeprefix(wrapper): tensor for key, tensor in state.items()}


def _dict_under(value: dict[Any, Any], key: str) -> dict[Any, Any]:
    found = value.get(key)
    return found if type(found) is dict else {}


def _list_keys(value: Mapping[Any, object]) -> str:
    names = [brief(key) for key, _ in zip(value, range(6), strict=False)]
    return f"{', '.join(names) or 'nothing'}{' and more' if len(value) > len(names) else ''}"
