"""A matplotlib figure that a notebook shows by itself, without pyplot (which is not safe on several threads)."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A `Figure` that is a picture when it is the last line of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def new_axes(width: float, height: float) -> Axes:
    """Axes on a figure of their own, inches."""
    return ShownFigure(figsize=(width, height), layout="constrained").add_subplot()
