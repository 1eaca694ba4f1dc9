"""Principal component analysis, exact and deterministic.

The whole covariance matrix is decomposed in double precision. The sign of an eigenvector is arbitrary; it is chosen so
that the largest entry is positive.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class PrincipalComponents(NamedTuple):
    """Principal components of the rows of a matrix.

    Attributes:
        mean: mean row.
        components: one unit vector a row, the direction of most variance first.
        variance: variance of the rows along each component, in falling order.
    """

    mean: Float[np.ndarray, " columns"]
    components: Float[np.ndarray, "columns columns"]
    variance: Float[np.ndarray, " columns"]


def principal_components(rows: Float[np.ndarray, "rows columns"]) -> PrincipalComponents:
    """Compute all principal components of the rows."""
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    components = np.ascontiguousarray(vectors.T[::-1])
    largest = np.abs(components).argmax(axis=1, keepdims=True)
    components *= np.sign(np.take_along_axis(components, largest, axis=1))
    return PrincipalComponents(mean, components, values[::-1].clip(min=0.0))
