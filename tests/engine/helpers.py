"""Generators that go wrong on purpose, and short ways to run a drag."""

import torch
from analytic import BlobGenerator
from torch import Tensor

from draggan_widget import DragConfig, DragStep, Edit, Generator, drag

START = (24.0, 30.0)  # the blob's centre and the handle on it
EDIT = Edit(((24.0, 30.0),), ((42.0, 37.0),))


def settings(generator: Generator, **changes: object) -> DragConfig:
    return DragConfig.for_generator(generator).replace(**changes)


def run(generator: BlobGenerator, edit: Edit = EDIT, start=START, **changes: object) -> list[DragStep]:
    """The whole drag."""
    return list(drag(generator, generator.ws_at(*start), edit, settings(generator, **changes)))


class FrozenGenerator(BlobGenerator):
    """Its picture never changes."""

    def _maps(self, ws: Tensor, height: int, width: int) -> Tensor:
        still = self.ws_at(*START)
        return super()._maps(still + 0 * ws, height, width)


class FadingGenerator(BlobGenerator):
    """After some maps only a twentieth of the blob is left: the tracking error is 0.95."""

    def __init__(self, good: int):
        super().__init__()
        self.good = good

    def _maps(self, ws: Tensor, height: int, width: int) -> Tensor:
        maps = super()._maps(ws, height, width)
        return maps if self.calls <= self.good else 0.05 * maps


class BrokenGenerator(FadingGenerator):
    """After some maps it gives NaN."""

    def _maps(self, ws: Tensor, height: int, width: int) -> Tensor:
        maps = super()._maps(ws, height, width)
        return maps if self.calls <= self.good else maps * torch.nan
