"""Distances between two samples, computed for many divisions of the same rows at once.

A division is a row of `members` (P, N): 1 where a row belongs to the incoming sample, 0 where to the reference. Both
distances treat the two samples alike and use nothing but all rows, so that all divisions are equally likely if the
samples do not differ.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

BINS = 10
"""Bins of a number: tenths of all rows together."""
SMOOTHING = 0.5
"""Rows that are added to each bin, so that an empty one gives no infinite index."""
MOST_CATEGORIES = 20
"""Categories that are counted one by one; rarer ones are counted together."""


def psi(codes: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the population stability index of each division, float64 (P,).

    `codes` (N,) are the bins of the rows, from 0. The index is the symmetric Kullback-Leibler divergence of the bins'
    shares: below 0.1 counts as no change, above 0.25 as a large one (Siddiqi, Credit Risk Scorecards, 2006).
    """
    one_hot = np.eye(int(codes.max()) + 1)[codes]
    inside = members @ one_hot
    outside = one_hot.sum(axis=0) - inside
    shares = [(counts + SMOOTHING) / (counts + SMOOTHING).sum(axis=1, keepdims=True) for counts in (inside, outside)]
    index: np.ndarray = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum(axis=1)
    return index


def chance(codes: np.ndarray, incoming: int) -> float:
    """Return the index that samples without a difference have on average: the bins beyond one, times 1/n + 1/m."""
    return float(codes.max() * (1 / incoming + 1 / max(1, len(codes) - incoming)))


def cramer_von_mises(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the mean squared distance of the samples' distribution functions, float64 (P,), for values (N,).

    It finds a shift or another spread with fewer recordings than an index of bins does (Anderson, Ann. Math. Stat. 33,
    1962). NaN counts as larger than every number, so that a measurement that fails more often is a difference too.
    """
    ranks = np.unique(np.where(np.isnan(values), np.inf, values), return_inverse=True)[1]
    order = np.argsort(ranks, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(ranks[order])), len(order) - 1)
    weights = np.diff(np.append(-1, ends)) / len(order)
    inside = np.cumsum(members[:, order], axis=1)[:, ends]
    count = members.sum(axis=1, keepdims=True)
    difference = inside / count - (ends + 1 - inside) / (members.shape[1] - count)
    distance: np.ndarray = np.square(difference) @ weights
    return distance


def numeric_codes(values: np.ndarray) -> np.ndarray:
    """Return the bin of each number (N,): its tenth among all, and a bin of its own for NaN."""
    finite = np.isfinite(values)
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, BINS + 1)[1:-1])) if finite.any() else np.zeros(0)
    return _dense(np.where(finite, np.searchsorted(edges, np.where(finite, values, 0.0), side="right"), BINS))


def category_codes(values: Sequence[Any]) -> np.ndarray:
    """Return a code for each category (N,); those beyond the most frequent ones share one."""
    names, inverse, counts = np.unique(np.array(values, dtype=str), return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return _dense(np.minimum(rank[inverse], MOST_CATEGORIES))


def _dense(codes: np.ndarray) -> np.ndarray:
    dense: np.ndarray = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return dense


def mmd(features: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the squared maximum mean discrepancy of each division, float64 (P,), for features (N, D).

    The kernel is Gaussian, as wide as the median distance between rows (Gretton et al., JMLR 13, 2012).
    """
    kernel = _kernel(np.asarray(features, np.float64))
    count = members.sum(axis=1, keepdims=True)
    weights = members / count - (1 - members) / (members.shape[1] - count)
    result: np.ndarray = np.einsum("pn,pn->p", weights @ kernel, weights)
    return result


def _kernel(features: np.ndarray) -> np.ndarray:
    norms = np.einsum("nd,nd->n", features, features)
    squared = np.maximum(norms[:, None] + norms - 2 * features @ features.T, 0.0)
    width = float(np.median(squared[np.triu_indices(len(squared), 1)])) if len(squared) > 1 else 1.0
    kernel: np.ndarray = np.exp(-squared / (width or 1.0))
    return kernel
