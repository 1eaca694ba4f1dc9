"""What remains of the widget without a kernel: an image in its output, a poster in its saved state, `snapshot()`."""

from base64 import b64encode
from typing import Any

import anywidget
import traitlets
from PIL import Image

from draggan_widget.session.session import DragSession
from draggan_widget.widget.frames import Frames


class StaticOutput(anywidget.AnyWidget):
    """A widget whose output also holds its picture as an image.

    Attributes:
        session: the session that draws the picture.
    """

    session: DragSession
    _frames: Frames
    _poster = traitlets.Bytes(b"").tag(sync=True)

    def snapshot(self) -> Image.Image:
        """The current picture with its points and paths: an ordinary image, which a saved notebook keeps."""
        return self.session.snapshot()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if data is None:
            return bundle
        self._poster = self._frames.poster_now() or self._poster
        image = {"image/jpeg": b64encode(self._poster).decode()} if self._poster else {}
        return {**data, "text/plain": repr(self), **image}, metadata
