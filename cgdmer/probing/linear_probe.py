"""The canonical linear probe of one task: training subsets, C chosen on validation, test scores with intervals.

docs/protocols.md B.5: cached eval-mode features, standardised on the training subset; one-vs-rest logistic regression;
C by macro AUROC on the whole validation split; the test split is scored once. A class without a training positive is
scored by its constant (AUROC 0.5) and listed; a class without a test positive or negative is left out of the macro
AUROC and listed. With all labels every seed has the same subset and the same optimum, so the probe is solved once and
`distinct_subsets` is 1.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.probing import bootstrap, logistic, metrics, subsets
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.probing.side_by_side import Mapped, opened, shareable, side_by_side
from cgdmer.results import Interval, ProbeCell, ProbeResult, rounded
from cgdmer.settings import Probe

log = logging.getLogger(__name__)

PROTOCOLS = ("canonical", "merl", "melp")


@dataclass(frozen=True)
class Run:
    """One trained probe: its subset, and its scores on validation and test."""

    seed: int
    rows: np.ndarray
    """Positions in the training split."""
    C: float | None
    """Chosen inverse L2 strength; None for a probe without one."""
    val: np.ndarray
    test: np.ndarray
    """Logits (n, C), float32."""
    layer: tuple[np.ndarray, np.ndarray] | None = None
    """Coefficients (D, C) and intercepts (C,) on raw features, float64; None if they are not kept."""
    weights: int = 0
    """Number of the set of weights of a random control; 0 for an encoder with one."""


def evaluate(
    cohort: Cohort,
    features: Mapping[str, np.ndarray],
    probe: Probe,
    keep: Callable[[float, str, Run], None] | None = None,
) -> tuple[ProbeResult, pl.DataFrame]:
    """Probe each representation of `features` (N, D) at each fraction; return the result and the test predictions.

    `keep` is called with the first run of each fraction and representation.
    """
    counts = bootstrap.draws(len(cohort.test.ids), probe.bootstrap)
    results: dict[str, dict[str, ProbeCell]] = {}
    tables = []
    for (fraction, name), (runs, scores) in grid(cohort, [features], probe, counts).items():
        if keep:
            keep(fraction, name, runs[0])
        cell = summarise(cohort, runs, counts, list(range(probe.seeds)), scores)
        results.setdefault(str(fraction), {})[name] = cell
        tables += [predictions(cohort, run, fraction, name) for run in runs]
        log.info("%s %s at %s: %.4f", cohort.task, name, fraction, cell.mean)
    return ProbeResult(results=results, **head(cohort, "canonical")), pl.concat(tables)


@dataclass(frozen=True)
class Scores:
    """AUROC of each run R and each scorable class C of the test split, and in each of B replicates."""

    points: np.ndarray
    """(R, C)."""
    replicated: np.ndarray
    """(R, B, C)."""


def grid(
    cohort: Cohort, sets: Sequence[Mapping[str, np.ndarray]], probe: Probe, counts: np.ndarray
) -> dict[tuple[float, str], tuple[list[Run], Scores]]:
    """Return the runs, with their scores, of each fraction and representation; `sets[w][name]` is (N, D).

    There is one run for each set of weights and seed, or one for each set at fraction 1, where all seeds have the same
    subset and optimum. Runs are made side by side, and none depends on another.
    """
    cells = [(fraction, name) for fraction in probe.fractions for name in sets[0]]
    matrices = [{name: shareable(features[name]) for name in sets[0]} for features in sets]
    jobs = [Job(cohort, matrices[weights][name], name, fraction, seed, weights, probe, counts)
            for fraction, name in cells for weights in range(len(sets))
            for seed in range(probe.seeds if fraction < 1 else 1)]  # fmt: skip
    done = side_by_side(perform, jobs, cost=lambda job: job.fraction * job.features.shape[1])
    by_cell: dict[tuple[float, str], list[tuple[Run, Scores]]] = {cell: [] for cell in cells}
    for job, outcome in zip(jobs, done, strict=True):
        by_cell[job.fraction, job.representation].append(outcome)
    return {cell: ([run for run, _ in each], joined([scores for _, scores in each])) for cell, each in by_cell.items()}


@dataclass(frozen=True)
class Job:
    """One probe of a grid, with all that a process needs to make it."""

    cohort: Cohort
    features: np.ndarray | Mapped
    """(N, D)."""
    representation: str
    fraction: float
    seed: int
    weights: int
    probe: Probe
    counts: np.ndarray
    """How often each replicate takes each test record, (n, B)."""


def perform(job: Job) -> tuple[Run, Scores]:
    """Make one probe of a grid and score it."""
    run = canonical_run(job.cohort, opened(job.features), job.fraction, job.seed, job.probe)
    return replace(run, weights=job.weights), score(job.cohort, [run], job.counts)


def joined(scores: Sequence[Scores]) -> Scores:
    """Return the scores of several runs as one."""
    return Scores(np.concatenate([s.points for s in scores]), np.concatenate([s.replicated for s in scores]))


def canonical_run(cohort: Cohort, features: np.ndarray, fraction: float, seed: int, probe: Probe) -> Run:
    """Train on one subset of `features` (N, D), choose C on validation, and predict test once."""
    train, val, test = (features[split.rows] for split in (cohort.train, cohort.val, cohort.test))
    rows = subsets.nested(cohort.train.ids, fraction, seed)
    path = logistic.fit(logistic.principal_axes(train[rows]), cohort.train.labels[rows], probe.C)
    scores = [path.decision(val, step) for step in range(len(probe.C))]
    best = choose(scores, cohort.val.labels)
    layer = path.coef[best], path.intercept[best]
    return Run(seed, rows, probe.C[best], scores[best], path.decision(test, best), layer)


def choose(scores: list[np.ndarray], labels: np.ndarray) -> int:
    """Return the position of the highest macro AUROC on validation, the first of equals.

    If validation has no class with both a positive and a negative, return the middle of the grid.
    """
    if not scorable(labels).any():
        return len(scores) // 2
    return int(np.argmax([metrics.macro(metrics.auroc(score, labels)) for score in scores]))


def head(cohort: Cohort, protocol: str) -> dict[str, Any]:
    """Return the fields that every result of a task has: protocol, classes, sizes of the splits."""
    scored = scorable(cohort.test.labels)
    return {
        "task": cohort.task,
        "protocol": protocol,
        "classes": cohort.classes,
        "classes_left_out": [name for name, keep in zip(cohort.classes, scored, strict=True) if not keep],
        "n_train": len(cohort.train.ids),
        "n_val": len(cohort.val.ids),
        "n_test": len(cohort.test.ids),
        "n_without_features": cohort.without_features,
        "test_positives": dict(zip(cohort.classes, cohort.test.labels.sum(axis=0).tolist(), strict=True)),
    }


def score(cohort: Cohort, runs: list[Run], counts: np.ndarray) -> Scores:
    """Score the test split once by each run, and resampled with `counts` (n, B)."""
    scored = scorable(cohort.test.labels)
    labels, tests = cohort.test.labels[:, scored], [run.test[:, scored] for run in runs]
    points = np.array([metrics.auroc(test, labels) for test in tests])
    return Scores(points, np.array([bootstrap.auroc(test, labels, counts) for test in tests]))


def summarise(
    cohort: Cohort, runs: list[Run], counts: np.ndarray, seeds: list[int], scores: Scores | None = None,
    overall: Interval | None = None,
) -> ProbeCell:  # fmt: skip
    """Return the numbers of one fraction and representation over its runs.

    For each set of weights there is one run per seed, or a single run that stands for all seeds. `scores` are those of
    the runs, and `overall` is their macro AUROC with its interval, if they were computed before.
    """
    labels, scored = cohort.test.labels, scorable(cohort.test.labels)
    names = [name for name, keep in zip(cohort.classes, scored, strict=True) if keep]
    scores = scores or score(cohort, runs, counts)
    points, sets = scores.points, len({run.weights for run in runs})
    replicated = scores.replicated.reshape(sets, len(runs) // sets, *scores.replicated.shape[1:])
    overall = overall or bootstrap.interval(points.mean(), bootstrap.over_seeds(bootstrap.macro(replicated)))
    drawn = np.stack([bootstrap.over_seeds(replicated[..., c]) for c in range(len(names))], axis=1)
    by_seed = points.mean(axis=1).reshape(sets, -1).mean(axis=0)
    untrained = [[not cohort.train.labels[run.rows, c].any() for run in runs] for c in range(len(cohort.classes))]
    thresholds = [metrics.best_thresholds(run.val, cohort.val.labels) for run in runs]
    f1 = [metrics.macro(metrics.f1(run.test, labels, t)[scored]) for run, t in zip(runs, thresholds, strict=True)]
    return ProbeCell(
        **overall.rounded().to_json(),
        seeds=seeds,
        distinct_subsets=len(by_seed),
        by_seed=[rounded(value) for value in np.broadcast_to(by_seed, len(seeds))],
        C=[run.C for run in runs],
        n_train=len(runs[0].rows),
        n_test=len(cohort.test.ids),
        classes_without_train_positive=[
            name for name, lacks in zip(cohort.classes, untrained, strict=True) if any(lacks)
        ],
        untrained_by_seed=np.sum(untrained, axis=0).tolist(),
        skipped_replicates=int(np.isnan(replicated).sum()),
        per_class={name: rounded(value) for name, value in zip(names, points.mean(axis=0), strict=True)},
        per_class_interval=class_intervals(names, points.mean(axis=0), drawn),
        auprc=rounded(np.mean([metrics.macro(metrics.auprc(run.test, labels)[scored]) for run in runs])),
        f1=rounded(np.mean(f1)),
        validation=[on_validation(cohort, run) for run in runs],
    )


def on_validation(cohort: Cohort, run: Run) -> float | None:
    """Return the macro AUROC of a run on validation; None if validation can score no class."""
    macro = metrics.macro(metrics.auroc(run.val, cohort.val.labels))
    return None if np.isnan(macro) else rounded(macro)


def class_intervals(names: list[str], points: np.ndarray, replicated: np.ndarray) -> dict[str, list[float]]:
    """Return [low, high] of each class from replicates (B, C)."""
    intervals = [bootstrap.interval(point, replicated[:, c]).rounded() for c, point in enumerate(points)]
    return {name: [each.low, each.high] for name, each in zip(names, intervals, strict=True)}


def predictions(cohort: Cohort, run: Run, fraction: float, representation: str) -> pl.DataFrame:
    """Return one row per test record: id, fraction, representation, seed, `score/<class>` and `label/<class>`."""
    scores = {f"score/{name}": run.test[:, c] for c, name in enumerate(cohort.classes)}
    labels = {f"label/{name}": cohort.test.labels[:, c] for c, name in enumerate(cohort.classes)}
    keys = [pl.lit(fraction).alias("fraction"), pl.lit(representation).alias("representation")]
    frame = pl.DataFrame({"id": cohort.test.ids}).with_columns(*keys, pl.lit(run.seed, pl.Int32).alias("seed"))
    return frame.hstack(pl.DataFrame(scores | labels))


def check_protocol(name: str) -> None:
    """Raise ConfigError for an unknown protocol."""
    if name not in PROTOCOLS:
        raise ConfigError(
            f"no probe protocol is called '{name}'{did_you_mean(name, list(PROTOCOLS))}",
            allowed=", ".join(PROTOCOLS),
            fix="set probe.protocol in params.yaml",
        )
