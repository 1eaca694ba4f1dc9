"""Lines of text for the ipycanvas views, as HTML in the host's own colours."""

from html import escape

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError


def progress_words(position: int, last: int, step: DragStep) -> str:
    """Where in the record a step is, and how far its handles are from their targets."""
    left = [f"handle {number + 1}: {away:.1f} px left" for number, away in enumerate(step.distances)]
    return plain_line(" · ".join([f"Step {position} of {last}", *left]))


LARGEST = 5  # channels named in words


def vector_words(pixel: tuple[float, float], block: int, vector: Float[np.ndarray, " channels"]) -> str:
    """A feature vector: its length, its largest channels, and every channel as a bar above or below the line."""
    order = np.argsort(-np.abs(vector), kind="stable")[:LARGEST]
    largest = ", ".join(f"{channel}: {vector[channel]:+.2f}" for channel in order)
    length = float(np.linalg.norm(vector))
    where = f"({pixel[0]:g}, {pixel[1]:g}), block {block}: length {length:.3g}; largest channels {largest}"
    return plain_line(where) + _bars(vector)


def _bars(vector: Float[np.ndarray, " channels"]) -> str:
    heights = np.rint(-24 * vector / max(float(np.abs(vector).max()), 1e-12)).astype(int)
    path = "".join(f"M{channel} 25v{height}" for channel, height in enumerate(heights) if height)
    return (
        f'<svg class="draggan-vector" viewBox="-1 0 {len(vector) + 1} 50" preserveAspectRatio="none" role="img" '
        'aria-label="Every channel of the feature vector" style="display: block; width: 100%; height: 50px">'
        f'<path d="M-1 25h{len(vector) + 1}" stroke="currentColor" opacity=".3" vector-effect="non-scaling-stroke"/>'
        f'<path d="{path}" stroke="currentColor" stroke-width=".8"/></svg>'
    )


def plain_line(words: str) -> str:
    """A line of text."""
    return f'<span style="line-height: 1.5; font-variant-numeric: tabular-nums">{escape(words)}</span>'


def error_line(error: Exception) -> str:
    """What went wrong, in words."""
    said = str(error) if isinstance(error, DragganError) else f"{type(error).__name__}: {error}"
    style = "line-height: 1.5; color: var(--jp-error-color1, #c62828)"
    return f'<span role="alert" style="{style}">{escape(said)}</span>'
