"""From the saved predictions of an encoder to stored numbers."""

import polars as pl

from cgdmer.ablation_results import DifferenceCell
from cgdmer.probing import seeds
from cgdmer.probing.seeds import Trainings
from cgdmer.results import WEIGHTS, rounded


def trainings_of(predictions: pl.DataFrame, replicates: int = 1000) -> Trainings:
    """Score predictions of one fraction and representation: one row per set of weights, one row without such sets."""
    if WEIGHTS not in predictions.columns:
        return seeds.trainings([predictions], replicates)
    return seeds.trainings(predictions.partition_by(WEIGHTS, include_key=False, maintain_order=True), replicates)


def difference(first: Trainings, second: Trainings) -> DifferenceCell:
    """Return the first minus the second as it is stored."""
    apart = seeds.difference(first, second)
    ends = apart.rounded()
    return DifferenceCell(ends.mean, ends.low, ends.high, first.records, apart.p, rounded(apart.detectable))
