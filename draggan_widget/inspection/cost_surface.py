"""What the point tracker compared: its cost at every place of the square it searched.

The numbers come from `engine.tracking.search`, which is what the tracker itself takes the smallest of.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.engine.references import PointReference, matches, placed, take_reference
from draggan_widget.engine.tracking import search
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.geometry import Point


@dataclass(frozen=True, eq=False)
class TrackingCost:
    """The tracker's cost over its search square, cut at the picture's border.

    Attributes:
        xs: columns, image px.
        ys: rows, image px.
        cost: distance of the feature there from the point's reference, in the drag's own norm.
        chosen: the place of the smallest cost, (x, y) in image px: where the handle was found.
        searched_from: the middle of the square, (x, y) in image px: where the handle was before.
    """

    xs: Float[np.ndarray, " columns"]
    ys: Float[np.ndarray, " rows"]
    cost: Float[np.ndarray, "rows columns"]
    chosen: Point
    searched_from: Point


def tracking_cost(step: DragStep, point: int, config: DragConfig, record: DragRecord | None = None) -> TrackingCost:
    """The cost surface that led to a handle's place at this step (Pan et al. 2023, eq. 2).

    A step keeps the reference it was tracked by. One read from a file has none: there the feature is taken anew from
    the record, at the step where the point was placed, and the square's middle is the handle of the step before. The
    map is computed again as a whole: values differ by rounding from those of a drag that computed windows of it.

    Args:
        step: of a drag, with its generator.
        point: its place in `step.handles`, counted from 0.
        config: the drag's own settings.
        record: what the step belongs to; needed for one that was read from a file.

    Raises:
        RecordError: the step came without its generator, from a file and not with its record, or was never dragged.
        ConfigError: no such point, one that was not tracked yet, or settings of another block than the drag's.
    """
    if not 0 <= point < len(step.handles):
        raise ConfigError(f"point is {point}; step {step.index} has {len(step.handles)}, counted from 0")
    features, generator = step.features(config.block), step.generator
    assert generator is not None  # else there were no features
    reference = _reference(step, point, config, record)
    mean = generator.mean_features(config.block) if config.mean_removal else None
    before = dataclasses.replace(reference, position=reference.searched_from)
    found = search(features, before, config, generator.image_size, mean)
    row, column = found.best
    chosen = (found.xs[column], found.ys[row])
    return TrackingCost(np.array(found.xs), np.array(found.ys), found.cost.cpu().numpy(), chosen, before.position)


def _reference(step: DragStep, point: int, config: DragConfig, record: DragRecord | None) -> PointReference:
    if step.references is None:
        return _taken_anew(step, point, config, record)
    if step.references.start.block != config.block:
        raise ConfigError(
            f"config.block is {config.block}; this drag tracked in block {step.references.start.block}; give its own "
            "settings"
        )
    reference = matches(step.references, step.edit)[point]  # not by place: the edit may have changed since
    if reference is None:
        x, y = step.edit.handles[point]
        raise ConfigError(
            f"point is {point}, at ({x:g}, {y:g}); it has not been tracked yet: it was put there after step "
            f"{step.index}; drag on first"
        )
    return reference


def _taken_anew(step: DragStep, point: int, config: DragConfig, record: DragRecord | None) -> PointReference:
    """The reference as the drag took it: at the handle's place in the map the point was placed on."""
    if record is None or step not in record.steps:
        if step.index == 0 and step.seconds == 0.0:  # any step of a drag took time
            raise RecordError("this state has not been dragged yet; expected a step of a drag; start one first")
        raise RecordError(
            f"step {step.index} holds no references, as it was read from a file; expected the record it is part of; "
            "give it as record="
        )
    position, handle = record.steps.index(step), step.edit.handles[point]
    first = position
    while first > 0 and handle in record[first - 1].edit.handles and not _retaken(record, first, config):
        first -= 1
    added_later = first > 0 and record[first].index > 0  # a changed edit is taken up in the map of the step before
    placed_on = record[first - 1 if added_later else first]
    assert step.generator is not None
    size = step.generator.image_size
    reference = take_reference(placed_on.features(config.block), handle, config.supervision_radius, size)
    if position == first:
        return dataclasses.replace(reference, searched_from=placed(handle, size))
    before = record[position - 1]
    return dataclasses.replace(reference, searched_from=before.handles[before.edit.handles.index(handle)])


def _retaken(record: DragRecord, position: int, config: DragConfig) -> bool:
    """Whether every reference was taken anew there, as the number of points changed while the drag ran."""
    step = record[position]
    return config.retake_references and step.index > 0 and len(step.edit) != len(record[position - 1].edit)
