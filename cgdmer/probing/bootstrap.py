"""Bootstrap: intervals of AUROC over test records and training subsets, paired across encoders."""

from functools import lru_cache

import numpy as np

from cgdmer.results import Interval

SEED = 20240
"""Seed of the resampled records; the same for every encoder, so that encoders are compared on the same replicates."""
PERCENTILES = (2.5, 97.5)


@lru_cache(maxsize=2)
def draws(n: int, replicates: int) -> np.ndarray:
    """Return how often each of n records occurs in each replicate: read-only float32 (n, replicates), columns sum to n.

    The last two results are cached, because all encoders, fractions and subsets of a task share their replicates.
    """
    rng = np.random.default_rng(SEED)
    counts = np.empty((n, replicates), np.float32)
    for replicate in range(replicates):
        counts[:, replicate] = np.bincount(rng.integers(0, n, n), minlength=n)
    counts.flags.writeable = False
    return counts


def auroc(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the AUROC of every class in every replicate, (replicates, C), ties counted one half.

    NaN where a replicate has no positive or no negative of a class (docs/protocols.md B.1: skip it there).
    """
    return np.column_stack([_auroc(scores[:, c], labels[:, c] > 0, counts) for c in range(labels.shape[1])])


def _auroc(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Count the weighted pairs in the right order: how many scores of the commoner label lie below each of the rarer.

    A tie lies half below and half above. Counts are small whole numbers and halves, so float32 sums are exact.
    """
    from scipy.sparse import csr_matrix

    if 2 * positive.sum() > len(positive):
        scores, positive = -scores, ~positive
    rare, other = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not len(rare):
        return np.full(counts.shape[1], np.nan)
    values, slot = np.unique(scores[rare], return_inverse=True)
    left, right = (np.searchsorted(values, scores[other], side) for side in ("left", "right"))
    halves, ones = np.full(2 * len(other), 0.5, np.float32), np.ones(len(rare), np.float32)
    cells = np.concatenate([left, right]), np.concatenate([other, other])
    between = csr_matrix((halves, cells), shape=(len(values) + 1, len(scores))) @ counts
    at = csr_matrix((ones, (slot, rare)), shape=(len(values), len(scores))) @ counts
    below = np.cumsum(between, axis=0)
    pairs = at.sum(axis=0, dtype=np.float64) * below[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (at * below[:-1]).sum(axis=0, dtype=np.float64) / pairs, np.nan)


def macro(replicated: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that a replicate has, (..., B) from (..., B, C); NaN if it has none."""
    defined = ~np.isnan(replicated)
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.where(defined, replicated, 0.0).sum(axis=-1) / defined.sum(axis=-1)
    return means


def over_seeds(replicated: np.ndarray) -> np.ndarray:
    """Return the replicates (B,) of a mean over seeds, from each seed's replicates (S, B).

    Replicate b takes resampled records and, with them, S seeds drawn with replacement: test records and training
    subsets both vary. With one seed this is the ordinary bootstrap of the test set. (W, S, B) is an encoder with W sets
    of weights: replicate b takes W of them, drawn with replacement, each with the same S seeds.
    """
    seeds, replicates = replicated.shape[-2:]
    chosen = np.random.default_rng(SEED + 1).integers(0, seeds, (seeds, replicates))
    if replicated.ndim == 3:
        replicated = np.take_along_axis(replicated, chosen[None], axis=1).mean(axis=1)
        chosen = np.random.default_rng(SEED + 2).integers(0, len(replicated), replicated.shape)
    means: np.ndarray = np.take_along_axis(replicated, chosen, axis=0).mean(axis=0)
    return means


def interval(point: float, replicates: np.ndarray) -> Interval:
    """Return a point value with the percentiles of its replicates (B,); NaN is skipped, and all NaN gives 0 to 1."""
    defined = replicates[~np.isnan(replicates)]
    low, high = np.percentile(defined, PERCENTILES) if len(defined) else (0.0, 1.0)
    return Interval(float(point), float(low), float(high))
