"""Compare two encoders from saved predictions, paired: same records, same replicates, same seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, metrics
from cgdmer.probing.cohort import scorable
from cgdmer.results import Interval


@dataclass(frozen=True)
class Difference(Interval):
    """Macro AUROC of the first encoder minus that of the second."""

    share_above: float
    """Share of replicates in which the first is better."""


def compare(first: pl.DataFrame, second: pl.DataFrame, replicates: int = 1000) -> Difference:
    """Compare two prediction tables, each filtered to one fraction and one representation.

    Records and training subsets are resampled together, so what is hard for both encoders cancels. DataError unless
    both tables hold the same records, seeds and classes.
    """
    return _difference(*paired(first, second, replicates))


def compare_tasks(pairs: Mapping[str, tuple[np.floating, np.ndarray]]) -> Difference:
    """Return the difference of the mean over tasks from the results of `paired`; tasks are resampled independently."""
    points = [point for point, _ in pairs.values()]
    return _difference(np.mean(points), np.nanmean([drawn for _, drawn in pairs.values()], axis=0))


def paired(first: pl.DataFrame, second: pl.DataFrame, replicates: int = 1000) -> tuple[np.floating, np.ndarray]:
    """Return the difference in macro AUROC and its replicates (B,)."""
    keys = ["seed", "id"]
    first, second = first.sort(keys), second.sort(keys)
    if first.columns != second.columns or not first.select(keys).equals(second.select(keys)) or first.is_empty():
        raise DataError(
            f"the predictions are not of the same records and seeds ({first.height} and {second.height} rows)",
            allowed="two encoders probed on one task at the same fraction and seeds",
            fix="dvc repro probe",
        )
    points, drawn = macros(first, replicates)
    others, other_drawn = macros(second, replicates)
    return (points - others).mean(), bootstrap.over_seeds(drawn - other_drawn)


def _difference(point: np.floating, differences: np.ndarray) -> Difference:
    difference = bootstrap.interval(float(point), differences)
    return Difference(difference.mean, difference.low, difference.high, float((differences > 0).mean()))


def macros(frame: pl.DataFrame, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the macro AUROC of each seed (S,) and of its replicates (S, B)."""
    seeds = frame.partition_by("seed", maintain_order=True)
    labels = seeds[0].select(pl.col("^label/.*$")).to_numpy()
    scored, counts = scorable(labels), bootstrap.draws(len(labels), replicates)
    scores = [seed.select(pl.col("^score/.*$")).to_numpy()[:, scored] for seed in seeds]
    points = np.array([metrics.macro(metrics.auroc(score, labels[:, scored])) for score in scores])
    drawn = np.array([bootstrap.macro(bootstrap.auroc(score, labels[:, scored], counts)) for score in scores])
    return points, drawn
