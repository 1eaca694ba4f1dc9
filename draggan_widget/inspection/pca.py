"""Principal components, exact and the same every time.

The covariance is decomposed as a whole in double precision; an eigenvector's sign, which is free, is chosen so that its
largest entry is positive.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Principal(NamedTuple):
    """Mean, directions and how much the rows vary along each.

    Attributes:
        mean: of the rows.
        components: one unit vector a row, the direction of most variance first.
        variance: along each component, falling.
    """

    mean: Float[np.ndarray, " columns"]
    components: Float[np.ndarray, "columns columns"]
    variance: Float[np.ndarray, " columns"]


def principal(rows: Float[np.ndarray, "rows columns"]) -> Principal:
    """The principal components of the rows, all of them."""
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    components = np.ascontiguousarray(vectors.T[::-1])
    largest = np.abs(components).argmax(axis=1, keepdims=True)
    components *= np.sign(np.take_along_axis(components, largest, axis=1))
    return Principal(mean, components, values[::-1].clip(min=0.0))
