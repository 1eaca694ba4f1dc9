"""Distances between sets of features."""

import numpy as np
from jaxtyping import Float

Features = Float[np.ndarray, "pictures channels"]


def frechet_distance(one: Features, other: Features) -> float:
    """Of the normal distributions with the sets' means and covariances (Heusel et al. 2017, FID).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), by eigenvalues, which stay real. Sets of few pictures make
    it too large: compare it only with a distance of sets as large.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    means = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(means + np.trace(first) + np.trace(second) - 2 * shared)


def distances(one: Features, other: Features) -> Float[np.ndarray, "one other"]:
    """Euclidean, between each of one set and each of the other."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    return np.sqrt(squares.clip(0))


def mean_pairwise(features: Features) -> float:
    """Mean distance between two different pictures of a set."""
    count = len(features)
    return float(distances(features, features).sum() / (count * (count - 1)))


def nearest(one: Features, other: Features) -> tuple[np.ndarray, np.ndarray]:
    """For each of one set: which of the other is nearest, and how far that is."""
    found = distances(one, other)
    return found.argmin(axis=1), found.min(axis=1)
