"""What a StyleGAN2's config holds, and between which bounds: checked before anything is built of a file's claims."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError

MOST_BLOCKS = 11  # 4096 px
MOST_LAYERS = 64
MOST_TAPS = 32
MOST_WIDTH = 2**16
LARGEST_START = 64  # px


def whole(least: int, most: int) -> Callable[[Any], bool]:
    """Whether a value is a whole number between these."""
    return lambda value: type(value) is int and least <= value <= most


def real(value: Any) -> bool:
    """Whether a value is a finite number."""
    return type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)


def _positive(value: Any) -> bool:
    return real(value) and value > 0


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _listed(check: Callable[[Any], bool], least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is list and least <= len(value) <= most and all(map(check, value))


CHECKS: dict[str, Callable[[Any], bool]] = {
    "z_dim": whole(0, MOST_WIDTH),
    "c_dim": whole(0, MOST_WIDTH),
    "w_dim": whole(1, MOST_WIDTH),
    "start_size": _listed(whole(1, LARGEST_START), 2, 2),  # (height, width)
    "channels": _listed(whole(1, MOST_WIDTH), 1, MOST_BLOCKS),  # of each block, from the first upward
    "img_channels": whole(1, 64),
    "architecture": lambda value: type(value) is str and value in ("skip", "resnet", "orig"),
    "mapping_layers": whole(1, MOST_LAYERS),
    "mapping_features": _optional(whole(1, MOST_WIDTH)),  # None: w_dim
    "embed_features": _optional(whole(1, MOST_WIDTH)),  # None: w_dim
    "mapping_lr_multiplier": _positive,
    "activation": lambda value: type(value) is str and value == "lrelu",
    "resample_filter": _listed(real, 1, MOST_TAPS),
    "conv_clamp": _optional(_positive),
    "num_fp16_res": whole(0, 64),
    "use_noise": lambda value: type(value) is bool,
}


def check_config(config: Mapping[str, Any], name: str) -> None:
    """Refuse a config that no generator of ours has.

    Raises:
        CheckpointError: a key is missing or unknown, or its value is beyond its bounds.
    """
    remedy = "convert the model again, or pass its config as it was trained"
    odd = [key for key in CHECKS if key not in config] + [key for key in config if key not in CHECKS]
    if odd:
        raise CheckpointError(
            f"{name}: its config lacks or adds {brief(odd[0])}; expected {', '.join(CHECKS)}; {remedy}"
        )
    for key, check in CHECKS.items():
        if not check(config[key]):
            raise CheckpointError(
                f"{name}: {key} is {brief(config[key])}; expected a value that StyleGAN2 can have; {remedy}"
            )
