"""What the inspector computes: steps of a session or a record, their maps, views and vectors."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import RecordError
from draggan_widget.generators.feature_map import FeatureMap, read_point
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import Point
from draggan_widget.inspection.feature_maps import FeatureColours
from draggan_widget.inspection.records import recorded_config, require_steps
from draggan_widget.session.session import DragSession
from draggan_widget.widget import views
from draggan_widget.widget.views import Looked, ViewName


@dataclass(frozen=True)
class Asked:
    """What is to be seen.

    Attributes:
        position: of the step in the record; the last of a session is its newest state.
        block: whose map.
        view: how.
        rank: of the channel by falling variance, from 1.
        point: of the tracker's cost, from 0.
        pixel: of the similarity, (x, y) in image px.
    """

    position: int
    block: int
    view: ViewName
    rank: int
    point: int
    pixel: Point


@dataclass(frozen=True)
class Seen:
    """The picture of a step beside a view of one of its maps."""

    step: DragStep
    last: int
    picture: UInt8[np.ndarray, "height width 3"]
    looked: Looked
    channels: int


@dataclass
class _Kept:
    """What was computed last: (latent, block) tell what of."""

    features: FeatureMap | None = None
    picture: np.ndarray | None = None
    of: tuple[Tensor, int] | None = None
    drawn: Tensor | None = None
    start: FeatureMap | None = None
    colours: FeatureColours | None = None
    fitted: tuple[Tensor, int] | None = None


@dataclass
class Looker:
    """Computes views; one thread at a time.

    Attributes:
        source: a session, also while it drags, or a record.
    """

    source: DragSession | DragRecord
    _kept: _Kept = field(default_factory=_Kept)

    def steps(self) -> list[DragStep]:
        """Of the record; the last one of a session as it is now."""
        if isinstance(self.source, DragRecord):
            return list(self.source)
        return [*list(self.source.record)[:-1], self.source.current]

    @property
    def generator(self) -> Generator:
        """What drew the pictures.

        Raises:
            RecordError: the record is empty, or was read without its generator.
        """
        if isinstance(self.source, DragSession):
            return self.source.generator
        generator = require_steps(self.source)[0].generator
        if generator is None:
            raise RecordError("this record was read without its generator; call DragRecord.load(path, generator)")
        return generator

    @property
    def _record(self) -> DragRecord:
        return self.source if isinstance(self.source, DragRecord) else self.source.record

    @property
    def config(self) -> DragConfig:
        """Settings that the steps were made with; of a session that has not dragged yet, its own."""
        known = recorded_config(self._record)
        if known is not None:
            return known
        if isinstance(self.source, DragSession):
            return self.source.config
        return DragConfig.for_generator(self.generator)

    def look(self, asked: Asked) -> Seen:
        """Picture and view of a step; one past the last counts as the last."""
        steps = self.steps()
        step = steps[min(asked.position, len(steps) - 1)]
        picture, features = self._picture(step), self._features(step, asked.block)
        looked = self._view(asked, step, steps[0])
        return Seen(step, len(steps) - 1, picture, looked, len(features.whole))

    def vector(self, pixel: Point) -> tuple[int, Float[np.ndarray, " channels"]] | None:
        """Block and feature vector of the map seen last, read at a pixel; None before there was one."""
        features = self._kept.features
        if features is None:
            return None
        return features.block, read_point(features, pixel, self.generator.image_size).cpu().numpy()

    def _view(self, asked: Asked, step: DragStep, start: DragStep) -> Looked:
        features = self._features(step, asked.block)
        match asked.view:
            case "colours":
                return views.colours_view(features, self._colours(start, asked.block))
            case "channel":
                return views.channel_view(features, min(asked.rank, len(features.whole)))
            case "cosine" | "L2":
                return views.similarity_view(features, asked.pixel, self.generator.image_size, asked.view)
            case "difference":
                return views.difference_view(features, self._start(start, asked.block))
            case "cost":
                point = min(asked.point, max(len(step.handles) - 1, 0))
                return views.cost_view(step, point, self.config, self._record, self._picture(step))

    def _picture(self, step: DragStep) -> np.ndarray:
        kept = self._kept
        if kept.picture is None or kept.drawn is not step.ws:
            kept.picture, kept.drawn = step.pixels(), step.ws
        return kept.picture

    def _features(self, step: DragStep, block: int) -> FeatureMap:
        kept = self._kept
        if kept.features is None or kept.of is None or kept.of[0] is not step.ws or kept.of[1] != block:
            kept.features, kept.of = step.features(block), (step.ws, block)
        return kept.features

    def _start(self, start: DragStep, block: int) -> FeatureMap:
        self._fit(start, block)
        assert self._kept.start is not None
        return self._kept.start

    def _colours(self, start: DragStep, block: int) -> FeatureColours:
        """Fitted to the start of the drag, which is known while it runs: a colour stays what it is."""
        self._fit(start, block)
        assert self._kept.colours is not None
        return self._kept.colours

    def _fit(self, start: DragStep, block: int) -> None:
        kept = self._kept
        if kept.fitted is None or kept.fitted[0] is not start.ws or kept.fitted[1] != block:
            kept.start, kept.colours = start.features(block), FeatureColours.fit(start, block)
            kept.fitted = (start.ws, block)
