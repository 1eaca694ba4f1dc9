"""Every constant of a drag, once, with its unit and source.

Lengths are in px of the generator's own picture; `DragConfig.for_generator` scales the values published for 512 px.
"""

import dataclasses
import difflib
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from draggan_widget.errors import CheckpointError, ConfigError
from draggan_widget.generators.generator import Generator

PRESETS = ("default", "paper", "official")
LATENT_SPACES = ("W", "W+")


@dataclass(frozen=True)
class DragConfig:
    """Settings of one drag.

    Lengths are image px. The defaults of the class are for a 512-px picture; for any other generator begin with
    `DragConfig.for_generator`. "Ours" marks a setting that neither the paper nor the official code has.

    Attributes:
        preset: name of the preset that these values started from.
        latent_space: "W" adds one vector to every drag row; "W+" adds a vector of its own to each.
        block: block whose feature map is supervised, counted from 0, the smallest; official: the 6th, 128 x 128.
        learning_rate: learning rate of Adam; Pan et al. 2023, section 3.3.
        supervision_radius: radius r1 of the supervised disc, image px; official round(3/512 S).
        tracking_radius: half side r2 of the tracker's search square, image px; official round(12/512 S).
        step_length: length of the supervised shift d_i, image px; Pan et al. 2023, eq. 1: a unit vector.
        mask_weight: weight lambda of the mask loss; Pan et al. 2023, eq. 1.
        stop_distance: distance from the target within which a point has arrived, image px; official max(2/512 S, 2).
        max_steps: largest number of steps; the cap of the paper's face experiments.
        confidence_gate: largest e_i without template supervision; None: no template supervision. Ours.
        gate_rate: factor on the learning rate while any point is gated. Ours.
        motion_norm: "mean" over disc and channels (official) or "sum" (Pan et al. 2023, eq. 1).
        tracking_norm: "L2" (official) or "L1" (Pan et al. 2023, eq. 2).
        mean_removal: share of the mean feature map that tracking subtracts. Ours; docs/accuracy.md.
        disc: "exact" takes whole px around the handle; "official" takes px of the grid linspace(0, S, S).
        mask_norm: "fixed" is the mean over the fixed px (ours); "mean" (official) and "sum" (paper) are over all px.
        rest_distance: distance from the target within which a point is not supervised, image px; official 1; None:
            stop_distance.
        crowded_stop_distance: stop_distance for more than 5 points, image px; paper 2; None: stop_distance.
        retake_references: whether all references are taken anew when the number of points changes; official.
        stall_steps: number of steps without progress that ends a drag. Ours.
        stall_distance: px of the picture that count as progress of a point within stall_steps. Ours.
        lost_factor: a point is lost where e_i is over this many times its early median. Ours.
        lost_error: and e_i is over this, too (1: nothing of the reference is left). Ours.
        lost_baseline: number of first steps that the median is of. Ours.
        lost_steps: number of steps in a row for which both must hold. Ours.

    Examples:
        >>> from draggan_widget import DragConfig, load_generator
        >>> DragConfig.for_generator(load_generator("heads")).replace(max_steps=50).max_steps
        50
    """

    preset: str = "default"
    latent_space: str = "W"
    block: int = 5
    learning_rate: float = 2e-3
    supervision_radius: float = 3.0
    tracking_radius: int = 12
    step_length: float = 1.0
    mask_weight: float = 20.0
    stop_distance: float = 2.0
    max_steps: int = 300
    confidence_gate: float | None = None
    gate_rate: float = 0.5
    motion_norm: str = "mean"
    tracking_norm: str = "L2"
    mean_removal: float = 0.0
    disc: str = "exact"
    mask_norm: str = "fixed"
    rest_distance: float | None = None
    crowded_stop_distance: float | None = None
    retake_references: bool = False
    stall_steps: int = 30
    stall_distance: float = 0.5
    lost_factor: float = 3.0
    lost_error: float = 0.8
    lost_baseline: int = 10
    lost_steps: int = 5

    def __post_init__(self) -> None:
        _check_types(self)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(allowed)}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} is {value}; expected {low} to {high}")

    @classmethod
    def for_generator(cls, generator: Generator, preset: str = "default") -> "DragConfig":
        """The settings of a preset, with lengths for the size of this generator's picture.

        Args:
            generator: the generator to drag.
            preset: "default" also takes the generator's own drag defaults. "paper" and "official" are faithful: they
                take only its latent space and the rows that a drag may move.

        Raises:
            ConfigError: there is no such preset.
            CheckpointError: the generator's drag defaults are not settings of a drag.
        """
        if preset not in PRESETS:
            raise ConfigError(f"preset is {preset!r}; expected one of {', '.join(PRESETS)}")
        own = cls(preset=preset, latent_space=generator.latent_spaces[0])
        if preset == "default":
            return _add_drag_defaults(_scale_default(own, generator), generator)
        return _faithful_preset(own, generator)

    def stop_distance_for(self, points: int) -> float:
        """The largest distance, in image px, at which a handle has arrived, given the number of points."""
        crowded = points > 5 and self.crowded_stop_distance is not None
        return self.crowded_stop_distance if crowded else self.stop_distance  # pyright: ignore[reportReturnType]

    def rests(self, distance: float) -> bool:
        """Whether a point at this distance from its target (image px) is left without motion supervision."""
        if self.rest_distance is None:
            return distance <= self.stop_distance
        return distance < self.rest_distance

    @property
    def loses_points(self) -> bool:
        """Whether a drag may end as lost; with the faithful presets, it never does."""
        return self.lost_factor < NEVER

    def replace(self, **changes: object) -> "DragConfig":
        """The same settings with some of them changed.

        Raises:
            ConfigError: a name is unknown, or a value has a wrong type or is out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise ConfigError(f"DragConfig has no setting {name!r}; {hint}")
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]


LENGTHS = ("supervision_radius", "tracking_radius", "stop_distance")  # the settings that the picture's size scales


def _scale_default(own: DragConfig, generator: Generator) -> DragConfig:
    side = generator.resolution
    return own.replace(
        block=default_block(generator),
        supervision_radius=max(2.0, 3 / 512 * side),
        tracking_radius=max(4, round(12 / 512 * side)),
        stop_distance=max(1.0, 2 / 512 * side),
    )


def _add_drag_defaults(config: DragConfig, generator: Generator) -> DragConfig:
    try:
        return config.replace(**generator.drag_defaults)
    except ConfigError as error:
        raise CheckpointError(
            f"the drag defaults of {generator.name} do not fit: {error}; expected settings of DragConfig; convert or "
            "fetch the checkpoint again, or update draggan-widget"
        ) from error


NEVER = 1_000_000  # steps of a cap or a stall, and factor of a loss, that no drag reaches


def _faithful_preset(own: DragConfig, generator: Generator) -> DragConfig:
    side, block = generator.resolution, 5
    if block >= generator.num_blocks:
        block = default_block(generator)
        warnings.warn(
            f"preset {own.preset!r} supervises block 5, which {generator.name} lacks; it takes block {block}",
            stacklevel=3,
        )
    both = own.replace(
        block=block,
        supervision_radius=float(max(1, round(3 / 512 * side))),
        tracking_radius=round(12 / 512 * side),
        stall_steps=NEVER,
        lost_factor=1e9,  # over NEVER: no point counts as lost
    )
    if own.preset == "paper":
        return both.replace(
            motion_norm="sum",
            tracking_norm="L1",
            mask_norm="sum",
            learning_rate=2e-3,
            stop_distance=1.0,
            crowded_stop_distance=2.0,
            rest_distance=0.0,
        )
    return both.replace(
        disc="official",
        mask_norm="mean",
        learning_rate=1e-3,
        stop_distance=max(2.0, 2 / 512 * side),
        rest_distance=1.0,
        max_steps=NEVER,
        retake_references=True,
    )


_CHOICES: dict[str, tuple[str, ...]] = {
    "preset": PRESETS,
    "latent_space": LATENT_SPACES,
    "motion_norm": ("mean", "sum"),
    "tracking_norm": ("L2", "L1"),
    "disc": ("exact", "official"),
    "mask_norm": ("fixed", "mean", "sum"),
}
_RANGES: dict[str, tuple[float, float]] = {
    "block": (0, 16),
    "learning_rate": (0.0, 10.0),
    "supervision_radius": (0.5, 256.0),
    "tracking_radius": (0, 512),
    "step_length": (0.01, 64.0),
    "mask_weight": (0.0, 1e6),
    "stop_distance": (0.0, 1e6),
    "max_steps": (0, 1_000_000),
    "rest_distance": (0.0, 1e6),
    "crowded_stop_distance": (0.0, 1e6),
    "mean_removal": (0.0, 1.0),
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
        value, expected = python_scalar(getattr(config, field.name)), field.type
        object.__setattr__(config, field.name, value)
        if expected is float or expected == float | None:
            fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
            fits = fits or (value is None and expected == float | None)
        else:
            fits = isinstance(value, expected) and isinstance(value, bool) == (expected is bool)  # pyright: ignore[reportArgumentType]
        if not fits:
            kind = expected.__name__ if isinstance(expected, type) else str(expected)
            raise ConfigError(f"{field.name} is {value!r}; expected {kind}")


def python_scalar(value: Any) -> Any:
    """A NumPy scalar as Python's int, float or bool; anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def default_block(generator: Generator) -> int:
    """The block whose map is 128 px wide; for pictures below 256 px, half as wide as the picture."""
    side = 128 if generator.resolution >= 256 else generator.resolution // 2
    for block in range(generator.num_blocks):
        if max(generator.block_size(block)) >= side:
            return block
    return generator.num_blocks - 1


