"""Cross-validation on a small labelled corpus: patient-disjoint folds, one linear probe per fold, pooled scores.

The C of a probe is chosen by cross-validation within its training folds, so no record of a fold influences the probe
that scores it. Probes with different C have logits of different spread, so the scores of a fold are standardised before
they are pooled (docs/protocols.md G.28). Intervals resample patients, because recordings of one patient resemble each
other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.probing import bootstrap, logistic, metrics
from cgdmer.probing.cohort import scorable
from cgdmer.probing.comparison import share_above
from cgdmer.probing.linear_probe import choose, class_intervals
from cgdmer.probing.patients import FOLDS
from cgdmer.results import rounded


@dataclass(frozen=True)
class Scores:
    """Scores of records by probes that were not trained on them."""

    logits: np.ndarray
    """(n, C) float32, each row from the probe of its fold."""
    folds: np.ndarray
    """(n,)"""
    C: list[float]
    """Chosen inverse L2 strength of each fold."""

    @property
    def pooled(self) -> np.ndarray:
        """Scores (n, C) that are comparable between folds: the logits of a fold and class have mean 0 and spread 1."""
        return comparable(self.logits, self.folds)


def comparable(logits: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Standardise logits (n, C) within each fold (n,) and class; those of a constant probe become 0."""
    scores = np.zeros(logits.shape, np.float32)
    for fold in np.unique(folds).tolist():
        rows = logits[folds == fold].astype(np.float64)
        spread = rows.std(axis=0)
        constant = spread <= 1e-12 * np.maximum(np.abs(rows).max(axis=0), 1.0)
        scores[folds == fold] = (rows - rows.mean(axis=0)) / np.where(constant, np.inf, spread)
    return scores


def out_of_fold(features: Sequence[np.ndarray], labels: np.ndarray, folds: np.ndarray, C: Sequence[float]) -> Scores:
    """Score every record by the probe of its fold; `features[fold]` (n, D) come from an encoder without it."""
    logits = np.zeros(labels.shape, np.float32)
    chosen = []
    fitted: Fitted = {}
    for fold in range(FOLDS):
        matrix, train = features[fold], np.flatnonzero(folds != fold)
        best = best_c(matrix, labels, folds, fold, C, fitted)
        path = logistic.fit(logistic.principal_axes(matrix[train]), labels[train], C)
        logits[folds == fold] = path.decision(matrix[folds == fold], best)
        chosen.append(C[best])
    return Scores(logits, folds, chosen)


Fitted = dict[tuple[int, frozenset[int]], logistic.Path]
"""Probes by the features that they read and the two folds that they were not fitted on."""


def best_c(
    features: np.ndarray, labels: np.ndarray, folds: np.ndarray, left_out: int, C: Sequence[float], fitted: Fitted
) -> int:
    """Return the position of the C whose pooled scores over the folds but `left_out` have the highest macro AUROC.

    The probe without folds a and b serves both a as the fold to be scored and b; `fitted` keeps it. If all records are
    of one fold, as a few labelled ones may be, nothing can be scored, and the middle of the grid is returned.
    """
    train = folds != left_out
    others = np.unique(folds[train]).tolist()
    if len(others) < 2:
        return len(C) // 2
    scores = [np.zeros(labels.shape, np.float32) for _ in C]
    for fold in others:
        key = id(features), frozenset((left_out, fold))
        if key not in fitted:
            rest = train & (folds != fold)
            fitted[key] = logistic.fit(logistic.principal_axes(features[rest]), labels[rest], C)
        for step, score in enumerate(scores):
            score[folds == fold] = fitted[key].decision(features[folds == fold], step)
    return choose([score[train] for score in scores], labels[train])


def summary(
    scores: Scores, labels: np.ndarray, folds: np.ndarray, classes: list[str], counts: np.ndarray
) -> dict[str, Any]:
    """Return pooled macro AUROC with its interval, by class and by fold."""
    scored = scorable(labels)
    names = [name for name, keep in zip(classes, scored, strict=True) if keep]
    points = metrics.auroc(scores.pooled[:, scored], labels[:, scored])
    replicated = bootstrap.auroc(scores.pooled[:, scored], labels[:, scored], counts)
    overall = bootstrap.interval(metrics.macro(points), bootstrap.macro(replicated))
    each = [metrics.macro(metrics.auroc(scores.logits[folds == f], labels[folds == f])) for f in range(FOLDS)]
    return {
        **overall.rounded().to_json(),
        "per_class": {name: rounded(value) for name, value in zip(names, points, strict=True)},
        "per_class_interval": class_intervals(names, points, replicated),
        "by_fold": [rounded(value) for value in each],
        "C": scores.C,
    }


def difference(first: Scores, second: Scores, labels: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Return the macro AUROC of the first minus that of the second, on the same replicates."""
    scored = scorable(labels)
    points = [metrics.macro(metrics.auroc(each.pooled[:, scored], labels[:, scored])) for each in (first, second)]
    drawn = [
        bootstrap.macro(bootstrap.auroc(each.pooled[:, scored], labels[:, scored], counts)) for each in (first, second)
    ]
    gaps = drawn[0] - drawn[1]
    gap = bootstrap.interval(points[0] - points[1], gaps).rounded()
    return gap.to_json() | {"share_above": rounded(share_above(gaps))}
