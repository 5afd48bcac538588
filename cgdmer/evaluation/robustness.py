"""Linear probes with fewer than twelve leads and on disturbed test records.

The protocol is the canonical one with all labels (docs/protocols.md B.5). With fewer leads a new probe is trained on
features of these leads. Disturbed records are scored by the probe of twelve clean leads, because nobody retrains for a
bad electrode. The change from twelve clean leads is paired: the same test records in every bootstrap replicate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cgdmer.probing import bootstrap, linear_probe, logistic, metrics
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.probing.side_by_side import Mapped, opened, shareable, side_by_side
from cgdmer.results import Condition, rounded
from cgdmer.settings import Probe

CLEAN = "12 leads"


@dataclass(frozen=True)
class TrainedProbe:
    """A linear probe trained on the whole training split; its C chosen on validation."""

    path: logistic.Path
    step: int

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Return logits (n, C), float32."""
        return self.path.decision(features, self.step)


@dataclass(frozen=True)
class Job:
    """One probe to train, with all that a process needs for it."""

    cohort: Cohort
    features: np.ndarray | Mapped
    """(N, D)."""
    C: list[float]


def train(job: Job) -> TrainedProbe:
    """Train a probe: what `linear_probe.canonical_run` does at fraction 1."""
    features, train, val = opened(job.features), job.cohort.train, job.cohort.val
    path = logistic.fit(logistic.principal_axes(features[train.rows]), train.labels, job.C)
    scores = [path.decision(features[val.rows], step) for step in range(len(job.C))]
    return TrainedProbe(path, linear_probe.choose(scores, val.labels))


def evaluate(
    cohorts: Sequence[Cohort],
    by_leads: Mapping[str, np.ndarray],
    disturbed: Mapping[str, np.ndarray],
    probe: Probe,
) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Yield the result of every condition, in order, and the test predictions, of each task.

    `by_leads` holds features (N, D) of all embedded records by lead set, `CLEAN` first; `disturbed` those of test
    records by disturbance, in the same rows. Probes are trained side by side.
    """
    matrices = {name: shareable(features) for name, features in by_leads.items()}
    jobs = {(cohort.task, name): Job(cohort, matrices[name], probe.C) for cohort in cohorts for name in matrices}
    done = side_by_side(train, list(jobs.values()), lambda job: len(job.cohort.train.rows) * job.features.shape[1])
    trained = dict(zip(jobs, done, strict=True))
    for cohort in cohorts:
        probes = {name: trained[cohort.task, name] for name in by_leads}
        yield evaluate_one(cohort, probes, by_leads, disturbed, probe.bootstrap)


def evaluate_one(
    cohort: Cohort, probes: Mapping[str, TrainedProbe], by_leads: Mapping[str, np.ndarray],
    disturbed: Mapping[str, np.ndarray], replicates: int,
) -> tuple[dict[str, Any], pl.DataFrame]:  # fmt: skip
    """Return the result and the predictions of one task, from the probe of each lead set."""
    test = cohort.test.rows
    scores = {name: probes[name].scores(features[test]) for name, features in by_leads.items()}
    scores |= {name: probes[CLEAN].scores(features[test]) for name, features in disturbed.items()}
    conditions = compare(cohort, scores, replicates)
    result = {
        **linear_probe.head(cohort, "canonical"),
        "seeds": [0],
        "leads": [conditions[name].to_json() for name in by_leads],
        "disturbances": [conditions[name].to_json() for name in disturbed],
    }
    return result, pl.concat([predictions(cohort, name, each) for name, each in scores.items()])


def compare(cohort: Cohort, scores: Mapping[str, np.ndarray], replicates: int) -> dict[str, Condition]:
    """Return macro AUROC of each condition with its interval, and its paired change from `CLEAN`."""
    scored = scorable(cohort.test.labels)
    names = [name for name, keep in zip(cohort.classes, scored, strict=True) if keep]
    labels, counts = cohort.test.labels[:, scored], bootstrap.draws(len(cohort.test.ids), replicates)
    points = {name: metrics.auroc(each[:, scored], labels) for name, each in scores.items()}
    drawn = {name: bootstrap.macro(bootstrap.auroc(each[:, scored], labels, counts)) for name, each in scores.items()}
    conditions = {}
    for name in scores:
        auroc = bootstrap.interval(points[name].mean(), drawn[name]).rounded()
        change = bootstrap.interval(points[name].mean() - points[CLEAN].mean(), drawn[name] - drawn[CLEAN])
        per_class = {c: rounded(value) for c, value in zip(names, points[name], strict=True)}
        conditions[name] = Condition(auroc.mean, auroc.low, auroc.high, name, change.rounded(), len(labels), per_class)
    return conditions


def predictions(cohort: Cohort, condition: str, scores: np.ndarray) -> pl.DataFrame:
    """Return one row per test record: id, condition, `score/<class>` and `label/<class>`."""
    columns = {f"score/{name}": scores[:, c] for c, name in enumerate(cohort.classes)}
    columns |= {f"label/{name}": cohort.test.labels[:, c] for c, name in enumerate(cohort.classes)}
    frame = pl.DataFrame({"id": cohort.test.ids}).with_columns(pl.lit(condition).alias("condition"))
    return frame.hstack(pl.DataFrame(columns))
