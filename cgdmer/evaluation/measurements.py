"""Measured knowledge: ridge probes from frozen features to intervals, axes, age and sex, with bootstrap intervals.

A probe is fitted for each measurement on the records that have it; alpha is chosen on validation records. R^2 is
relative to the mean of the scored records. An axis is predicted as cosine and sine, and its error is the angle between.
Sex is predicted as 0 or 1 and scored by AUROC. Intervals resample patients, the same for every encoder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.evaluation.intervals import ANGLE, BINARY, MEASUREMENTS, Measured, MeasuredBy
from cgdmer.probing import bootstrap, logistic, ridge
from cgdmer.probing.patients import resampled
from cgdmer.results import Interval, rounded

LEAST = 30
"""Fewest training records, and fewest scored ones, with which a measurement is probed."""
LEAST_TO_CHOOSE = 5
"""Fewest validation records, which choose the penalty of a probe."""
Features = Mapping[str, np.ndarray]
"""Features (N, D) by representation."""


@dataclass(frozen=True)
class Records:
    """The true values of N records."""

    values: Mapping[str, np.ndarray]
    """(N,) float64 by measurement, NaN where a record has none."""
    patients: Sequence[str]


@dataclass(frozen=True)
class Part:
    """Training, validation and scored records of one probe, as row numbers."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Question:
    """One measurement with the records that have it."""

    name: str
    target: np.ndarray
    """(N, K): what the probe predicts."""
    parts: list[Part]
    counts: np.ndarray
    """How often each scored record occurs in each replicate (n, B)."""

    @property
    def scored(self) -> np.ndarray:
        """Rows of the scored records (n,), part after part."""
        return np.concatenate([part.test for part in self.parts])


def measure(
    records: Records, encoders: Mapping[str, Sequence[Features]], parts: Sequence[Part], replicates: int
) -> dict[str, Measured]:
    """Probe every measurement from every representation; `parts` are one split, or the folds of a cross-validation.

    An encoder is one or several sets of weights, whose results are averaged; a replicate draws sets too. The scored
    records of all parts are scored together. Left out are measurements of fewer than `LEAST` records, or
    `LEAST_TO_CHOOSE` of validation, and values that all records share.
    """
    asked = questions(records, parts, replicates)
    answers: dict[str, dict[str, dict[str, MeasuredBy]]] = {question.name: {} for question in asked}
    for encoder, sets in encoders.items():
        for kind in sets[0]:
            for name, answer in _answer(asked, [each[kind] for each in sets]).items():
                answers[name].setdefault(encoder, {})[kind] = answer
    return {
        question.name: Measured(
            n_train=len(np.unique(np.concatenate([part.train for part in question.parts]))),
            n_test=len(question.scored),
            baseline=baseline(question.name, question.target[question.scored]),
            encoders=answers[question.name],
        )
        for question in asked
    }


def questions(records: Records, parts: Sequence[Part], replicates: int) -> list[Question]:
    """Return the measurements that enough records have, in the order of tables."""
    asked = []
    for name in MEASUREMENTS:
        values = records.values.get(name, np.full(len(records.patients), np.nan))
        own = [Part(*(rows[np.isfinite(values[rows])] for rows in (p.train, p.val, p.test))) for p in parts]
        test = np.concatenate([part.test for part in own])
        if min(len(test), *(len(part.train) for part in own)) < LEAST or np.ptp(values[test]) == 0:
            continue
        if min(len(part.val) for part in own) < LEAST_TO_CHOOSE:
            continue
        counts = resampled([records.patients[row] for row in test], replicates)
        asked.append(Question(name, encoded(name, values), own, counts))
    return asked


def _answer(asked: Sequence[Question], sets: Sequence[np.ndarray]) -> dict[str, MeasuredBy]:
    """Fit one probe per measurement, part and set of weights (N, D); measurements of the same records share axes."""
    points: dict[str, list[np.ndarray]] = {}
    drawn: dict[str, list[np.ndarray]] = {}
    alphas: dict[str, list[float]] = {}
    for features in sets:
        axes: dict[bytes, logistic.Axes] = {}
        for question in asked:
            fitted = [_predict(features, question.target, part, axes) for part in question.parts]
            predicted = np.concatenate([prediction for prediction, _ in fitted])
            truth = question.target[question.scored]
            for counts, into in ((np.ones((len(truth), 1), np.float32), points), (question.counts, drawn)):
                scores = np.stack([r2(predicted, truth, counts), error(question.name, predicted, truth, counts)])
                into.setdefault(question.name, []).append(scores)
            alphas.setdefault(question.name, []).extend(alpha for _, alpha in fitted)
    return {
        name: MeasuredBy(
            r2=_interval(points[name], drawn[name], 0),
            error=_interval(points[name], drawn[name], 1),
            alpha=alphas[name],
        )
        for name in points
    }


