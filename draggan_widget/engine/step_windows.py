"""Which windows of the feature map one step reads: around each handle, large enough for a step in any direction.

The windows of all points have one size, which follows from the settings and from the fractional parts of the handles'
positions, so that shapes stay the same from step to step.
"""

import math

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.references import References, clamp_to_picture, disc_reach, find_references
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import Window, image_to_feature

ROUNDING = 1e-6  # image px; a sum of fractions may be rounded to either side of a whole px


def step_windows(
    generator: Generator, references: References | None, edit: Edit, config: DragConfig
) -> tuple[Window, ...] | None:
    """The windows of `config.block` that the next step reads.

    None where the step needs the whole map, to take references or because a part of the picture is fixed, and where
    the whole map costs no more than the windows.
    """
    if references is None or references.start.block != config.block:
        return None
    if edit.mask is not None and not edit.mask.all():
        return None
    known = find_references(references, edit)
    positions = [
        clamp_to_picture(handle, generator.image_size) if match is None else match.position
        for handle, match in zip(edit.handles, known, strict=True)
    ]
    size = generator.block_size(config.block)
    columns = _place_windows([x for x, _ in positions], config, size[1], generator.image_size[1])
    rows = _place_windows([y for _, y in positions], config, size[0], generator.image_size[0])
    windows = tuple(Window(y, x, rows[1], columns[1]) for y, x in zip(rows[0], columns[0], strict=True))
    return windows if generator.windows_pay(config.block, windows) else None


def _place_windows(centres: list[float], config: DragConfig, side: int, image_side: int) -> tuple[list[int], int]:
    """First cell of each window along an axis, and the number of cells of every window."""
    spans = [_read_span(centre, config) for centre in centres]
    most = max(high - low for low, high in spans) * side / image_side
    length = min(math.ceil(most) + 2, side)
    firsts = (math.floor(image_to_feature(low, side, image_side)) for low, _ in spans)
    return [min(max(first, 0), side - length) for first in firsts], length


def _read_span(centre: float, config: DragConfig) -> tuple[int, int]:
    """First and last px around a handle that tracking and then supervision may read, also outside the picture."""
    before = after = float(disc_reach(config.supervision_radius))
    if config.disc == "official":  # its px lie up to one px nearer to 0 than the positions it computes with
        before = max(before, centre - math.floor(centre - config.supervision_radius))
        after = max(after, math.ceil(centre + config.supervision_radius) - 1 - centre)
    moved = config.tracking_radius + config.step_length
    slack = 0.0 if centre % 1 == 0 == moved % 1 else ROUNDING
    return math.floor(centre - before - moved - slack), math.floor(centre + after + moved + slack) + 1
