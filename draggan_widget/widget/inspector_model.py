"""What the inspector shows, computed: pictures, feature maps, views and feature vectors of a session or a record."""

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
from draggan_widget.widget.views import RenderedView, ViewName


@dataclass(frozen=True)
class ViewRequest:
    """What the controls of the inspector ask for.

    Attributes:
        position: place of the step in the record, from 0; in a session the last one is the current state.
        block: block of the feature map.
        view: way to show the map.
        rank: number of the channel by falling variance, from 1.
        point: number of the point whose tracking cost is shown, from 0.
        pixel: pixel to which the similarity is taken, (x, y) in image px.
    """

    position: int
    block: int
    view: ViewName
    rank: int
    point: int
    pixel: Point


@dataclass(frozen=True)
class ViewResult:
    """The picture of a step and a view of one of its feature maps.

    Attributes:
        step: the step.
        last: position of the last step.
        picture: the picture of the step.
        view: the view of the feature map.
        channels: number of channels of the map.
    """

    step: DragStep
    last: int
    picture: UInt8[np.ndarray, "height width 3"]
    view: RenderedView
    channels: int


@dataclass
class _Cache:
    """The newest results, each with the latent (and block) that it was computed from."""

    features: FeatureMap | None = None
    features_of: tuple[Tensor, int] | None = None
    picture: np.ndarray | None = None
    picture_of: Tensor | None = None
    start: FeatureMap | None = None
    colours: FeatureColours | None = None
    start_of: tuple[Tensor, int] | None = None


@dataclass
class InspectorModel:
    """Computes the views; to be used by one thread at a time.

    Attributes:
        source: a session, even while it drags, or a record.
    """

    source: DragSession | DragRecord
    _cache: _Cache = field(default_factory=_Cache)

    def steps(self) -> list[DragStep]:
        """The steps of the record; in a session the last one is the current state."""
        if isinstance(self.source, DragRecord):
            return list(self.source)
        return [*list(self.source.record)[:-1], self.source.current]

    @property
    def generator(self) -> Generator:
        """The generator of the pictures.

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
        """Settings of the steps; before the first drag of a session, the settings of the session."""
        known = recorded_config(self._record)
        if known is not None:
            return known
        if isinstance(self.source, DragSession):
            return self.source.config
        return DragConfig.for_generator(self.generator)

    def compute(self, request: ViewRequest) -> ViewResult:
        """Picture and view of a step; a position past the last step counts as the last."""
        steps = self.steps()
        step = steps[min(request.position, len(steps) - 1)]
        picture, features = self._picture(step), self._features(step, request.block)
        view = self._render(request, step, steps[0])
        return ViewResult(step, len(steps) - 1, picture, view, len(features.whole))

    def vector(self, pixel: Point) -> tuple[int, Float[np.ndarray, " channels"]] | None:
        """Block and feature vector at a pixel of the newest map; None before the first map."""
        features = self._cache.features
        if features is None:
            return None
        return features.block, read_point(features, pixel, self.generator.image_size).cpu().numpy()

    def _render(self, request: ViewRequest, step: DragStep, start: DragStep) -> RenderedView:
        features = self._features(step, request.block)
        match request.view:
            case "colours":
                return views.colours_view(features, self._start(start, request.block)[1])
            case "channel":
                return views.channel_view(features, min(request.rank, len(features.whole)))
            case "similarity" | "L2":
                return views.similarity_view(features, request.pixel, self.generator.image_size, request.view)
            case "difference":
                return views.difference_view(features, self._start(start, request.block)[0])
            case "cost":
                point = min(request.point, max(len(step.handles) - 1, 0))
                return views.cost_view(step, point, self.config, self._record, self._picture(step))

    def _picture(self, step: DragStep) -> np.ndarray:
        cache = self._cache
        if cache.picture is None or cache.picture_of is not step.ws:
            cache.picture, cache.picture_of = step.pixels(), step.ws
        return cache.picture

    def _features(self, step: DragStep, block: int) -> FeatureMap:
        cache = self._cache
        if cache.features is None or not _is_of(cache.features_of, step, block):
            cache.features, cache.features_of = step.features(block), (step.ws, block)
        return cache.features

    def _start(self, start: DragStep, block: int) -> tuple[FeatureMap, FeatureColours]:
        """The map at the start, and colours fitted to it: it is known during the whole drag, so the colours stay."""
        cache = self._cache
        if cache.start is None or cache.colours is None or not _is_of(cache.start_of, start, block):
            cache.start, cache.colours = start.features(block), FeatureColours.fit(start, block)
            cache.start_of = (start.ws, block)
        return cache.start, cache.colours


def _is_of(origin: tuple[Tensor, int] | None, step: DragStep, block: int) -> bool:
    return origin is not None and origin[0] is step.ws and origin[1] == block
