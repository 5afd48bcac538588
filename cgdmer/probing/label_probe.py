"""A linear probe of one label: nested cross-validation by patient, Platt's calibration, and what both reach.

An outer fold is scored by a model of the other folds, whose C was chosen by cross-validation inside them. These
out-of-fold scores give AUROC and calibration. The layer that is kept is fitted on all recordings, with the calibration
folded into its coefficients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.errors import DataError
from cgdmer.json_dataclass import Json
from cgdmer.probing import bootstrap, calibration, logistic, metrics, solver
from cgdmer.probing.patients import deal_one_label, resampled
from cgdmer.results import Interval, rounded
from cgdmer.settings import Probe

FOLDS = 5
MIN_PATIENTS = 10
"""Fewest patients with a yes, and fewest with a no: two for each outer fold."""


class Unfit(DataError):
    """A label cannot be fitted: too few recordings have or lack it, or the features do not tell them apart."""


@dataclass(frozen=True)
class LabelNumbers(Json):
    """What is known about the probe of one label, all from out-of-fold scores."""

    recordings: int
    patients: int
    positives: int
    prevalence: float
    """Share of yes among the recordings; calibrated probabilities hold for it."""
    C: float
    """Of the layer that is kept."""
    auroc: Interval
    """The interval is over patients."""
    brier: float
    """Of the raw probabilities."""
    brier_calibrated: float
    """Of probabilities whose calibration was fitted on the other folds."""
    brier_constant: float
    """Of the prevalence, given to every recording."""
    calibration_error: float
    calibration_error_calibrated: float


@dataclass(frozen=True, eq=False)
class LabelFit:
    """The calibrated layer of one label on raw features, and its numbers."""

    coef: np.ndarray
    """(D,) float64."""
    intercept: float
    numbers: LabelNumbers
    scores: np.ndarray
    """Out-of-fold logits (n,) before calibration."""
    calibrated: np.ndarray
    """The same (n,) after the calibration of the layer."""
    folds: np.ndarray
    """Outer fold (n,) of each recording."""


def fit_label(
    features: np.ndarray, labels: np.ndarray, patients: Sequence[str], C: Sequence[float] | None = None,
    replicates: int | None = None,
) -> LabelFit:  # fmt: skip
    """Fit one label (n,) in {0, 1} on features (n, D); C and the bootstrap replicates are by default the probe's.

    Unfit if fewer than 10 patients have a yes or a no, or if the out-of-fold scores do not rank them.
    """
    defaults = Probe()
    C, owner = list(C or defaults.C), np.asarray(patients, dtype=str)
    check_enough(labels, owner)
    folds = deal_one_label(owner, labels, FOLDS)
    paths = held_out(features, labels, folds, C)
    scores = np.zeros(len(labels))
    for fold in range(FOLDS):
        train = folds != fold
        inner = deal_one_label(owner[train], labels[train], FOLDS)
        best = choose(held_out(features[train], labels[train], inner, C), labels[train])
        scores[~train] = paths[best, ~train]
    slope, offset = calibration.platt(scores, labels)
    auroc = float(metrics.auroc(scores[:, None], labels[:, None])[0])
    if slope <= 0 or auroc <= 0.5:
        raise Unfit(f"the features do not tell it apart: AUROC {auroc:.3f} in cross-validation", allowed="above 0.5")
    kept = C[choose(paths, labels)]
    layer = logistic.fit(logistic.principal_axes(features), labels[:, None], [kept])
    interval = over_patients(scores, labels, owner, replicates or defaults.bootstrap)
    numbers = _numbers(scores, labels, owner, folds, kept, bootstrap.interval(auroc, interval).rounded())
    coef, intercept = slope * layer.coef[0, :, 0], slope * float(layer.intercept[0, 0]) + offset
    return LabelFit(coef, intercept, numbers, scores, slope * scores + offset, folds)


def joined(patients: np.ndarray, contents: np.ndarray) -> np.ndarray:
    """Return the patient (n,) of each recording, where patients with equal contents (n,) get the first of their names.

    This goes on through others: who shares a recording with one and another recording with a second joins all three.
    """
    names, owner = np.unique(patients, return_inverse=True)
    kinds, content = np.unique(contents, return_inverse=True)
    first, before = np.arange(len(names)), np.zeros(0, np.int64)
    while not np.array_equal(first, before):
        before, of_content = first, np.full(len(kinds), len(names))
        np.minimum.at(of_content, content, first[owner])
        first = first.copy()
        np.minimum.at(first, owner, of_content[content])
    together: np.ndarray = names[first[owner]]
    return together


def check_enough(labels: np.ndarray, patients: np.ndarray) -> None:
    """Raise Unfit unless enough patients have a recording with the label and enough have one without it."""
    with_yes, with_no = (len(np.unique(patients[labels == value])) for value in (1, 0))
    if min(with_yes, with_no) < MIN_PATIENTS:
        raise Unfit(
            f"{with_yes} patients with a yes and {with_no} with a no",
            allowed=f"at least {MIN_PATIENTS} of each",
        )


def held_out(features: np.ndarray, labels: np.ndarray, folds: np.ndarray, C: Sequence[float]) -> np.ndarray:
    """Return the logits (S, n) of each recording at each of S values of C, by the model of the other folds."""
    logits = np.zeros((len(C), len(labels)))
    for fold in np.unique(folds):
        rows = folds == fold
        path = logistic.fit(logistic.principal_axes(features[~rows]), labels[~rows, None], C)
        for step in range(len(C)):
            logits[step, rows] = path.decision(features[rows], step)[:, 0]
    return logits


def choose(logits: np.ndarray, labels: np.ndarray) -> int:
    """Return the position of the least log loss among logits (S, n), the first of equals."""
    return int(np.argmin(solver.log_loss(logits.T, labels[:, None])))


def over_patients(scores: np.ndarray, labels: np.ndarray, patients: np.ndarray, replicates: int) -> np.ndarray:
    """Return the AUROC in each bootstrap replicate (B,): patients are drawn, each with all their recordings."""
    return bootstrap.auroc(scores[:, None], labels[:, None], resampled(patients.tolist(), replicates))[:, 0]


def _numbers(
    scores: np.ndarray, labels: np.ndarray, patients: np.ndarray, folds: np.ndarray, C: float, auroc: Interval
) -> LabelNumbers:
    raw, calibrated = solver.sigmoid(scores), np.zeros(len(scores))
    for fold in range(FOLDS):
        rows = folds == fold
        slope, offset = calibration.platt(scores[~rows], labels[~rows])
        calibrated[rows] = solver.sigmoid(slope * scores[rows] + offset)
    prevalence = float(labels.mean())
    return LabelNumbers(
        recordings=len(labels),
        patients=len(np.unique(patients)),
        positives=int(labels.sum()),
        prevalence=prevalence,
        C=C,
        auroc=auroc,
        brier=rounded(calibration.brier(raw, labels)),
        brier_calibrated=rounded(calibration.brier(calibrated, labels)),
        brier_constant=rounded(prevalence * (1 - prevalence)),
        calibration_error=rounded(calibration.calibration_error(raw, labels)),
        calibration_error_calibrated=rounded(calibration.calibration_error(calibrated, labels)),
    )
