"""Calibration of probabilities: Platt's sigmoid, Brier score, expected calibration error, another prevalence."""

import numpy as np

from cgdmer.probing import logistic

WEAK = 1e6
"""C of Platt's fit: so weak a penalty that it does not move the two numbers."""
BINS = 10


def platt(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return slope and offset: sigmoid(slope * logit + offset) is the calibrated probability (Platt 1999).

    `logits` and `labels` are (n,), with both labels among them. The targets are Platt's, (N1 + 1) / (N1 + 2) and
    1 / (N0 + 2), so that the slope is finite also where the logits separate the labels. Logits that are all equal have
    the slope 0.
    """
    positive = labels > 0
    targets = np.where(positive, (positive.sum() + 1.0) / (positive.sum() + 2.0), 1.0 / ((~positive).sum() + 2.0))
    if np.ptp(logits) == 0:
        mean = targets.mean()
        return 0.0, float(np.log(mean / (1.0 - mean)))
    axes = logistic.principal_axes(logits[:, None])
    path = logistic.fit(axes, targets[:, None], [WEAK], logistic.NUMPY)
    return float(path.coef[0, 0, 0]), float(path.intercept[0, 0])


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared difference of probabilities (n,) and labels (n,) in {0, 1}."""
    return float(np.mean((probabilities - labels) ** 2))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error: the mean distance of probability and share of yes, over equal bins.

    The recordings are ordered by their probability and divided into bins of equal count; each bin counts by its size.
    Recordings with equal probabilities are all in the bin of the middle one, so the order of the rows does not count.
    """
    count = len(probabilities)
    _, group, sizes = np.unique(probabilities, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes // 2 - 1
    bin_at = np.repeat(np.arange(bins), [len(chunk) for chunk in np.array_split(np.arange(count), bins)])
    gaps = np.bincount(bin_at[middle][group], weights=probabilities - labels)
    return float(np.abs(gaps).sum() / count)


def log_odds(probability: float) -> float:
    """Return log(p / (1 - p)) of a probability between 0 and 1, both excluded."""
    return float(np.log(probability) - np.log1p(-probability))


def prevalence_shift(fitted: float, known: float) -> float:
    """Return what is added to the log odds of a probability fitted at one prevalence, for another one.

    It is exact if recordings with the label, and those without it, look alike in both populations, and only their
    shares differ (Saerens, Latinne and Decaestecker 2002).
    """
    return log_odds(known) - log_odds(fitted)
