"""Metrics of a multi-label task, class by class: AUROC, average precision, F1 at a threshold."""

import numpy as np


def auroc(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each class; ties count one half.

    `scores` and `labels` are (n, C); a class without both a positive and a negative gives NaN, never 0 or 0.5.
    """
    return np.array([_auroc(scores[:, c], labels[:, c] > 0) for c in range(labels.shape[1])])


def _auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the share of (positive, negative) pairs in the right order."""
    positives, negatives = scores[positive], np.sort(scores[~positive])
    if not len(positives) or not len(negatives):
        return float("nan")
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.sum(dtype=np.int64)) / (2.0 * len(positives) * len(negatives))


def auprc(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the average precision of each class: the sum of precision times the step in recall, without interpolation.

    NaN for a class without a positive record.
    """
    return np.array([_average_precision(scores[:, c], labels[:, c] > 0) for c in range(labels.shape[1])])


def _average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    hits, called, _ = _sweep(scores, positive)
    if not hits[-1]:
        return float("nan")
    return float(np.sum(np.diff(hits, prepend=0) * hits / called) / hits[-1])


def best_thresholds(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each class the score threshold with the highest F1 on these (validation) records.

    A class without a positive gets infinity: no record is called positive.
    """
    return np.array([_best_threshold(scores[:, c], labels[:, c] > 0) for c in range(labels.shape[1])])


def _best_threshold(scores: np.ndarray, positive: np.ndarray) -> float:
    hits, called, thresholds = _sweep(scores, positive)
    if not hits[-1]:
        return float("inf")
    return float(thresholds[np.argmax(2.0 * hits / (called + hits[-1]))])


def f1(scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return F1 of each class when scores at or above its threshold are called positive; NaN without a positive."""
    called, positive = scores >= thresholds, labels > 0
    hits = (called & positive).sum(axis=0)
    total = positive.sum(axis=0)
    return np.where(total > 0, 2.0 * hits / np.maximum(called.sum(axis=0) + total, 1), np.nan)


def macro(values: np.ndarray) -> float:
    """Return the mean over the classes that have a value; NaN if none has."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _sweep(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits and calls at each distinct threshold, highest first, and the thresholds."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    return np.cumsum(positive[order])[last], last + 1, ordered[last]
