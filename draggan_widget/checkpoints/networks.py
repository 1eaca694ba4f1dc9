"""Which network a file holds: in what it unpickled to, the one asked for.

Source: NVIDIA's ``.pkl``, and state dicts as people keep them with ``torch.save``: bare, or under a key, beside a
config.
"""

from collections.abc import Mapping
from typing import Any

from draggan_widget.checkpoints.nvidia import LATER, MOST_NAMES, StoredNetwork, of_record, refuse_others
from draggan_widget.checkpoints.unpickling.byte_source import Source, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import Record, StoredTensor

NETWORKS = ("G_ema", "G", "D")
KEYS = ("G_ema", "G", "g_ema", "state_dict", "generator")  # where a single network may lie
LONGEST_NAME = 200
WRAPPED = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


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
        if type(key) is not str or len(key) > LONGEST_NAME or type(tensor) is not StoredTensor:
            raise source.refuse(f"{brief(key)} is {brief(tensor)}", "names and tensors only", "save its state_dict()")
    cut = next((prefix for prefix in WRAPPED if all(key.startswith(prefix) for key in state)), "")
    return {key.removeprefix(cut): tensor for key, tensor in state.items()}


def _beside(value: dict[Any, Any], key: str) -> dict[Any, Any]:
    found = value.get(key)
    return found if type(found) is dict else {}


def _listed(value: Mapping[Any, object]) -> str:
    names = [brief(key) for key, _ in zip(value, range(6), strict=False)]
    return f"{', '.join(names) or 'nothing'}{' and more' if len(value) > len(names) else ''}"
