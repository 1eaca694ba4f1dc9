"""Lines of text for the replay and the inspector, as HTML in the notebook's own colours."""

from html import escape

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.step import DragStep
from draggan_widget.errors import DragganError

LARGEST = 5  # channels listed by number


def text_html(text: str) -> str:
    """A line of text."""
    return f'<span style="line-height: 1.5; font-variant-numeric: tabular-nums">{escape(text)}</span>'


def error_html(error: Exception) -> str:
    """An error's message; the kind of error, too, where it is not one of ours."""
    text = str(error) if isinstance(error, DragganError) else f"{type(error).__name__}: {error}"
    style = "line-height: 1.5; color: var(--jp-error-color1, #c62828)"
    return f'<span role="alert" style="{style}">{escape(text)}</span>'


def progress_html(position: int, last: int, step: DragStep) -> str:
    """The position of a step in its record, and the distance of each handle from its target."""
    left = [f"handle {number + 1}: {away:.1f} px left" for number, away in enumerate(step.distances)]
    return text_html(" · ".join([f"Step {position} of {last}", *left]))


def vector_html(pixel: tuple[float, float], block: int, vector: Float[np.ndarray, " channels"]) -> str:
    """A feature vector: its length, its largest channels, and every channel as a bar above or below the line."""
    order = np.argsort(-np.abs(vector), kind="stable")[:LARGEST]
    largest = ", ".join(f"{channel}: {vector[channel]:+.2f}" for channel in order)
    length = float(np.linalg.norm(vector))
    text = f"({pixel[0]:g}, {pixel[1]:g}), block {block}: length {length:.3g}; largest channels {largest}"
    return text_html(text) + _bars(vector)


def _bars(vector: Float[np.ndarray, " channels"]) -> str:
    heights = np.rint(-24 * vector / max(float(np.abs(vector).max()), 1e-12)).astype(int)
    path = "".join(f"M{channel} 25v{height}" for channel, height in enumerate(heights) if height)
    return (
        f'<svg class="draggan-vector" viewBox="-1 0 {len(vector) + 1} 50" preserveAspectRatio="none" role="img" '
        'aria-label="Every channel of the feature vector" style="display: block; width: 100%; height: 50px">'
        f'<path d="M-1 25h{len(vector) + 1}" stroke="currentColor" opacity=".3" vector-effect="non-scaling-stroke"/>'
        f'<path d="{path}" stroke="currentColor" stroke-width=".8"/></svg>'
    )
