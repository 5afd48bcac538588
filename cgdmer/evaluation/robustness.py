"""Owns linear probes under other conditions than twelve clean leads: fewer leads, and disturbed test records.

The protocol is the canonical one with all labels (docs/protocols.md B.5). With fewer leads a new head is trained on
features of these leads; under disturbance the head of the twelve clean leads is kept, because nobody retrains for a bad
electrode. The change against twelve clean leads is paired: the same test records in every bootstrap replicate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cgdmer.probing import bootstrap, linear_probe, logistic, metrics
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.settings import Probe

CLEAN = "12 leads"


@dataclass(frozen=True)
class Head:
    """A linear probe trained on the whole training split; its strength chosen on validation."""

    path: logistic.Path
    step: int

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Return logits (n, C), float32."""
        return self.path.decision(features, self.step)


def train(cohort: Cohort, features: np.ndarray, strengths: list[float]) -> Head:
    """Train on rows of `features` (N, D): what `linear_probe.canonical_runs` does at fraction 1."""
    path = logistic.fit(logistic.principal_axes(features[cohort.train.rows]), cohort.train.labels, strengths)
    scores = [path.decision(features[cohort.val.rows], step) for step in range(len(strengths))]
    return Head(path, linear_probe.choose(scores, cohort.val.labels))


def evaluate(
    cohort: Cohort,
    by_leads: Mapping[str, np.ndarray],
    disturbed: Mapping[str, np.ndarray],
    settings: Probe,
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Return figures of every condition in the order given, and the test predictions.

    `by_leads` holds features (N, D) of all embedded records by lead set, `CLEAN` first; `disturbed` those of test
    records by disturbance, in the same rows.
    """
    clean = train(cohort, by_leads[CLEAN], settings.C)
    scores = {CLEAN: clean.scores(by_leads[CLEAN][cohort.test.rows])}
    for name, features in by_leads.items():
        if name != CLEAN:
            scores[name] = train(cohort, features, settings.C).scores(features[cohort.test.rows])
    for name, features in disturbed.items():
        scores[name] = clean.scores(features[cohort.test.rows])
    figures = compare(cohort, scores, settings.bootstrap)
    result = {
        **linear_probe.head(cohort, "canonical"),
        "seeds": [0],
        "leads": [{"condition": name, **figures[name]} for name in by_leads],
        "disturbances": [{"condition": name, **figures[name]} for name in disturbed],
    }
    return result, pl.concat([predictions(cohort, name, each) for name, each in scores.items()])


def compare(cohort: Cohort, scores: Mapping[str, np.ndarray], replicates: int) -> dict[str, dict[str, Any]]:
    """Return macro AUROC of each condition with its interval, and its paired change against `CLEAN`."""
    kept = scorable(cohort.test.labels)
    names = [name for name, keep in zip(cohort.classes, kept, strict=True) if keep]
    labels, counts = cohort.test.labels[:, kept], bootstrap.draws(len(cohort.test.ids), replicates)
    points = {name: metrics.auroc(each[:, kept], labels) for name, each in scores.items()}
    drawn = {name: bootstrap.macro(bootstrap.auroc(each[:, kept], labels, counts)) for name, each in scores.items()}
    figures = {}
    for name in scores:
        found = bootstrap.interval(points[name].mean(), drawn[name])
        change = bootstrap.interval(points[name].mean() - points[CLEAN].mean(), drawn[name] - drawn[CLEAN])
        figures[name] = {
            **{part: linear_probe.tidy(getattr(found, part)) for part in ("mean", "low", "high")},
            "change": {part: linear_probe.tidy(getattr(change, part)) for part in ("mean", "low", "high")},
            "n_test": len(labels),
            "per_class": {c: linear_probe.tidy(value) for c, value in zip(names, points[name], strict=True)},
        }
    return figures


def predictions(cohort: Cohort, condition: str, scores: np.ndarray) -> pl.DataFrame:
    """Return one row a test record: id, condition, `score/<class>` and `label/<class>`."""
    columns = {f"score/{name}": scores[:, c] for c, name in enumerate(cohort.classes)}
    columns |= {f"label/{name}": cohort.test.labels[:, c] for c, name in enumerate(cohort.classes)}
    frame = pl.DataFrame({"id": cohort.test.ids}).with_columns(pl.lit(condition).alias("condition"))
    return frame.hstack(pl.DataFrame(columns))
