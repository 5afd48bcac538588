"""Owns the canonical linear probe of one task: subsets, strength chosen on validation, test scores with intervals.

docs/protocols.md B.5: cached eval-mode features, standardised on the training subset; one-vs-rest logistic regression;
C by macro AUROC on the whole validation split; the test split is scored once. A class without a training positive is
scored by its constant (AUROC 0.5, listed); a class without a test positive or negative is left out of the macro
(listed). With all labels every seed has the same subset and the same optimum, so it is solved once (`distinct_subsets`
says so).
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.probing import bootstrap, logistic, metrics, subsets
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.settings import Probe

log = logging.getLogger(__name__)

PROTOCOLS = ("canonical", "merl", "melp")


@dataclass(frozen=True)
class Run:
    """One trained head: its subset, and its scores on validation and test."""

    seed: int
    rows: np.ndarray
    """Positions in the training split."""
    strength: float | None
    val: np.ndarray
    test: np.ndarray
    """Logits (n, C), float32."""
    layer: tuple[np.ndarray, np.ndarray] | None = None
    """Coefficients (D, C) and intercepts (C,) in terms of raw features, float64; None where they are not kept."""


def evaluate(
    cohort: Cohort,
    features: Mapping[str, np.ndarray],
    probe: Probe,
    keep: Callable[[float, str, Run], None] | None = None,
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Probe each representation of `features` (N, D) at each fraction; return the result and the test predictions.

    `keep` is shown the first run of each fraction and representation.
    """
    counts = bootstrap.draws(len(cohort.test.ids), probe.bootstrap)
    results: dict[str, dict[str, Any]] = {}
    tables = []
    for fraction in probe.fractions:
        for name, matrix in features.items():
            runs = list(canonical_runs(cohort, matrix, fraction, probe))
            if keep:
                keep(fraction, name, runs[0])
            results.setdefault(str(fraction), {})[name] = summarise(cohort, runs, counts, list(range(probe.seeds)))
            tables += [predictions(cohort, run, fraction, name) for run in runs]
            log.info("%s %s at %s: %.4f", cohort.task, name, fraction, results[str(fraction)][name]["mean"])
    return {**head(cohort, "canonical"), "results": results}, pl.concat(tables)


def canonical_runs(cohort: Cohort, features: np.ndarray, fraction: float, probe: Probe) -> Iterator[Run]:
    """Yield one run a seed; at fraction 1 all seeds have the same subset and the same optimum, so only the first."""
    train, val, test = (features[part.rows] for part in (cohort.train, cohort.val, cohort.test))
    for seed in range(probe.seeds if fraction < 1 else 1):
        rows = subsets.nested(cohort.train.ids, fraction, seed)
        path = logistic.fit(logistic.principal_axes(train[rows]), cohort.train.labels[rows], probe.C)
        scores = [path.decision(val, step) for step in range(len(probe.C))]
        best = choose(scores, cohort.val.labels)
        layer = path.coef[best], path.intercept[best]
        yield Run(seed, rows, probe.C[best], scores[best], path.decision(test, best), layer)


def choose(scores: list[np.ndarray], labels: np.ndarray) -> int:
    """Return the position of the highest macro AUROC on validation, the first of equals.

    Where validation has no class with a positive and a negative there is nothing to choose by: the middle of the grid.
    """
    if not scorable(labels).any():
        return len(scores) // 2
    return int(np.argmax([metrics.macro(metrics.auroc(score, labels)) for score in scores]))


def head(cohort: Cohort, protocol: str) -> dict[str, Any]:
    """Return what all numbers of a task share."""
    kept = scorable(cohort.test.labels)
    return {
        "task": cohort.task,
        "protocol": protocol,
        "classes": cohort.classes,
        "classes_left_out": [name for name, keep in zip(cohort.classes, kept, strict=True) if not keep],
        "n_train": len(cohort.train.ids),
        "n_val": len(cohort.val.ids),
        "n_test": len(cohort.test.ids),
        "n_without_features": cohort.without_features,
        "test_positives": dict(zip(cohort.classes, cohort.test.labels.sum(axis=0).tolist(), strict=True)),
    }


