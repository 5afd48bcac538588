"""Owns resampling: intervals of AUROC over test records and training subsets, and paired differences of encoders."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEED = 20240
"""Of the resampled records; the same for every encoder, so that two encoders are compared on the same replicates."""
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Interval:
    """A mean over training subsets with the 2.5th and 97.5th percentiles of its replicates."""

    mean: float
    low: float
    high: float


def draws(n: int, replicates: int) -> np.ndarray:
    """Return how often each of n records occurs in each replicate: float32 (n, replicates), columns sum to n."""
    rng = np.random.default_rng(SEED)
    counts = np.empty((n, replicates), np.float32)
    for replicate in range(replicates):
        counts[:, replicate] = np.bincount(rng.integers(0, n, n), minlength=n)
    return counts


def auroc(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the AUROC of every class in every replicate, (replicates, C), ties counted one half.

    NaN where a replicate has no positive or no negative of a class (PROTOCOLS B.1: skip it there).
    """
    return np.column_stack([_auroc(scores[:, c], labels[:, c] > 0, counts) for c in range(labels.shape[1])])


def _auroc(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Weigh pairs by their counts: sum the negatives between neighbouring distinct scores of the rarer side."""
    from scipy.sparse import csr_matrix

    if 2 * positive.sum() > len(positive):
        scores, positive = -scores, ~positive
    rare, other = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not len(rare):
        return np.full(counts.shape[1], np.nan)
    values, slot = np.unique(scores[rare], return_inverse=True)
    place = np.searchsorted(values, scores[other], "left") + np.searchsorted(values, scores[other], "right")
    ones = np.ones(len(scores), np.float32)
    shape = (2 * len(values) + 1, len(scores))
    between = csr_matrix((ones[: len(other)], (place, other)), shape=shape) @ counts
    at = csr_matrix((ones[: len(rare)], (slot, rare)), shape=(len(values), len(scores))) @ counts
    below = np.cumsum(between, axis=0, dtype=np.float64)[:-1:2] + between[1::2] / 2
    pairs = at.sum(axis=0, dtype=np.float64) * between.sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (at * below).sum(axis=0) / pairs, np.nan)


def macro(replicated: np.ndarray) -> np.ndarray:
    """Return the mean over the classes a replicate has, (..., replicates) from (..., replicates, C)."""
    defined = ~np.isnan(replicated)
    means: np.ndarray = np.where(defined, replicated, 0.0).sum(axis=-1) / np.maximum(defined.sum(axis=-1), 1)
    return means


def interval(point: Sequence[float], replicated: np.ndarray) -> Interval:
    """Return the interval of the mean over seeds, from point values (S,) and replicates (S, B).

    Replicate b takes resampled records and, with them, S seeds drawn with replacement: test records and training
    subsets both vary. With one seed this is the ordinary bootstrap of the test set.
    """
    seeds, replicates = replicated.shape
    chosen = np.random.default_rng(SEED + 1).integers(0, seeds, (seeds, replicates))
    means = np.take_along_axis(replicated, chosen, axis=0).mean(axis=0)
    low, high = np.percentile(means, PERCENTILES)
    return Interval(float(np.mean(point)), float(low), float(high))
