"""Intervals of methods that were pretrained several times: pretraining seeds, test records and subsets all vary.

Each pretraining is scored on the same resampled records. The variance of a mean over P pretrainings on n records is

    s^2 / P + c,

where s^2 is the variance of the P values and c the covariance, over replicates, of two different pretrainings: what
the records do to all of them alike. Resampling seeds and records together has a larger variance, because it counts
what the records do to single pretrainings twice; its replicates give the shape of the interval and are scaled to the
variance above. Few pretrainings estimate s^2 badly, so the interval is as much wider as Student's t with the degrees
of freedom of Welch and Satterthwaite is than the normal distribution. With one pretraining all of this is the ordinary
bootstrap of records and subsets, and pretraining is left out: whoever shows the number has to say so.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri, stdtrit

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, comparison
from cgdmer.probing.comparison import KEYS, Difference, truth

SEED = bootstrap.SEED + 2
"""Seed of the resampled pretrainings."""


@dataclass(frozen=True)
class Trainings:
    """Macro AUROC of one method: one row per pretraining, the same resampled records and subsets in all rows."""

    points: np.ndarray
    """(P,)"""
    drawn: np.ndarray
    """Replicates (P, B)."""
    records: int
    subsets: int = 1
    """Training subsets of the probes behind each row."""
    keys: str = ""
    """Digest of the records, labels and subset seeds that were scored; '' if they are not known."""

    @property
    def count(self) -> int:
        """The number P of pretrainings."""
        return len(self.points)


def trainings(tables: Sequence[pl.DataFrame], replicates: int = 1000) -> Trainings:
    """Score the prediction tables of several pretrainings, each filtered to one fraction and one representation.

    DataError unless all tables hold the same records, subset seeds, classes and labels.
    """
    ordered = [table.sort(KEYS) for table in tables]
    for table in ordered:
        if table.is_empty() or table.columns != ordered[0].columns or not truth(table).equals(truth(ordered[0])):
            raise DataError(
                "the predictions of the pretrainings are not of the same records, labels and subset seeds",
                allowed="pretrainings of one method, probed on one task at the same fraction",
                fix="make ablations",
            )
    scored = [comparison.macros(table, replicates) for table in ordered]
    points = np.array([point.mean() for point, _ in scored])
    return Trainings(
        points,
        np.stack([bootstrap.over_seeds(drawn) for _, drawn in scored]),
        ordered[0]["id"].n_unique(),
        keys=_digest([column.to_list() for column in truth(ordered[0])]),
    )


def _digest(content: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def mean(tasks: Sequence[Trainings]) -> Trainings:
    """Return the mean over tasks of a method; its numbers of records and subsets are the smallest of a task."""
    keys = sorted(task.keys for task in tasks)
    return Trainings(
        np.mean([task.points for task in tasks], axis=0),
        np.mean([task.drawn for task in tasks], axis=0),
        min(task.records for task in tasks),
        min(task.subsets for task in tasks),
        _digest(keys) if all(keys) else "",
    )


def estimate(method: Trainings) -> Difference:
    """Return the mean over pretrainings; its interval, from 0 to 1, contains pretrainings, records, subsets."""
    mean = _interval([(method, 1.0)])
    return replace(mean, low=max(mean.low, 0.0), high=min(mean.high, 1.0))


def difference(first: Trainings, second: Trainings) -> Difference:
    """Return the first method minus the second.

    Records and subsets are paired. Pretrainings are not: the same seed gives two methods different weights, so each
    method's pretrainings are resampled on their own, and their numbers may differ. A method without random weights,
    such as hand-crafted features, has one row.
    """
    _check_comparable(first, second)
    return _interval([(first, 1.0), (second, -1.0)])


def paired_difference(first: Trainings, second: Trainings) -> Difference:
    """Return the first method minus the second, where row d of both comes from the same draw of training records.

    What a draw does to both methods cancels out; the variance is that of the differences within draws.
    """
    _check_comparable(first, second)
    if first.count != second.count:
        raise DataError(
            f"the methods were trained on {first.count} and {second.count} draws of records",
            allowed="the same draws for both methods",
        )
    return _interval([(replace(first, points=first.points - second.points, drawn=first.drawn - second.drawn), 1.0)])


def _check_comparable(first: Trainings, second: Trainings) -> None:
    """Raise DataError unless both methods were scored on the same records and replicates."""
    others = bool(first.keys and second.keys) and first.keys != second.keys
    if first.drawn.shape[1] != second.drawn.shape[1] or first.records != second.records or others:
        raise DataError(
            f"the methods were not scored on the same records and seeds ({first.records} and {second.records} records)",
            allowed="two methods on one task with the same number of replicates",
            fix="dvc repro probe",
        )


def _interval(terms: Sequence[tuple[Trainings, float]]) -> Difference:
    """Return the signed sum of methods with its interval."""
    point = float(sum(sign * method.points.mean() for method, sign in terms))
    drawn = sum(sign * _resampled(method, number) for number, (method, sign) in enumerate(terms))
    assert isinstance(drawn, np.ndarray)
    drawn = drawn[~np.isnan(drawn)]
    by_pretraining = [method.points.var(ddof=1) / method.count for method, _ in terms if method.count > 1]
    if not by_pretraining or len(drawn) < 2:
        return comparison.difference(point, drawn)
    variance = sum(by_pretraining) + max(_common(terms), 0.0)
    squares = [method.points.var(ddof=1) ** 2 / method.count**2 / (method.count - 1)
               for method, _ in terms if method.count > 1]  # fmt: skip
    df = variance**2 / sum(squares) if sum(squares) > 0 else np.inf
    wider = np.sqrt(variance) / drawn.std() if drawn.std() > 0 else 1.0
    wider *= float(stdtrit(df, 0.975) / ndtri(0.975)) if np.isfinite(df) else 1.0
    widened = point + (drawn - drawn.mean()) * wider
    ends = bootstrap.interval(point, widened)
    return Difference(point, ends.low, ends.high, comparison.share_above(widened), float(np.sqrt(variance)), float(df))


def _resampled(method: Trainings, number: int) -> np.ndarray:
    """Return replicates (B,) of the mean over pretrainings drawn with replacement."""
    rows, replicates = method.drawn.shape
    chosen = np.random.default_rng([SEED, number]).integers(0, rows, (rows, replicates))
    means: np.ndarray = np.take_along_axis(method.drawn, chosen, axis=0).mean(axis=0)
    return means


def _common(terms: Sequence[tuple[Trainings, float]]) -> float:
    """Return the variance that resampled records add to the signed sum of methods, the same for all pretrainings."""
    rows = np.concatenate([method.drawn for method, _ in terms])
    rows = rows[:, ~np.isnan(rows).any(axis=0)]
    covariance = np.atleast_2d(np.cov(rows))
    owner = np.repeat(np.arange(len(terms)), [method.count for method, _ in terms])
    total = 0.0
    for i, (method, sign) in enumerate(terms):
        for j, (_, other_sign) in enumerate(terms):
            block = covariance[np.ix_(owner == i, owner == j)]
            own_rows = i == j and method.count > 1
            total += sign * other_sign * (block[~np.eye(len(block), dtype=bool)] if own_rows else block).mean()
    return float(total)