def summarise(cohort: Cohort, runs: list[Run], counts: np.ndarray, seeds: list[int]) -> dict[str, Any]:
    """Return the figures of one fraction and representation over its runs, rounded to six decimals.

    There is one run a seed, or one that stands for all of them.
    """
    labels, kept = cohort.test.labels, scorable(cohort.test.labels)
    names = [name for name, keep in zip(cohort.classes, kept, strict=True) if keep]
    points = np.array([metrics.auroc(run.test[:, kept], labels[:, kept]) for run in runs])
    replicated = np.array([bootstrap.auroc(run.test[:, kept], labels[:, kept], counts) for run in runs])
    overall = bootstrap.interval(points.mean(), bootstrap.over_seeds(bootstrap.macro(replicated)))
    drawn = np.stack([bootstrap.over_seeds(replicated[:, :, c]) for c in range(len(names))], axis=1)
    untrained = [[not cohort.train.labels[run.rows, c].any() for run in runs] for c in range(len(cohort.classes))]
    thresholds = [metrics.best_thresholds(run.val, cohort.val.labels) for run in runs]
    return {
        "mean": tidy(overall.mean),
        "low": tidy(overall.low),
        "high": tidy(overall.high),
        "seeds": seeds,
        "distinct_subsets": len(runs),
        "by_seed": [tidy(value) for value in np.broadcast_to(points.mean(axis=1), len(seeds))],
        "strength": [run.strength for run in runs],
        "n_train": len(runs[0].rows),
        "n_test": len(cohort.test.ids),
        "classes_without_train_positive": [
            name for name, lacks in zip(cohort.classes, untrained, strict=True) if any(lacks)
        ],
        "untrained_by_seed": np.sum(untrained, axis=0).tolist(),
        "skipped_replicates": int(np.isnan(replicated).sum()),
        "per_class": {name: tidy(value) for name, value in zip(names, points.mean(axis=0), strict=True)},
        "per_class_interval": class_intervals(names, points.mean(axis=0), drawn),
        "auprc": tidy(np.mean([metrics.macro(metrics.auprc(run.test, labels)[kept]) for run in runs])),
        "f1": tidy(
            np.mean(
                [metrics.macro(metrics.f1(run.test, labels, t)[kept]) for run, t in zip(runs, thresholds, strict=True)]
            )
        ),
    }


def class_intervals(names: list[str], points: np.ndarray, replicated: np.ndarray) -> dict[str, list[float]]:
    """Return [low, high] of each class from replicates (B, C)."""
    found = [bootstrap.interval(point, replicated[:, c]) for c, point in enumerate(points)]
    return {name: [tidy(each.low), tidy(each.high)] for name, each in zip(names, found, strict=True)}


def predictions(cohort: Cohort, run: Run, fraction: float, representation: str) -> pl.DataFrame:
    """Return one row a test record: id, fraction, representation, seed, `score/<class>` and `label/<class>`."""
    scores = {f"score/{name}": run.test[:, c] for c, name in enumerate(cohort.classes)}
    labels = {f"label/{name}": cohort.test.labels[:, c] for c, name in enumerate(cohort.classes)}
    keys = [pl.lit(fraction).alias("fraction"), pl.lit(representation).alias("representation")]
    frame = pl.DataFrame({"id": cohort.test.ids}).with_columns(*keys, pl.lit(run.seed, pl.Int32).alias("seed"))
    return frame.hstack(pl.DataFrame(scores | labels))


def check_protocol(name: str) -> None:
    """Raise ConfigError for a protocol that does not exist."""
    if name not in PROTOCOLS:
        raise ConfigError(
            f"no probe protocol is called '{name}'{did_you_mean(name, list(PROTOCOLS))}",
            allowed=", ".join(PROTOCOLS),
            fix="set probe.protocol in params.yaml",
        )


def tidy(value: float | np.floating[Any]) -> float:
    """Round to six decimals: below what a record more or less changes."""
    return round(float(value), 6)
