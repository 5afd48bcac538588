"""Compare two encoders from saved predictions, paired: same records, same replicates, same seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import polars as pl

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, metrics, multiplicity
from cgdmer.probing.cohort import scorable
from cgdmer.results import Interval


@dataclass(frozen=True)
class Difference(Interval):
    """Macro AUROC of the first encoder minus that of the second."""

    share_above: float
    """Share of the replicates that have a value in which the first is better; 0 if none has."""
    se: float
    """Bootstrap standard error."""
    df: float = float("inf")
    """Degrees of freedom of the standard error; infinite unless it comes from a few pretrainings."""

    @property
    def p(self) -> float:
        """Two-sided p-value, not adjusted for other comparisons."""
        return multiplicity.p_value(self.mean, self.se, self.df)

    @property
    def detectable(self) -> float:
        """Smallest difference that these records would show with 80 % power at alpha 0.05."""
        return multiplicity.detectable(self.se, self.df)


KEYS = ("seed", "id")
"""Columns that identify a row of predictions of one fraction and one representation."""


def compare(first: pl.DataFrame, second: pl.DataFrame, replicates: int = 1000) -> Difference:
    """Compare two prediction tables, each filtered to one fraction and one representation.

    Records and training subsets are resampled together, so what is hard for both encoders cancels. DataError unless
    both tables hold the same records, seeds, classes and labels.
    """
    return difference(*paired(first, second, replicates))


def compare_tasks(pairs: Mapping[str, tuple[np.floating, np.ndarray]]) -> Difference:
    """Return the difference of the mean over tasks from the results of `paired`.

    Records are drawn by their position in the test set, so tasks of equal size are resampled together.
    """
    points = [point for point, _ in pairs.values()]
    return difference(np.mean(points), np.nanmean([drawn for _, drawn in pairs.values()], axis=0))


def paired(first: pl.DataFrame, second: pl.DataFrame, replicates: int = 1000) -> tuple[np.floating, np.ndarray]:
    """Return the difference in macro AUROC and its replicates (B,)."""
    first, second = first.sort(KEYS), second.sort(KEYS)
    if first.is_empty() or first.columns != second.columns or not truth(first).equals(truth(second)):
        raise DataError(
            f"the predictions are not of the same records, labels and seeds ({first.height} and {second.height} rows)",
            allowed="two encoders probed on one task at the same fraction and seeds, with the same labels",
            fix="dvc repro probe",
        )
    points, drawn = macros(first, replicates)
    others, other_drawn = macros(second, replicates)
    return (points - others).mean(), bootstrap.over_seeds(drawn - other_drawn)


def truth(predictions: pl.DataFrame) -> pl.DataFrame:
    """Return what two methods must share to be compared: seeds, ids and labels."""
    return predictions.select(*KEYS, "^label/.*$")


def difference(point: SupportsFloat, differences: np.ndarray) -> Difference:
    """Return a difference from its replicates (B,), with the percentiles of these as its interval."""
    ends = bootstrap.interval(float(point), differences)
    se = float(np.nanstd(differences, ddof=1)) if np.isfinite(differences).sum() > 1 else 0.0
    return Difference(ends.mean, ends.low, ends.high, share_above(differences), se)


def share_above(differences: np.ndarray) -> float:
    """Return the share of replicates (B,) above zero, of those that are not NaN; 0 if all are."""
    defined = differences[~np.isnan(differences)]
    return float((defined > 0).mean()) if len(defined) else 0.0


def macros(frame: pl.DataFrame, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the macro AUROC of each seed (S,) and of its replicates (S, B)."""
    seeds = frame.partition_by("seed", maintain_order=True)
    labels = seeds[0].select(pl.col("^label/.*$")).to_numpy()
    scored, counts = scorable(labels), bootstrap.draws(len(labels), replicates)
    scores = [seed.select(pl.col("^score/.*$")).to_numpy()[:, scored] for seed in seeds]
    points = np.array([metrics.macro(metrics.auroc(score, labels[:, scored])) for score in scores])
    drawn = np.array([bootstrap.macro(bootstrap.auroc(score, labels[:, scored], counts)) for score in scores])
    return points, drawn
