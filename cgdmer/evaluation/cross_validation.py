"""Owns cross-validation on a small labelled corpus: patient-disjoint folds, one linear head a fold, pooled scores.

A head's strength is chosen by the same division of its own training folds, so no record of a fold has any say in what
scores it. Intervals resample patients, because recordings of one patient resemble each other.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, logistic, metrics
from cgdmer.probing.cohort import scorable
from cgdmer.probing.linear_probe import choose, class_intervals, tidy

FOLDS = 5


@dataclass(frozen=True)
class Scores:
    """What the heads say of records they were not trained on."""

    logits: np.ndarray
    """(n, C) float32, each row from the head of its fold."""
    strengths: list[float]
    """Chosen inverse L2 strength of each fold."""


def deal(patients: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """Return the fold of each record (n,): patients of equal labels are dealt out in the order of a hash.

    `labels` is (n, C) in {0, 1}. DataError for fewer patients than folds.
    """
    together: dict[str, np.ndarray] = {}
    for patient, row in zip(patients, labels, strict=True):
        together[patient] = together.get(patient, np.zeros_like(row)) | row
    if len(together) < FOLDS:
        raise DataError(f"{len(together)} patients for {FOLDS} folds", fix="add records to the local copy")
    ordered = sorted(together, key=lambda name: (together[name].tolist(), hashlib.sha256(name.encode()).hexdigest()))
    place = {patient: position % FOLDS for position, patient in enumerate(ordered)}
    return np.array([place[patient] for patient in patients])


def out_of_fold(
    features: Sequence[np.ndarray], labels: np.ndarray, folds: np.ndarray, strengths: Sequence[float]
) -> Scores:
    """Score every record by the head of its fold; `features[fold]` (n, D) come from an encoder that never saw it."""
    logits = np.zeros(labels.shape, np.float32)
    chosen = []
    for fold in range(FOLDS):
        matrix, rest = features[fold], np.flatnonzero(folds != fold)
        best = best_strength(matrix[rest], labels[rest], folds[rest], strengths)
        path = logistic.fit(logistic.principal_axes(matrix[rest]), labels[rest], strengths)
        logits[folds == fold] = path.decision(matrix[folds == fold], best)
        chosen.append(strengths[best])
    return Scores(logits, chosen)


def best_strength(features: np.ndarray, labels: np.ndarray, folds: np.ndarray, strengths: Sequence[float]) -> int:
    """Return the position of the strength whose pooled scores over the given folds have the highest macro AUROC."""
    scores = [np.zeros(labels.shape, np.float32) for _ in strengths]
    for fold in np.unique(folds):
        apart, rest = folds == fold, folds != fold
        path = logistic.fit(logistic.principal_axes(features[rest]), labels[rest], strengths)
        for step, score in enumerate(scores):
            score[apart] = path.decision(features[apart], step)
    return choose(scores, labels)


def resampled(patients: Sequence[str], replicates: int) -> np.ndarray:
    """Return how often each record occurs in each replicate (n, replicates), patients drawn with replacement."""
    names = sorted(set(patients))
    number = {name: position for position, name in enumerate(names)}
    counts: np.ndarray = bootstrap.draws(len(names), replicates)[[number[patient] for patient in patients]]
    return counts


def summary(
    scores: Scores, labels: np.ndarray, folds: np.ndarray, classes: list[str], counts: np.ndarray
) -> dict[str, Any]:
    """Return pooled macro AUROC with its interval, class by class and fold by fold, rounded to six decimals."""
    kept = scorable(labels)
    names = [name for name, keep in zip(classes, kept, strict=True) if keep]
    points = metrics.auroc(scores.logits[:, kept], labels[:, kept])
    replicated = bootstrap.auroc(scores.logits[:, kept], labels[:, kept], counts)
    overall = bootstrap.interval(metrics.macro(points), bootstrap.macro(replicated))
    each = [metrics.macro(metrics.auroc(scores.logits[folds == f], labels[folds == f])) for f in range(FOLDS)]
    return {
        "mean": tidy(overall.mean),
        "low": tidy(overall.low),
        "high": tidy(overall.high),
        "per_class": {name: tidy(value) for name, value in zip(names, points, strict=True)},
        "per_class_interval": class_intervals(names, points, replicated),
        "by_fold": [tidy(value) for value in each],
        "strength": scores.strengths,
    }


def difference(first: Scores, second: Scores, labels: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Return the macro AUROC of the first minus that of the second, on the same replicates."""
    kept = scorable(labels)
    points = [metrics.macro(metrics.auroc(each.logits[:, kept], labels[:, kept])) for each in (first, second)]
    drawn = [
        bootstrap.macro(bootstrap.auroc(each.logits[:, kept], labels[:, kept], counts)) for each in (first, second)
    ]
    gaps = drawn[0] - drawn[1]
    found = bootstrap.interval(points[0] - points[1], gaps)
    share = float((gaps > 0).mean())
    return {"mean": tidy(found.mean), "low": tidy(found.low), "high": tidy(found.high), "share_above": tidy(share)}


def markdown(result: dict[str, Any]) -> str:
    """Say in a page what the cross-validation found, whichever way it went."""
    training, first = result["training"], next(iter(result["encoders"]))
    real = training["real_records"]
    left_out = "; ".join(f"{count} {why}" for why, count in result["left_out"].items() if count) or "none"
    lines = [
        f"# {result['task']} on real recordings, {result['folds']}-fold cross-validation",
        "",
        f"{result['records']} records of {result['patients']} patients, folds disjoint by patient "
        f"(left out: {left_out}). Macro AUROC of out-of-fold scores with the 95 % interval of {result['bootstrap']} "
        "resamplings of patients; L2 logistic head, its strength chosen inside the training folds.",
        "",
        f"Row `{first}` begins from {training['begins_from']}, and goes on for {training['params']['epochs']} epochs "
        f"over {training['simulated_records']} simulated records and the {min(real)} to {max(real)} real ones of the "
        "other folds, with their reports, repeated to equal weight. Nothing saw a fold before it was scored.",
        "",
        f"| encoder | part | macro AUROC | interval | {' | '.join(result['positives'])} |",
        f"|---|---|---|---|{'---|' * len(result['positives'])}",
    ]
    for name, kinds in result["encoders"].items():
        for kind, row in kinds.items():
            each = " | ".join(
                f"{row['per_class'][c]:.3f}" if c in row["per_class"] else "" for c in result["positives"]
            )
            lines.append(f"| {name} | {kind} | {row['mean']:.3f} | {row['low']:.3f} to {row['high']:.3f} | {each} |")
    lines += ["", f"`{first}` against the others, `pooled`, the same resamplings:", ""]
    lines += [f"- {_verdict(name, gap)}" for name, gap in result["differences"].items()]
    return "\n".join(lines) + "\n"


def _verdict(name: str, gap: dict[str, float]) -> str:
    """Name the winner only where the interval of the difference leaves out zero."""
    word = "better than" if gap["low"] > 0 else "worse than" if gap["high"] < 0 else "not distinguishable from"
    return f"{word} {name}: {gap['mean']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})"
