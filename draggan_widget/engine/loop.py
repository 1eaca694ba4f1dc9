"""The drag (Pan et al. 2023, section 3.2): synthesise, track, yield, supervise, step.

Differs from the official engine: 1. the optimised leaf is the difference to the start latent, so that the rows of the
start latent may differ; 2. it stops by itself; 3. a changed edit can be sent at any step; 4. where the generator
supports it, only the windows of the map that a step reads are computed: the same steps up to rounding.
"""

import time
from collections.abc import Generator as Steps

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig, checked_config
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.errors import NotFinite
from draggan_widget.engine.mask import FixedPart, fixed_part
from draggan_widget.engine.references import References, find_references, follow_edit
from draggan_widget.engine.step import CurrentFeatures, DragStep
from draggan_widget.engine.step_windows import step_windows
from draggan_widget.engine.supervision import (
    LatentOptimizer,
    LossTerms,
    Supervision,
    fixed_term,
    is_gated,
    motion_terms,
)
from draggan_widget.engine.termination import TerminationCheck, has_slid
from draggan_widget.engine.tracking import track
from draggan_widget.errors import ConfigError, EditError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import distance
from draggan_widget.torch_modes import outside_inference_mode, steps_in_own_modes


@steps_in_own_modes
def drag(
    generator: Generator,
    ws: Float[Tensor, "1 num_ws w_dim"],
    edit: Edit,
    config: DragConfig | None = None,
    resume: References | None = None,
) -> Steps[DragStep, Edit | None, None]:
    """Move a latent until every handle has reached its target.

    Args:
        generator: the generator that draws the picture.
        ws: the start latent; it is not changed.
        edit: handle points, target points and mask.
        config: settings of the drag; None: `DragConfig.for_generator(generator)`.
        resume: `DragStep.references` of an earlier drag, to keep the reference features of its start.

    Yields:
        One `DragStep` for each step; the first is the unchanged start, the last has `ended` set. `send(edit)` changes
        the edit and yields the next step.

    Raises:
        EditError: the edit is empty or does not fit the picture.
        ConfigError: the configuration does not fit the generator, or ws has another shape.
        DragError: the loss or its gradient is not finite; the last step yielded holds the last finite latent.

    Examples:
        >>> from draggan_widget import Edit, drag, load_generator
        >>> generator = load_generator("heads", device="cpu")
        >>> steps = drag(generator, generator.ws_from_seed(3, 0.7), Edit([(64, 70)], [(76, 72)]))
        >>> next(steps).handles
        ((64.0, 70.0),)
    """
    config = DragConfig.for_generator(generator) if config is None else checked_config(config, generator)
    base = _checked_start(generator, ws, edit, config)
    leaf = _zero_leaf(generator, config)
    optimizer = LatentOptimizer(leaf, generator.drag_rows)
    references, supervision, index, termination = resume, Supervision(), 0, TerminationCheck(config)
    fixed = fixed_part(edit, generator, config)
    mean = generator.mean_features(config.block) if config.mean_removal else None
    started = time.perf_counter()
    while True:
        with torch.enable_grad():
            current = _add_leaf(base, leaf, generator.drag_rows)
        features = _read_features(generator, current, references, edit, config)
        still = features.detach()
        if not all(bool(torch.isfinite(values).all()) for values in still.values):
            raise NotFinite("feature map", index, max(index - 1, 0))
        references = follow_edit(references, edit, still, config, generator.image_size)
        references = _track_handles(references, still, config, generator.image_size, mean)
        termination.add(_distances(references, edit), references.errors)
        ended = termination.ending(index)
        slid = ended is not None and has_slid(references, config, generator.image_size)
        newest = _whole_map(generator, current.detach(), still)
        step = DragStep(
            index=index,
            ws=current.detach(),
            edit=edit,
            handles=references.handles,
            tracking_error=references.errors,
            ended="lost" if slid else ended,
            slid=slid,
            seconds=time.perf_counter() - started,
            references=references,
            generator=generator,
            current=newest,
            config=config,
            **vars(supervision),
        )
        sent = yield step
        newest.clear()
        if step.ended is not None:
            return
        if sent is not None and sent != edit:
            _checked_start(generator, ws, sent, config)
            if config.retake_references and len(sent) != len(edit):
                references = None
            edit, fixed, termination = sent, fixed_part(sent, generator, config), TerminationCheck(config)
            if not features.is_whole and _reads_elsewhere(references, edit, fixed):
                features = _read_features(generator, current, references, edit, config)
                still = features.detach()
            references = follow_edit(references, edit, still, config, generator.image_size)
        with torch.enable_grad():
            motion = motion_terms(features, references, edit, config, generator.image_size)
            moves = any(term is not None for term in motion)
            held = fixed_term(features, references, config, fixed) if moves else None
        supervision = optimizer.step(current, LossTerms(motion, held), _learning_rate(references, config), index)
        index += 1


