"""Real recordings with few labels or none: how much of what an encoder knows needs no labels of these recordings.

Zero-shot compares ECGs with prompts. A probe of simulated labels was fitted on the simulated corpus of the same task.
The learning curve fits the probe of each fold on few records: whole patients of the other folds, the same for all
encoders, in several draws. A class that no drawn record of a fold has is scored by a constant there.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cgdmer import report_text
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.evaluation import cross_validation as validation
from cgdmer.evaluation import zero_shot
from cgdmer.external.results import FewLabels
from cgdmer.external.scoring import MAIN, Encoders, FoldJob, Members, Scored, cell, paired_difference, score_logits
from cgdmer.probing import linear_probe_io, logistic
from cgdmer.probing.linear_probe_io import FittedProbe
from cgdmer.probing.patients import FOLDS, deal
from cgdmer.probing.side_by_side import side_by_side

log = logging.getLogger(__name__)

SIZES = (20, 50, 100, 200)
"""Labelled records of a fold. A size that is more than half of a task's records is left out."""
DRAWS = 3
Probes = Mapping[str, FittedProbe]
"""Probes of simulated labels of one task, by encoder."""


def class_vectors(encoder: Pretrained, names: Sequence[str]) -> np.ndarray | None:
    """Return the unit vector of each class's prompt (C, E); None if the package has no prompt for one of them."""
    prompts = zero_shot.read_prompts(zero_shot.STATEMENTS, "statements", ensemble=False)
    if any(name not in prompts.texts for name in names):
        return None
    texts = zero_shot.texts_of(prompts, names)
    encoded = encoder.encode_reports([report_text.clean_joined(text) for each in texts for text in each])
    return zero_shot.class_vectors(encoded, [len(each) for each in texts])


def by_prompts(
    task: Members, aligned: Mapping[str, np.ndarray], vectors: Mapping[str, np.ndarray], method: str
) -> FewLabels | None:
    """Score by the cosine of `aligned` (N, E) and the `vectors` (C, E) of the classes, by encoder."""
    scored = {
        name: score_logits([zero_shot.unit(aligned[name][task.rows]) @ prompts.T], task)
        for name, prompts in vectors.items()
    }
    return _compared(scored, task, method) if scored else None


def read_probes(files: Mapping[str, Path], digests: Mapping[str, str], dims: Mapping[str, int]) -> Probes:
    """Return the fitted probes by encoder; those of other weights than `digests` has are left out.

    So are those of features that are not as wide as `dims` says: an earlier version of the encoder had them.
    """
    probes = {}
    for encoder, path in files.items():
        probe = linear_probe_io.load(path)
        if probe.digest != digests.get(encoder, ""):
            log.warning("%s is left out: it was fitted for other weights of %s; dvc repro probe", path, encoder)
        elif len(probe.layers[MAIN].coef) != dims[encoder]:
            log.warning("%s is left out: it was fitted for other features of %s; dvc repro probe", path, encoder)
        else:
            probes[encoder] = probe
    return probes


def by_simulated_labels(task: Members, encoders: Encoders, probes: Probes, method: str) -> FewLabels | None:
    """Score by probes that saw no recording of the set; None unless one of them knows every class."""
    scored = {}
    for name, probe in probes.items():
        if all(one in probe.classes for one in task.names):
            layer, columns = probe.layers[MAIN], [probe.classes.index(one) for one in task.names]
            logits = encoders[name][0][MAIN][task.rows].astype(np.float64) @ layer.coef + layer.intercept
            scored[name] = score_logits([logits[:, columns]], task)
    return _compared(scored, task, method) if scored else None


def learning_curve(task: Members, encoders: Encoders, C: Sequence[float], method: str) -> dict[str, FewLabels]:
    """Return the scores by number of labelled records. Draw number d uses set of weights d of a random control."""
    folds = deal(task.patients, task.matrix)
    curve = {}
    for size in (size for size in SIZES if 2 * size <= len(task.rows)):
        drawn = [[draw(task.patients, folds != fold, size, number) for fold in range(FOLDS)] for number in range(DRAWS)]
        jobs = [
            (FoldJob(sets[number % len(sets)][MAIN][task.rows], task.matrix, folds, C), drawn[number])
            for sets in encoders.values()
            for number in range(DRAWS)
        ]
        logits = iter(side_by_side(_out_of_fold, jobs, cost=lambda job: job[0].width))
        scored = {name: score_logits([next(logits) for _ in range(DRAWS)], task) for name in encoders}
        curve[str(size)] = _compared(scored, task, method)
    return curve


def draw(patients: Sequence[str], allowed: np.ndarray, size: int, number: int) -> np.ndarray:
    """Return the rows of the patients that come first in the order of a hash of the draw, until there are `size` rows.

    Whole patients are drawn, so the last one may bring a few rows more.
    """
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(allowed).tolist():
        rows.setdefault(patients[row], []).append(row)
    ordered = sorted(rows, key=lambda patient: hashlib.sha256(f"{number} {patient}".encode()).digest())
    chosen: list[int] = []
    for patient in ordered:
        if len(chosen) >= size:
            break
        chosen += rows[patient]
    return np.sort(np.array(chosen, np.int64))


def _out_of_fold(job: tuple[FoldJob, Sequence[np.ndarray]]) -> np.ndarray:
    """Score every record (n, C) by a probe on the drawn rows of the other folds; they also choose its C.

    The scores are comparable between folds.
    """
    one, drawn = job
    logits = np.zeros(one.labels.shape, np.float32)
    for fold, train in enumerate(drawn):
        features, labels = one.features[train], one.labels[train]
        best = validation.best_c(features, labels, one.folds[train], fold, one.C, {})
        path = logistic.fit(logistic.principal_axes(features), labels, one.C)
        logits[one.folds == fold] = path.decision(one.features[one.folds == fold], best)
    return validation.comparable(logits, one.folds)


def _compared(scored: Mapping[str, Scored], task: Members, method: str) -> FewLabels:
    """Return the scores, and `method` minus each other encoder if it is among them."""
    others = [name for name in scored if name != method] if method in scored else []
    return FewLabels(
        {name: cell(one, task.names) for name, one in scored.items()},
        {name: paired_difference(scored[method], scored[name]) for name in others},
    )
