"""The drag (Pan et al. 2023, section 3.2): synthesise, track, yield, supervise, step.

Differs from the official engine: 1. the optimised leaf is the difference to the start latent, so that a start whose
rows differ stays whole; 2. it stops by itself; 3. a changed edit can be sent in at any step; 4. where the generator
can, only the windows of the map that a step reads are computed: the same steps up to rounding.
"""

import time
from collections.abc import Generator as Steps

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.errors import NotFinite
from draggan_widget.engine.mask import FixedPart, fixed_part
from draggan_widget.engine.references import References, follow_edit, matches
from draggan_widget.engine.step import CurrentFeatures, DragStep
from draggan_widget.engine.step_windows import step_windows
from draggan_widget.engine.supervision import Descent, LossTerms, Supervision, fixed_term, is_gated, motion_terms
from draggan_widget.engine.termination import Progress
from draggan_widget.engine.tracking import track
from draggan_widget.errors import ConfigError, EditError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import distance


def drag(
    generator: Generator,
    ws: Float[Tensor, "1 num_ws w_dim"],
    edit: Edit,
    config: DragConfig,
    resume: References | None = None,
) -> Steps[DragStep, Edit | None, None]:
    """Move a latent until every handle has reached its target.

    Args:
        generator: what draws the picture.
        ws: the start latent; left unchanged.
        edit: what is asked for.
        config: every constant.
        resume: `DragStep.references` of an earlier drag: its anchors stay those of its start.

    Yields:
        One `DragStep` a step, the first at the untouched start; the last has `ended` set. `send(edit)` goes on with a
        changed edit.

    Raises:
        EditError: the edit is empty or does not fit the picture.
        ConfigError: the configuration does not fit the generator, or ws has another shape.
        DragError: loss or gradient are no longer finite; the last step holds the last good latent.
    """
    base = _checked(generator, ws, edit, config)
    leaf = _leaf(generator, config)
    descent = Descent(leaf, generator.drag_rows)
    references, made, index, progress = resume, Supervision(), 0, Progress(config)
    fixed = fixed_part(edit, generator, config)
    mean = generator.mean_features(config.block) if config.mean_removal else None
    started = time.perf_counter()
    while True:
        with torch.enable_grad():
            current = _latent(base, leaf, generator.drag_rows)
        features = _features(generator, current, references, edit, config)
        still = features.detach()
        if not all(bool(torch.isfinite(values).all()) for values in still.values):
            raise NotFinite("feature map", index, max(index - 1, 0))
        references = follow_edit(references, edit, still, config, generator.image_size)
        references = _track(references, still, config, generator.image_size, mean)
        progress.add(_distances(references, edit), references.errors)
        newest = _current(generator, current.detach(), still)
        step = DragStep(
            index=index,
            ws=current.detach(),
            edit=edit,
            handles=references.handles,
            tracking_error=references.errors,
            ended=progress.ending(index),
            seconds=time.perf_counter() - started,
            references=references,
            generator=generator,
            current=newest,
            config=config,
            **vars(made),
        )
        sent = yield step
        newest.clear()
        if step.ended is not None:
            return
        if sent is not None and sent != edit:
            _checked(generator, ws, sent, config)
            if config.retake_references and len(sent) != len(edit):
                references = None
            edit, fixed, progress = sent, fixed_part(sent, generator, config), Progress(config)
            if not features.is_whole and _reads_elsewhere(references, edit, fixed):
                features = _features(generator, current, references, edit, config)
                still = features.detach()
            references = follow_edit(references, edit, still, config, generator.image_size)
        with torch.enable_grad():
            motion = motion_terms(features, references, edit, config, generator.image_size)
            due = any(term is not None for term in motion)
            held = fixed_term(features, references, config, fixed) if due else None
        made = descent.step(current, LossTerms(motion, held), _rate(references, config), index)
        index += 1


def _checked(generator: Generator, ws: Tensor, edit: Edit, config: DragConfig) -> Float[Tensor, "1 num_ws w_dim"]:
    """The start latent on the generator's device, once everything fits together."""
    if len(edit) == 0:
        raise EditError("the edit has 0 points; expected at least one handle and target; add one")
    edit.check(generator.image_size)
    generator.block_size(config.block)
    if config.latent_space not in generator.latent_spaces:
        known = ", ".join(generator.latent_spaces)
        raise ConfigError(f"latent_space is {config.latent_space!r}; {generator.name} has {known}")
    expected = (1, generator.num_ws, generator.w_dim)
    if tuple(ws.shape) != expected:
        raise ConfigError(f"ws has shape {tuple(ws.shape)}; {generator.name} expects {expected}")
    if not bool(torch.isfinite(ws).all()):
        raise ConfigError("ws holds NaN or infinity; expected finite numbers; start from a seed or another latent")
    return ws.detach().to(generator.device, generator.dtype)


def _leaf(generator: Generator, config: DragConfig) -> Float[Tensor, "rows w_dim"]:
    rows = 1 if config.latent_space == "W" else len(generator.drag_rows)
    return torch.zeros(rows, generator.w_dim, device=generator.device, dtype=generator.dtype, requires_grad=True)


def _latent(base: Tensor, leaf: Tensor, rows: tuple[int, ...]) -> Float[Tensor, "1 num_ws w_dim"]:
    index = list(rows)
    current = base.clone()
    current[:, index] = base[:, index] + leaf
    return current


def _features(
    generator: Generator, current: Tensor, references: References | None, edit: Edit, config: DragConfig
) -> FeatureMap:
    """What a step reads of the map, with its graph."""
    with torch.enable_grad():
        return generator.features(current, config.block, step_windows(generator, references, edit, config))


def _reads_elsewhere(references: References | None, edit: Edit, fixed: FixedPart | None) -> bool:
    """Whether a changed edit reads more of the map than what lies around the handles known."""
    return references is None or fixed is not None or any(match is None for match in matches(references, edit))


def _current(generator: Generator, ws: Tensor, features: FeatureMap) -> CurrentFeatures:
    """The step's map for pictures: made on demand where only windows of it were computed."""
    if features.is_whole:
        return CurrentFeatures(features)
    block = features.block
    return CurrentFeatures(None, lambda: generator.features(ws, block))


def _track(
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


def _rate(references: References, config: DragConfig) -> float:
    lowered = any(is_gated(error, config) for error in references.errors)
    return config.learning_rate * (config.gate_rate if lowered else 1.0)
