"""The line of a variant: its numbers, and their paired differences to the first variant, pretraining seeds included."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.quality.scoring import KIND, Scored
from cgdmer.evaluation import robustness
from cgdmer.external import scoring as external
from cgdmer.external.external_set import ExternalSet
from cgdmer.probing import seeds
from cgdmer.results import Interval, rounded

FRACTIONS = (0.01, 0.1, 1.0)
REAL_TASK = "ptb_xl_super"
PROBED = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of the penalty from which a probe on real recordings chooses in its training folds."""
REPLICATES = 1000


def line(scored: Scored, base: Scored, real: ExternalSet | None, seconds: float) -> dict[str, Any]:
    """Return one JSON object: every macro AUROC with its interval, and its difference to `base` unless it is that."""
    result: dict[str, Any] = {"variant": scored.variant.name, "changes": scored.variant.overlay}
    result |= {"passes": scored.variant.budget.passes, "pretrainings": scored.variant.budget.seeds}
    compared = scored.variant.key != base.variant.key
    differences: dict[str, Any] = {}
    result["simulated"] = {}
    for fraction in FRACTIONS:
        own = simulated(scored.predictions, fraction)
        result["simulated"][str(fraction)] = shown(seeds.estimate(own))
        if compared:
            differences[f"simulated {fraction}"] = shown(seeds.difference(own, simulated(base.predictions, fraction)))
    result["robustness"] = {}
    others = robust(base)
    for name, change in robust(scored).items():
        result["robustness"][name] = shown(seeds.difference(change, unchanged(change)))
        if compared:
            differences[name] = shown(seeds.difference(change, others[name]))
    if real is not None:
        names = {"variant": scored.real, **({"base": base.real} if compared else {})}
        members = external.members(real.tasks[REAL_TASK], real.patients, REPLICATES)
        if members is not None:
            task = external.score_task(members, names, PROBED)
            result["real"] = {"records": task.records, REAL_TASK: shown(task.encoders["variant"][KIND])}
            if compared:
                differences["real"] = shown(task.differences["base"])
    if compared:
        result["minus"], result["differences"] = base.variant.name, differences
    return result | {"seconds": round(seconds)}


def simulated(predictions: Sequence[Mapping[str, pl.DataFrame]], fraction: float) -> seeds.Trainings:
    """Return the mean over the simulated tasks at one fraction of the labels, from the scores of each pretraining."""
    chosen = (pl.col("fraction") == fraction) & (pl.col("representation") == KIND)
    return seeds.mean([seeds.trainings([one[task].filter(chosen) for one in predictions]) for task in predictions[0]])


def robust(scored: Scored) -> dict[str, seeds.Trainings]:
    """Return how disturbed records change the macro AUROC of each pretraining, by disturbance."""
    conditions = scored.disturbed[0]["condition"].unique(maintain_order=True).to_list()
    measured = {name: seeds.trainings([_of(one, name) for one in scored.disturbed]) for name in conditions}
    clean = measured.pop(robustness.CLEAN)
    return {
        name: replace(each, points=each.points - clean.points, drawn=each.drawn - clean.drawn)
        for name, each in measured.items()
    }


def _of(disturbed: pl.DataFrame, condition: str) -> pl.DataFrame:
    return disturbed.filter(pl.col("condition") == condition).drop("condition")


def unchanged(change: seeds.Trainings) -> seeds.Trainings:
    """Return the changes, all zero, of a method that no disturbance affects."""
    return replace(change, points=np.zeros(1), drawn=np.zeros_like(change.drawn[:1]))


def shown(value: Interval) -> list[float]:
    """Return mean, low and high."""
    return [rounded(value.mean), rounded(value.low), rounded(value.high)]
