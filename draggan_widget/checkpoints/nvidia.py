"""NVIDIA's PyTorch ``.pkl``: a persistent object -> tensors by name, still as places in the file.

Source: the layout of StyleGAN2-ADA's and StyleGAN3's ``.pkl`` files: a dict of G, D and G_ema, each a module's state.

Differs from NVIDIA's loader: 1. no class is made and no source run: a module is its ``_parameters``, ``_buffers`` and
``_modules``, followed to a bounded depth; 2. other families are recognised by their tensors' names and refused.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from draggan_widget.checkpoints.stylegan2.infer_config import ATTRIBUTES
from draggan_widget.checkpoints.unpickling.byte_source import Source, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import Record, StoredTensor

DEEPEST = 8  # modules within modules; a StyleGAN2 has 4
MOST_NAMES = 20_000  # of modules and tensors; a StyleGAN2 of 1024 px has 400
LONGEST_NAME = 80
OTHERS = (
    (r"synthesis\.(L\d+_\d+_\d+|input)\.", "StyleGAN3"),
    (r"(style\.\d+\.weight|to_rgbs\.\d+\.|convs\.\d+\.conv\.)", "rosinality's StyleGAN2"),
)
LATER = "use a StyleGAN2 of NVIDIA's PyTorch repositories for now"
NETWORKS = ("G_ema", "G", "D")
KEYS = ("G_ema", "G", "g_ema", "state_dict", "generator")  # where a single network may lie
LONGEST_KEY = 200
WRAPPED = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


@dataclass(frozen=True)
class StoredNetwork:
    """A network in a file: its tensors' places and what the file says beside them.

    Args:
        format: what wrote the file.
        tensors: name -> place.
        class_name: the module's class, "" when not known.
        init_kwargs: what the module was constructed with.
        attributes: module attributes by dotted path, those of ``stylegan2.ATTRIBUTES``.
        config: what a file of somebody's own says in so many words.
    """

    format: str
    tensors: dict[str, StoredTensor]
    class_name: str = ""
    init_kwargs: dict[Any, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    config: dict[Any, Any] = field(default_factory=dict)


def of_record(record: Record, source: Source) -> StoredNetwork:
    """The network that a persistent object is.

    Raises:
        CheckpointError: it is no module, nests too deep, or belongs to a family that is not read.
    """
    tensors: dict[str, StoredTensor] = {}
    attributes: dict[str, Any] = {}
    for prefix, module, names in _modules(record, source):
        for name, tensor in names:
            if type(tensor) is not StoredTensor:
                raise source.refuse(f"{prefix}{name} is {brief(tensor)}", "a tensor")
            tensors[f"{prefix}{name}"] = tensor
        attributes |= {f"{prefix}{key}": module.state[key] for key in ATTRIBUTES if key in module.state}
    refuse_others(tensors, source)
    kwargs = record.state.get("_init_kwargs")
    plain = kwargs if type(kwargs) is dict else {}
    return StoredNetwork("NVIDIA PyTorch pickle", tensors, record.class_name, plain, attributes)


def refuse_others(names: Mapping[Any, object], source: Source) -> None:
    """Name a family that is not read, going by its tensors' names.

    Raises:
        CheckpointError: the names are those of StyleGAN3 or of rosinality's StyleGAN2.
    """
    for pattern, family in OTHERS:
        if any(type(key) is str and re.match(pattern, key) for key in names):
            raise source.refuse(f"holds {family}, which is not read yet", "StyleGAN2", LATER)


def _modules(record: Record, source: Source) -> Iterator[tuple[str, Record, list[tuple[str, object]]]]:
    """Every module with its dotted prefix and its tensors; bounded, since modules may hold each other many times."""
    waiting, left = [("", record, 0)], MOST_NAMES
    while waiting:
        prefix, module, depth = waiting.pop()
        children = _named(module, "_modules", source)
        tensors = _named(module, "_parameters", source) + _named(module, "_buffers", source)
        left -= 1 + len(children) + len(tensors)
        if left < 0 or depth > DEEPEST:
            raise source.refuse(
                f"has over {MOST_NAMES} modules and tensors, or modules {depth} deep", "a StyleGAN2's, which are few"
            )
        yield prefix, module, tensors
        for name, child in children:
            if type(child) is not Record:
                raise source.refuse(f"module {prefix}{name} is {brief(child)}", "a persistent object")
            waiting.append((f"{prefix}{name}.", child, depth + 1))


def _named(module: Record, kind: str, source: Source) -> list[tuple[str, object]]:
    found = module.state.get(kind)
    if type(found) is not dict or len(found) > MOST_NAMES:
        raise source.refuse(f"class {brief(module.class_name)} has {kind} that are {brief(found)}", "a dict of them")
    for name in found:
        if type(name) is not str or "." in name or not 0 < len(name) <= LONGEST_NAME:
            raise source.refuse(f"class {brief(module.class_name)} has {kind} named {brief(name)}", "short plain names")
    return [(name, value) for name, value in found.items() if value is not None]


def find_network(value: object, network: str, source: Source) -> StoredNetwork:
    """The network of that name.

    Raises:
        CheckpointError: there is none, or it is of a family that is not read.
    """
    if type(value) is Record:
        return of_record(value, source)
    if type(value) is not dict:
        raise source.refuse(f"holds {brief(value)}", "a dict of networks or of tensors", LATER)
    found = value.get(network)
    if type(found) is Record:
        return of_record(found, source)
    if any(type(item) is Record for item in value.values()):
        raise source.refuse(f"holds {_listed(value)}", f"a network {network!r}", "ask for one that is there")
    if type(value.get("g_ema")) is dict:
        refuse_others(value["g_ema"], source)
    if network == "D":
        raise source.refuse(f"holds {_listed(value)}", "a pickled discriminator 'D'", "read it from NVIDIA's .pkl")
    return _of_state(value, network, source)


def _of_state(value: dict[Any, Any], network: str, source: Source) -> StoredNetwork:
    """The state dict in a dict, or the dict itself."""
    held = [key for key in (network, *KEYS) if type(value.get(key)) is dict]
    state = value[held[0]] if held else value
    refuse_others(state, source)
    if not state or len(state) > MOST_NAMES or type(next(iter(state.values()))) is not StoredTensor:
        raise source.refuse(f"holds {_listed(state)}", f"a StyleGAN2's tensors by name, or {network!r}", LATER)
    tensors = _tensors(state, source)
    kwargs, config = (_beside(value, key) if held else {} for key in ("init_kwargs", "config"))
    return StoredNetwork("PyTorch state dict", tensors, init_kwargs=kwargs, config=config)


def _tensors(state: dict[Any, Any], source: Source) -> dict[str, StoredTensor]:
    for key, tensor in state.items():
        if type(key) is not str or len(key) > LONGEST_KEY or type(tensor) is not StoredTensor:
            raise source.refuse(f"{brief(key)} is {brief(tensor)}", "names and tensors only", "save its state_dict()")
    cut = next((prefix for prefix in WRAPPED if all(key.startswith(prefix) for key in state)), "")
    return {key.removeprefix(cut): tensor for key, tensor in state.items()}


def _beside(value: dict[Any, Any], key: str) -> dict[Any, Any]:
    found = value.get(key)
    return found if type(found) is dict else {}


def _listed(value: Mapping[Any, object]) -> str:
    names = [brief(key) for key, _ in zip(value, range(6), strict=False)]
    return f"{', '.join(names) or 'nothing'}{' and more' if len(value) > len(names) else ''}"
