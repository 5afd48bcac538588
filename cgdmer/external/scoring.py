"""Score frozen features on a set of real recordings: linear probes and ridge probes by cross-validation.

No patient is in two folds. Each probe chooses its C inside its training folds. Intervals resample patients, and the
sets of weights of a random control; all encoders are compared on the same replicates.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.encoders import Encoder
from cgdmer.encoders.encoding import encode_stored
from cgdmer.evaluation import cross_validation as validation
from cgdmer.evaluation import measurements
from cgdmer.evaluation.cross_validation import FOLDS
from cgdmer.evaluation.intervals import Measured
from cgdmer.external.external_set import ExternalSet, Labels
from cgdmer.external.results import RealCell, RealDifference, RealTask
from cgdmer.probing import bootstrap, metrics, seeds
from cgdmer.probing.representations import REPRESENTATIONS
from cgdmer.results import rounded

log = logging.getLogger(__name__)

FEWEST = 5
"""Fewest records that must have a class, and fewest that must not: one per fold."""
MAIN = "pooled"
Features = Mapping[str, np.ndarray]
"""(N, D) by representation."""
Encoders = Mapping[str, Sequence[Features]]
"""The sets of weights of each encoder; all but random controls have one."""


@dataclass(frozen=True)
class Scored:
    """Out-of-fold scores of one encoder and representation."""

    points: np.ndarray
    """AUROC (W, C) of each set of weights and class."""
    trainings: seeds.Trainings


def encode(encoder: Encoder, real: ExternalSet, batch: int) -> dict[str, np.ndarray]:
    """Return the features of all records of a set by representation."""
    features = encode_stored(encoder, real.signals.__getitem__, real.valid, batch, names=REPRESENTATIONS)
    return {name: features[name] for name in REPRESENTATIONS if name in features}


def score_task(
    labels: Labels, patients: Sequence[str], encoders: Encoders, C: Sequence[float], replicates: int
) -> RealTask | None:
    """Cross-validate every encoder on the members of a task; None if too few records have or lack every class.

    The first encoder is the one from which the others are subtracted.
    """
    rows = np.flatnonzero(labels.members)
    positives = labels.matrix[rows].sum(axis=0, dtype=np.int64)
    usable = (positives >= FEWEST) & (len(rows) - positives >= FEWEST)
    owners = [patients[row] for row in rows.tolist()]
    if not usable.any() or len(set(owners)) < FOLDS:
        return None
    matrix = labels.matrix[rows][:, usable]
    names = [name for name, keep in zip(labels.classes, usable, strict=True) if keep]
    counts = validation.resampled(owners, replicates)
    first = next(iter(encoders))
    scored = {
        encoder: {kind: _score([each[kind][rows] for each in sets], matrix, owners, C, counts) for kind in sets[0]}
        for encoder, sets in encoders.items()
    }
    return RealTask(
        records=len(rows),
        patients=len(set(owners)),
        positives=dict(zip(names, positives[usable].tolist(), strict=True)),
        left_out={n: int(k) for n, k, keep in zip(labels.classes, positives, usable, strict=True) if k and not keep},
        encoders={e: {kind: _cell(one, names) for kind, one in kinds.items()} for e, kinds in scored.items()},
        differences={e: _difference(scored[first][MAIN], kinds[MAIN]) for e, kinds in scored.items() if e != first},
    )


def _score(
    sets: Sequence[np.ndarray], labels: np.ndarray, patients: Sequence[str], C: Sequence[float], counts: np.ndarray
) -> Scored:
    """Score every record by the probe of its fold, with each set of weights."""
    folds = validation.deal(patients, labels)
    points, drawn = [], []
    for features in sets:
        logits = validation.out_of_fold([features] * FOLDS, labels, folds, C).logits
        points.append(metrics.auroc(logits, labels))
        drawn.append(bootstrap.macro(bootstrap.auroc(logits, labels, counts)))
    macros = np.array([metrics.macro(each) for each in points])
    return Scored(np.array(points), seeds.Trainings(macros, np.array(drawn), len(labels)))


def _cell(scored: Scored, names: Sequence[str]) -> RealCell:
    overall = seeds.estimate(scored.trainings)
    values = [rounded(value) for value in scored.trainings.points]
    return RealCell(
        rounded(overall.mean), rounded(overall.low), rounded(overall.high),
        per_class={name: rounded(value) for name, value in zip(names, scored.points.mean(axis=0), strict=True)},
        by_weights=values if len(values) > 1 else None,
    )  # fmt: skip


def _difference(first: Scored, second: Scored) -> RealDifference:
    gap = seeds.difference(first.trainings, second.trainings)
    return RealDifference(rounded(gap.mean), rounded(gap.low), rounded(gap.high), rounded(gap.share_above))


def score_measurements(real: ExternalSet, encoders: Encoders, replicates: int) -> dict[str, Measured]:
    """Probe the known measurements of a set by cross-validation; none if it has fewer patients than folds."""
    if len(set(real.patients)) < FOLDS:
        return {}
    folds = validation.deal(real.patients, np.zeros((len(real.patients), 1), np.uint8))
    records = measurements.Records(real.measurements, real.patients)
    return measurements.measure(records, encoders, measurements.folds(folds), replicates)
