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
from cgdmer.evaluation.intervals import Measured
from cgdmer.external.external_set import ExternalSet, Labels
from cgdmer.external.results import RealCell, RealDifference, RealTask
from cgdmer.probing import bootstrap, metrics, seeds
from cgdmer.probing.comparison import Difference
from cgdmer.probing.patients import FOLDS, deal, resampled
from cgdmer.probing.representations import REPRESENTATIONS
from cgdmer.probing.side_by_side import side_by_side
from cgdmer.results import rounded

log = logging.getLogger(__name__)

FEWEST = 5
"""Fewest records that must have a class, and fewest that must not: one per fold."""
MAIN = "pooled"
ALIGNED = "aligned"
"""Features in the space of reports, which prompts are compared with; they are not probed."""
Features = Mapping[str, np.ndarray]
"""(N, D) by representation."""
Encoders = Mapping[str, Sequence[Features]]
"""The sets of weights of each encoder; all but random controls have one."""


@dataclass(frozen=True)
class Scored:
    """AUROC of one encoder and representation."""

    points: np.ndarray
    """(W, C): by set of weights or draw of labelled records, and class."""
    trainings: seeds.Trainings


def encode(encoder: Encoder, real: ExternalSet, batch: int) -> dict[str, np.ndarray]:
    """Return the features of all records of a set by representation, and `aligned` if the encoder has it."""
    names = (*REPRESENTATIONS, ALIGNED)
    features = encode_stored(encoder, real.signals.__getitem__, real.valid, batch, names=names)
    return {name: features[name] for name in names if name in features}


@dataclass(frozen=True)
class Members:
    """The records of a task, and the classes that enough of them have and lack."""

    rows: np.ndarray
    """Positions (n,) among the records of the set."""
    names: list[str]
    """Of the C classes that are scored."""
    matrix: np.ndarray
    """Labels (n, C) in {0, 1}."""
    left_out: dict[str, int]
    """Positives of the other classes that occur."""
    patients: list[str]
    """Of each record."""
    counts: np.ndarray
    """How often each record occurs in each replicate (n, B); patients are resampled."""


def members(labels: Labels, patients: Sequence[str], replicates: int) -> Members | None:
    """Return what of a task can be scored; None if too few records have or lack every class."""
    rows = np.flatnonzero(labels.members)
    positives = labels.matrix[rows].sum(axis=0, dtype=np.int64)
    usable = (positives >= FEWEST) & (len(rows) - positives >= FEWEST)
    owners = [patients[row] for row in rows.tolist()]
    if not usable.any() or len(set(owners)) < FOLDS:
        return None
    return Members(
        rows,
        [name for name, keep in zip(labels.classes, usable, strict=True) if keep],
        labels.matrix[rows][:, usable],
        {n: int(k) for n, k, keep in zip(labels.classes, positives, usable, strict=True) if k and not keep},
        owners,
        resampled(owners, replicates),
    )


@dataclass(frozen=True, eq=False)
class FoldJob:
    """What one process needs to score every record by the probe of its fold."""

    features: np.ndarray
    """(n, D)"""
    labels: np.ndarray
    """(n, C)"""
    folds: np.ndarray
    C: Sequence[float]

    @property
    def width(self) -> int:
        """The number D of features, which decides how long it takes."""
        return int(self.features.shape[1])


def score_task(task: Members, encoders: Encoders, C: Sequence[float]) -> RealTask:
    """Cross-validate every encoder, side by side; the first is the one from which the others are subtracted."""
    first, folds = next(iter(encoders)), deal(task.patients, task.matrix)
    places = [(encoder, kind) for encoder, sets in encoders.items() for kind in sets[0]]
    jobs = [
        FoldJob(each[kind][task.rows], task.matrix, folds, C) for encoder, kind in places for each in encoders[encoder]
    ]
    logits = iter(side_by_side(_out_of_fold, jobs, cost=lambda job: job.width))
    scored: dict[str, dict[str, Scored]] = {encoder: {} for encoder in encoders}
    for encoder, kind in places:
        scored[encoder][kind] = score_logits([next(logits) for _ in encoders[encoder]], task)
    return RealTask(
        records=len(task.rows),
        patients=len(set(task.patients)),
        positives=dict(zip(task.names, task.matrix.sum(axis=0, dtype=np.int64).tolist(), strict=True)),
        left_out=task.left_out,
        encoders={e: {kind: cell(one, task.names) for kind, one in kinds.items()} for e, kinds in scored.items()},
        differences={e: difference(scored[first][MAIN], kinds[MAIN]) for e, kinds in scored.items() if e != first},
    )


def _out_of_fold(job: FoldJob) -> np.ndarray:
    return validation.out_of_fold([job.features] * FOLDS, job.labels, job.folds, job.C).pooled


def score_logits(each: Sequence[np.ndarray], task: Members) -> Scored:
    """Return the AUROC of several sets of scores (n, C) for the same records, and of their replicates."""
    points = [metrics.auroc(logits, task.matrix) for logits in each]
    drawn = [bootstrap.macro(bootstrap.auroc(logits, task.matrix, task.counts)) for logits in each]
    macros = np.array([metrics.macro(one) for one in points])
    return Scored(np.array(points), seeds.Trainings(macros, np.array(drawn), len(task.matrix)))


def cell(scored: Scored, names: Sequence[str]) -> RealCell:
    """Return the mean over the sets of scores with its interval, and by class."""
    overall = seeds.estimate(scored.trainings)
    values = [rounded(value) for value in scored.trainings.points]
    return RealCell(
        rounded(overall.mean), rounded(overall.low), rounded(overall.high),
        per_class={name: rounded(value) for name, value in zip(names, scored.points.mean(axis=0), strict=True)},
        by_weights=values if len(values) > 1 else None,
    )  # fmt: skip


def difference(first: Scored, second: Scored) -> RealDifference:
    """Return the first minus the second on the same records."""
    return _rounded(seeds.difference(first.trainings, second.trainings))


def paired_difference(first: Scored, second: Scored) -> RealDifference:
    """Return the first minus the second on the same records, after training on the same draws of labelled records."""
    return _rounded(seeds.paired_difference(first.trainings, second.trainings))


def _rounded(gap: Difference) -> RealDifference:
    return RealDifference(
        rounded(gap.mean), rounded(gap.low), rounded(gap.high), rounded(gap.share_above), gap.p, rounded(gap.detectable)
    )


def score_measurements(real: ExternalSet, encoders: Encoders, replicates: int) -> dict[str, Measured]:
    """Probe the known measurements of a set by cross-validation; none if it has fewer patients than folds."""
    if len(set(real.patients)) < FOLDS:
        return {}
    folds = deal(real.patients, np.zeros((len(real.patients), 1), np.uint8))
    records = measurements.Records(real.measurements, real.patients)
    return measurements.measure(records, encoders, measurements.folds(folds), replicates)
