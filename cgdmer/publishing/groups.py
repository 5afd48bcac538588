"""Macro AUROC by sex and by age band, with intervals, from saved predictions and the index of the shards."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from cgdmer import paths
from cgdmer.probing import bootstrap, comparison
from cgdmer.probing.cohort import scorable
from cgdmer.publishing.gate import ENCODER, anonymous, hashed
from cgdmer.results import Interval
from cgdmer.shards import open_shards
from cgdmer.tables import TASKS, read

AGES = ((0, 40), (40, 60), (60, 80), (80, 200))
"""Age bands in years, upper end excluded."""
FEWEST = 25
"""Fewest test records for which a group gets a number."""
REPLICATES = 300


@dataclass(frozen=True)
class Group:
    """One task within one group of patients."""

    task: str
    name: str
    records: int
    auroc: Interval | None
    """None with too few records, or if no class has both a positive and a negative."""


def measure(task: str) -> Iterator[Group]:
    """Measure a task within each group; yield nothing if the corpus states neither sex nor age."""
    source = TASKS[task]
    rows = open_shards(paths.shards(source)).columns("id", "age", "sex").select("id", "age", "sex")
    predictions = anonymous(read(paths.predictions(ENCODER, task)))
    patients = rows.with_columns(pl.col("id").map_elements(hashed, return_dtype=pl.String))
    joined = predictions.join(patients, on="id", how="left")
    for name, belongs in memberships():
        group = joined.filter(belongs).drop("age", "sex").sort("seed", "id")
        records = group["id"].n_unique()
        if records:
            yield Group(task, name, records, _interval(group) if records >= FEWEST else None)


def memberships() -> Iterator[tuple[str, pl.Expr]]:
    """Yield each group's name and the expression for its members; a patient of unknown sex or age is in no group."""
    for sex in ("female", "male"):
        yield sex, pl.col("sex").eq(sex)
    for low, high in AGES:
        name = f"under {high}" if low == 0 else f"{low} to {high - 1}" if high < 150 else f"{low} and over"
        yield name, pl.col("age").ge(low) & pl.col("age").lt(high)


def _interval(predictions: pl.DataFrame) -> Interval | None:
    """Return macro AUROC, mean over seeds, with the interval over records and seeds."""
    labels = predictions.filter(pl.col("seed") == predictions["seed"][0]).select(pl.col("^label/.*$")).to_numpy()
    if not scorable(labels).any():
        return None
    points, drawn = comparison.macros(predictions, REPLICATES)
    return bootstrap.interval(float(points.mean()), bootstrap.over_seeds(drawn))
