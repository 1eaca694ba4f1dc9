"""What remains of a widget without a kernel: an image in its output, next to its view."""

from abc import abstractmethod
from base64 import b64encode
from typing import Any

from ipywidgets import Widget


class StaticOutput(Widget):
    """A widget whose output also holds its picture as an image."""

    _ipython_display_ = None  # that of ipywidgets 7 shows the view alone; without it IPython takes the mime bundle

    @abstractmethod
    def _view_bundle(self) -> tuple[dict[str, Any], dict[str, Any]] | dict[str, Any] | None:
        """The mime bundle of the view alone, as anywidget gives it; None where the host shows no widgets."""

    @abstractmethod
    def _still(self) -> bytes:
        """The picture as a JPEG; empty where it cannot be drawn."""

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = self._view_bundle()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if data is None:
            return bundle
        still = self._still()
        image = {"image/jpeg": b64encode(still).decode()} if still else {}
        return {**data, "text/plain": repr(self), **image}, metadata
