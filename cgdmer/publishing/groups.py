"""Owns macro AUROC by sex and by age band, with intervals, from saved predictions and the patients' rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from cgdmer import paths
from cgdmer.probing import bootstrap, comparison
from cgdmer.probing.bootstrap import Interval
from cgdmer.probing.cohort import scorable
from cgdmer.publishing.gate import ENCODER, anonymous, hashed
from cgdmer.shards import open_shards
from cgdmer.tables import TASKS, read

AGES = ((0, 40), (40, 60), (60, 80), (80, 200))
"""Years, the upper end excluded."""
FEWEST = 25
"""Test records below which a group's number would say nothing."""
REPLICATES = 300


@dataclass(frozen=True)
class Group:
    """One task within one group of patients."""

    task: str
    name: str
    records: int
    auroc: Interval | None
    """None with too few records, or where no class has both a positive and a negative."""


def measure(task: str) -> Iterator[Group]:
    """Measure a task within each group its corpus knows of; none where it states neither sex nor age."""
    source = TASKS[task]
    rows = open_shards(paths.shards(source)).columns("id", "age", "sex").select("id", "age", "sex")
    found = anonymous(read(paths.predictions(ENCODER, task)))
    known = rows.with_columns(pl.col("id").map_elements(hashed, return_dtype=pl.String))
    joined = found.join(known, on="id", how="left")
    for name, chosen in conditions():
        part = joined.filter(chosen).drop("age", "sex").sort("seed", "id")
        records = part["id"].n_unique()
        if records:
            yield Group(task, name, records, _interval(part) if records >= FEWEST else None)


def conditions() -> Iterator[tuple[str, pl.Expr]]:
    """Yield each group's name and who belongs to it; an unknown sex or age belongs to none."""
    for sex in ("female", "male"):
        yield sex, pl.col("sex").eq(sex)
    for low, high in AGES:
        name = f"under {high}" if low == 0 else f"{low} to {high - 1}" if high < 150 else f"{low} and over"
        yield name, pl.col("age").ge(low) & pl.col("age").lt(high)


def _interval(part: pl.DataFrame) -> Interval | None:
    """Return macro AUROC over seeds with the interval over records and seeds."""
    labels = part.filter(pl.col("seed") == part["seed"][0]).select(pl.col("^label/.*$")).to_numpy()
    if not scorable(labels).any():
        return None
    points, drawn = comparison.macros(part, REPLICATES)
    return bootstrap.interval(float(points.mean()), bootstrap.over_seeds(drawn))
