"""The picture of a session with its points, as an ordinary image."""

from PIL import Image

from draggan_widget.engine.record import DragRecord
from draggan_widget.export.film import make_film
from draggan_widget.session.session import DragSession


def snapshot(session: DragSession) -> Image.Image:
    """The present picture with handles, targets and the ways come so far; one smaller than 512 px is enlarged to that."""
    step, _ = session.now()
    steps = [*session.record.steps[:-1], step]  # the newest as it stands under the present points
    return make_film(DragRecord(None, steps), paths=True, side=None)[len(steps) - 1]