def _checked_start(generator: Generator, ws: Tensor, edit: Edit, config: DragConfig) -> Float[Tensor, "1 num_ws w_dim"]:
    """The start latent on the generator's device, if latent, edit and settings fit the generator."""
    if len(edit) == 0:
        raise EditError("the edit has 0 points; expected at least one handle and target; add one")
    edit.check(generator.image_size)
    if config.latent_space not in generator.latent_spaces:
        known = ", ".join(generator.latent_spaces)
        raise ConfigError(f"latent_space is {config.latent_space!r}; {generator.name} has {known}")
    expected = (1, generator.num_ws, generator.w_dim)
    if tuple(ws.shape) != expected:
        raise ConfigError(
            f"ws has shape {tuple(ws.shape)}; {generator.name} expects {expected}; "
            f"one of fewer axes, or of one row, fits as ws.expand{expected}"
        )
    if ws.is_meta:
        raise ConfigError("ws is on 'meta', without values; make it without the default device 'meta'")
    if not bool(torch.isfinite(ws).all()):
        raise ConfigError("ws holds NaN or infinity; expected finite numbers; start from a seed or another latent")
    return outside_inference_mode(ws.detach()).to(generator.device, generator.dtype)


def _zero_leaf(generator: Generator, config: DragConfig) -> Float[Tensor, "rows w_dim"]:
    rows = 1 if config.latent_space == "W" else len(generator.drag_rows)
    return torch.zeros(rows, generator.w_dim, device=generator.device, dtype=generator.dtype, requires_grad=True)


def _add_leaf(base: Tensor, leaf: Tensor, rows: tuple[int, ...]) -> Float[Tensor, "1 num_ws w_dim"]:
    index = list(rows)
    current = base.clone()
    current[:, index] = base[:, index] + leaf
    return current


def _read_features(
    generator: Generator, current: Tensor, references: References | None, edit: Edit, config: DragConfig
) -> FeatureMap:
    """The whole feature map, or the windows of it that the step reads; with its graph."""
    with torch.enable_grad():
        return generator.features(current, config.block, step_windows(generator, references, edit, config))


def _reads_elsewhere(references: References | None, edit: Edit, fixed: FixedPart | None) -> bool:
    """Whether a changed edit reads more of the map than the windows around the known handles."""
    return references is None or fixed is not None or any(match is None for match in find_references(references, edit))


def _whole_map(generator: Generator, ws: Tensor, features: FeatureMap) -> CurrentFeatures:
    """The step's whole map; computed on demand where the step computed only windows of it."""
    if features.is_whole:
        return CurrentFeatures(features)
    block = features.block
    return CurrentFeatures(None, lambda: generator.features(ws, block))


def _track_handles(
    references: References,
    features: FeatureMap,
    config: DragConfig,
    image_size: tuple[int, int],
    mean: FeatureMap | None,
) -> References:
    found = (track(features, point, config, image_size, mean) for point in references.points)
    return References(references.start, tuple(found))


def _distances(references: References, edit: Edit) -> tuple[float, ...]:
    return tuple(distance(p, t) for p, t in zip(references.handles, edit.targets, strict=True))


def _learning_rate(references: References, config: DragConfig) -> float:
    lowered = any(is_gated(error, config) for error in references.errors)
    return config.learning_rate * (config.gate_rate if lowered else 1.0)
