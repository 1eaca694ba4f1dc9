"""The cost surface of the point tracker: its cost at every place of the square it searched.

The numbers come from `engine.tracking.search`; the tracker itself takes the place of its smallest number.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.engine.references import PointReference, clamp_to_picture, find_references, take_reference
from draggan_widget.engine.tracking import search
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.geometry import Point
from draggan_widget.torch_modes import in_own_modes


@dataclass(frozen=True, eq=False)
class TrackingCost:
    """The tracker's cost over its search square, cut at the picture's border.

    Attributes:
        xs: x of each column, image px.
        ys: y of each row, image px.
        cost: distance of the feature at each place from the point's reference feature, in the drag's tracking norm.
        chosen: place of the smallest cost, (x, y) in image px: the handle's new position.
        searched_from: middle of the square, (x, y) in image px: the handle's position before.
    """

    xs: Float[np.ndarray, " columns"]
    ys: Float[np.ndarray, " rows"]
    cost: Float[np.ndarray, "rows columns"]
    chosen: Point
    searched_from: Point


@in_own_modes
def tracking_cost(step: DragStep, point: int, config: DragConfig, record: DragRecord | None = None) -> TrackingCost:
    """The cost surface that led to a handle's position at this step (Pan et al. 2023, eq. 2).

    A step of a drag keeps the reference features it was tracked with. A step read from a file has none: the reference
    is then read again from the record, at the step where the point was placed, and the middle of the square is the
    handle of the step before. The whole feature map is computed again; where the drag computed only windows of it, the
    costs differ by rounding.

    Args:
        step: step of a drag, with its generator.
        point: number of the point in `step.handles`, counted from 0.
        config: settings of the drag.
        record: record that holds the step; needed where the step was read from a file.

    Raises:
        RecordError: the step has no generator, was read from a file and `record` is not given, or was never dragged.
        ConfigError: there is no such point, it was not tracked yet, or the settings name another block than the drag's.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> tracking_cost(step, 0, session.config).chosen == step.handles[0]
        True
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
        return _reference_of_record(step, point, config, record)
    if step.references.start.block != config.block:
        raise ConfigError(
            f"config.block is {config.block}; this drag tracked in block {step.references.start.block}; pass its own "
            "settings"
        )
    reference = find_references(step.references, step.edit)[point]  # not by place: the edit may have changed since
    if reference is None:
        x, y = step.edit.handles[point]
        raise ConfigError(
            f"point is {point}, at ({x:g}, {y:g}); it has not been tracked yet: it was put there after step "
            f"{step.index}; drag on first"
        )
    return reference


def _reference_of_record(step: DragStep, point: int, config: DragConfig, record: DragRecord | None) -> PointReference:
    """The reference as the drag took it: at the handle's position, in the map on which the point was placed."""
    if record is None or step not in record.steps:
        if step.index == 0 and step.seconds == 0.0:  # any step of a drag took time
            raise RecordError("this state has not been dragged yet; expected a step of a drag; start one first")
        raise RecordError(
            f"step {step.index} holds no references, because it was read from a file; expected its record; "
            "pass record=..."
        )
    position, handle = record.steps.index(step), step.edit.handles[point]
    first = position
    while first > 0 and handle in record[first - 1].edit.handles and not _references_retaken(record, first, config):
        first -= 1
    added_later = first > 0 and record[first].index > 0  # a changed edit is taken up in the map of the step before
    placed_on = record[first - 1 if added_later else first]
    assert step.generator is not None
    size = step.generator.image_size
    reference = take_reference(placed_on.features(config.block), handle, config.supervision_radius, size)
    if position == first:
        return dataclasses.replace(reference, searched_from=clamp_to_picture(handle, size))
    before = record[position - 1]
    return dataclasses.replace(reference, searched_from=before.handles[before.edit.handles.index(handle)])


def _references_retaken(record: DragRecord, position: int, config: DragConfig) -> bool:
    """Whether all references were taken again at this step, because the number of points changed during the drag."""
    step = record[position]
    return config.retake_references and step.index > 0 and len(step.edit) != len(record[position - 1].edit)