def _interval(points: Sequence[np.ndarray], drawn: Sequence[np.ndarray], which: int) -> Interval:
    """Return the mean over sets of weights with its interval; `points` (2, 1) and `drawn` (2, B) of each set."""
    mean = float(np.mean([point[which] for point in points]))
    return bootstrap.interval(mean, bootstrap.over_seeds(np.stack([each[which] for each in drawn]))).rounded()


def encoded(name: str, values: np.ndarray) -> np.ndarray:
    """Return what the probe predicts: (N, 1), or cosine and sine (N, 2) of an axis in degrees."""
    if MEASUREMENTS[name].kind != ANGLE:
        return values[:, None]
    radians = np.deg2rad(values)
    return np.column_stack([np.cos(radians), np.sin(radians)])


def _predict(
    features: np.ndarray, target: np.ndarray, part: Part, axes: dict[bytes, logistic.Axes]
) -> tuple[np.ndarray, float]:
    """Return the predictions for the scored records (n, K), and the chosen alpha."""
    key = part.train.tobytes()
    axes[key] = axes.get(key) or logistic.principal_axes(features[part.train])
    path = ridge.fit(axes[key], target[part.train])
    tried = [path.predict(features[part.val], step) for step in range(len(ridge.ALPHAS))]
    best = ridge.choose(tried, target[part.val])
    return path.predict(features[part.test], best), ridge.ALPHAS[best]


def r2(predicted: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return 1 - squared error / variance, summed over the columns of the target, in every replicate (B,)."""
    weights = counts.astype(np.float64)
    off = np.square(predicted - truth).sum(axis=1) @ weights
    centred = truth - truth.mean(axis=0)
    variance = np.square(centred).sum(axis=1) @ weights - np.square(centred.T @ weights).sum(axis=0) / weights.sum(
        axis=0
    )
    ratio: np.ndarray = np.where(variance > 0, 1.0 - off / np.where(variance > 0, variance, 1.0), np.nan)
    return ratio


def error(name: str, predicted: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean absolute error, of an axis in degrees, or the AUROC of a binary quantity, by replicate (B,)."""
    kind = MEASUREMENTS[name].kind
    if kind == BINARY:
        return bootstrap.auroc(predicted, truth, counts)[:, 0]
    errors = _between(predicted, truth) if kind == ANGLE else np.abs(predicted[:, 0] - truth[:, 0])
    weighted: np.ndarray = errors @ counts.astype(np.float64) / counts.sum(axis=0)
    return weighted


def _between(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the angle in degrees, 0 to 180, between predicted and true directions (n, 2)."""
    turn = np.arctan2(predicted[:, 1], predicted[:, 0]) - np.arctan2(truth[:, 1], truth[:, 0])
    degrees: np.ndarray = np.abs(np.rad2deg(np.arctan2(np.sin(turn), np.cos(turn))))
    return degrees


def baseline(name: str, target: np.ndarray) -> float:
    """Return the error of a constant: the mean of the scored records (n, K), or their direction; 0.5 for an AUROC."""
    constant, whole = np.tile(target.mean(axis=0), (len(target), 1)), np.ones((len(target), 1), np.float32)
    return rounded(error(name, constant, target, whole)[0])


def folds(dealt: np.ndarray) -> list[Part]:
    """Return the parts of a cross-validation by the fold of each record (N,): the next fold is validation."""
    count = int(dealt.max()) + 1
    return [
        Part(
            train=np.flatnonzero((dealt != fold) & (dealt != (fold + 1) % count)),
            val=np.flatnonzero(dealt == (fold + 1) % count),
            test=np.flatnonzero(dealt == fold),
        )
        for fold in range(count)
    ]
