"""Every constant of a drag, once, with its unit and source.

Lengths are in px of the generator's own picture; `DragConfig.for_generator` scales the published 512-px values.
"""

import dataclasses
import difflib
from dataclasses import dataclass

from draggan_widget.errors import ConfigError
from draggan_widget.generators.generator import Generator

PRESETS = ("default",)
LATENT_SPACES = ("W", "W+")


@dataclass(frozen=True)
class DragConfig:
    """Settings of one drag.

    Lengths are image px and hold for a 512-px picture as they stand here.
    """

    preset: str = "default"  # the name these values started from
    latent_space: str = "W"  # W: one vector added to every drag row; W+: one for each
    block: int = 5  # supervised block, counted from 0 at 4 x 4; official: the 6th, 128 x 128
    learning_rate: float = 2e-3  # Adam; Pan et al. 2023, section 3.3
    supervision_radius: float = 3.0  # r1, image px; official round(3/512 S)
    tracking_radius: int = 12  # r2, image px; official round(12/512 S)
    step_length: float = 1.0  # |d_i|, image px; Pan et al. 2023, eq. 1: a unit vector
    mask_weight: float = 20.0  # lambda; Pan et al. 2023, eq. 1
    stop_distance: float = 2.0  # image px; official max(2/512 S, 2)
    max_steps: int = 300  # cap of the paper's face experiments
    confidence_gate: float | None = None  # e_i above which a point follows its start patch; None: never. Ours
    gate_rate: float = 0.5  # factor on the learning rate while any point is gated. Ours
    stall_steps: int = 30  # steps without progress that end a drag. Ours
    stall_distance: float = 0.5  # image px a point must come nearer in them. Ours
    lost_factor: float = 3.0  # e_i over this many times its early median is lost. Ours
    lost_error: float = 0.8  # and over this much in itself (1: nothing left of the reference). Ours
    lost_baseline: int = 10  # first steps that make the median. Ours
    lost_steps: int = 5  # steps in a row. Ours

    def __post_init__(self) -> None:
        _check_types(self)
        for name, allowed in (("preset", PRESETS), ("latent_space", LATENT_SPACES)):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(allowed)}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} is {value}; expected {low} to {high}")

    @classmethod
    def for_generator(cls, generator: Generator, preset: str = "default") -> "DragConfig":
        """The preset's values for this generator's picture, then the generator's own.

        Raises:
            ConfigError: no such preset.
        """
        side = generator.resolution
        scaled = cls(
            preset=preset,
            latent_space=generator.latent_spaces[0],
            block=default_block(generator),
            supervision_radius=max(2.0, 3 / 512 * side),
            tracking_radius=max(4, round(12 / 512 * side)),
            stop_distance=max(1.0, 2 / 512 * side),
        )
        return scaled.replace(**generator.drag_defaults)

    def replace(self, **changes: object) -> "DragConfig":
        """The same settings with some changed.

        Raises:
            ConfigError: an unknown name, a wrong type or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise ConfigError(f"DragConfig has no setting {name!r}; {hint}")
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]


_RANGES: dict[str, tuple[float, float]] = {
    "block": (0, 16),
    "learning_rate": (0.0, 10.0),
    "supervision_radius": (0.5, 256.0),
    "tracking_radius": (0, 512),
    "step_length": (0.01, 64.0),
    "mask_weight": (0.0, 1e6),
    "stop_distance": (0.0, 1e6),
    "max_steps": (0, 1_000_000),
    "confidence_gate": (0.0, 1e6),
    "gate_rate": (0.0, 1.0),
    "stall_steps": (1, 1_000_000),
    "stall_distance": (0.0, 1e6),
    "lost_factor": (0.0, 1e9),
    "lost_error": (0.0, 1e9),
    "lost_baseline": (1, 1_000_000),
    "lost_steps": (1, 1_000_000),
}


def _check_types(config: DragConfig) -> None:
    for field in dataclasses.fields(config):
        value, expected = getattr(config, field.name), field.type
        if expected is float or expected == float | None:
            fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
            fits = fits or (value is None and expected == float | None)
        else:
            fits = isinstance(value, expected) and not isinstance(value, bool)  # pyright: ignore[reportArgumentType]
        if not fits:
            kind = expected.__name__ if isinstance(expected, type) else str(expected)
            raise ConfigError(f"{field.name} is {value!r}; expected {kind}")


def default_block(generator: Generator) -> int:
    """The 128-px block; below 256 px of picture the block at half the picture's side."""
    side = 128 if generator.resolution >= 256 else generator.resolution // 2
    for block in range(generator.num_blocks):
        if max(generator.block_size(block)) >= side:
            return block
    return generator.num_blocks - 1
