"""Distances between sets of features."""

import numpy as np
from jaxtyping import Float

Features = Float[np.ndarray, "pictures channels"]


def frechet_distance(one: Features, other: Features) -> float:
    """Frechet distance of the normal distributions with the sets' means and covariances (Heusel et al. 2017, FID).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), by eigenvalues, which stay real. The fewer pictures, the
    larger the distance: compare only distances of sets of equal size.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    means = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(means + np.trace(first) + np.trace(second) - 2 * shared)


def distances(one: Features, other: Features) -> Float[np.ndarray, "one other"]:
    """Euclidean distance of each vector of one set from each of the other."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    return np.sqrt(squares.clip(0))


def mean_pairwise(features: Features) -> float:
    """Mean distance of two different vectors of a set."""
    count = len(features)
    return float(distances(features, features).sum() / (count * (count - 1)))


def nearest(one: Features, other: Features) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest vector of the other set, and its distance, for each vector of one set."""
    found = distances(one, other)
    return found.argmin(axis=1), found.min(axis=1)