REMEDY = "leave config out, or make it DragConfig.for_generator(generator).replace(...)"
_told: set[str] = set()  # the warnings of `checked_config` that were given in this process


def checked_config(config: DragConfig, generator: Generator) -> DragConfig:
    """Check settings for a generator, and return them unchanged.

    Settings of preset "default" that were not made for the generator cause a warning, once in a process: with lengths
    for another size of picture, handles end further from their targets, and no error says so.

    Raises:
        ConfigError: config is not a `DragConfig`, or the generator has no such block.
    """
    if not isinstance(config, DragConfig):
        raise ConfigError(f"config is of type {type(config).__name__}; expected a DragConfig; {REMEDY}")
    try:
        generator.block_size(config.block)
    except ConfigError as error:
        raise ConfigError(f"{error}; {REMEDY}") from None
    unsuited = _unsuited_settings(config, generator)
    if unsuited:
        height, width = generator.image_size
        found = ", ".join(f"{name} is {getattr(config, name)}" for name in unsuited)
        words = (
            f"{found}; expected {', '.join(map(str, unsuited.values()))} for the {width} x {height} px of "
            f"{generator.name}; {REMEDY}"
        )
        if words not in _told:
            _told.add(words)
            warnings.warn(words, stacklevel=_find_stack_level())
    return config


def _unsuited_settings(config: DragConfig, generator: Generator) -> dict[str, Any]:
    """The block and the lengths that do not fit this generator, with the values of `for_generator`.

    The result is empty where a length has the value of `for_generator`: then the settings were made for the generator,
    and changed on purpose. Where `for_generator` keeps the class's lengths, any other of its settings says the same.
    """
    if config.preset != "default":
        return {}
    given, fitting, bare = (dict(vars(each)) for each in (config, DragConfig.for_generator(generator), DragConfig()))
    special = [name for name in fitting if fitting[name] != bare[name]]
    lengths = [name for name in special if name in LENGTHS]
    if any(given[name] == fitting[name] for name in lengths or LENGTHS):
        is_bare = all(given[name] == bare[name] for name in special)
        if lengths or not special or not is_bare:
            return {}
    return {name: fitting[name] for name in ("block", *LENGTHS) if given[name] != fitting[name]}


def _find_stack_level() -> int:
    """The `stacklevel` of the first caller outside the package, so that a warning shows the user's line."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("draggan_widget."):
        frame, level = frame.f_back, level + 1
    return level
