"""Definitions of the measurements: units, heart-rate corrections of QT, frontal axes, and the types of results."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.json_dataclass import Json
from cgdmer.results import Interval

NUMBER, ANGLE, BINARY = "number", "angle", "binary"


@dataclass(frozen=True)
class Measurement:
    """A quantity that a reader of ECGs measures or knows about the patient."""

    title: str
    unit: str
    """Unit of the error; for a binary quantity the error is an AUROC."""
    kind: str = NUMBER


MEASUREMENTS = {
    "rr": Measurement("RR interval", "ms"),
    "rr_sd": Measurement("SD of RR", "ms"),
    "rmssd": Measurement("RMSSD", "ms"),
    "pr": Measurement("PR interval", "ms"),
    "qrs": Measurement("QRS duration", "ms"),
    "qt": Measurement("QT interval", "ms"),
    "qtc_bazett": Measurement("QTc, Bazett", "ms"),
    "qtc_fridericia": Measurement("QTc, Fridericia", "ms"),
    "p_axis": Measurement("P axis", "degrees", ANGLE),
    "qrs_axis": Measurement("QRS axis", "degrees", ANGLE),
    "t_axis": Measurement("T axis", "degrees", ANGLE),
    "age": Measurement("Age", "years"),
    "male": Measurement("Sex", "AUROC", BINARY),
}
"""In the order of tables. RR is the mean over the record; its standard deviation and the root mean square of successive
differences (RMSSD) are heart rate variability over ten seconds. An axis is the direction of the area in I and aVF."""


@dataclass(frozen=True)
class MeasuredBy(Json):
    """How well one representation predicts a measurement by a ridge probe."""

    r2: Interval
    """Share of the variance that is predicted; negative if the mean of the scored records is closer."""
    error: Interval
    """Mean absolute error, or the AUROC of a binary quantity."""
    alpha: list[float]
    """Chosen L2 penalty of each probe."""


@dataclass(frozen=True)
class Measured(Json):
    """Ridge probes of one measurement."""

    n_train: int
    n_test: int
    baseline: float
    """Error of a constant prediction."""
    encoders: dict[str, dict[str, MeasuredBy]]
    """By encoder, then representation."""


@dataclass(frozen=True)
class MeasurementResult(Json):
    """What encoders know about intervals, axes, age and sex of the records of the benchmark corpora."""

    measurements: dict[str, Measured]
    """By measurement."""
    sources: dict[str, str]
    """Where the truth of each corpus comes from: the simulator, or the metadata of the corpus."""
    bootstrap: int


def variability(gaps: Sequence[float] | np.ndarray) -> dict[str, float | None]:
    """Return standard deviation and RMSSD of the RR intervals of a record (n,), in their unit; None below three beats.

    All beats count, ectopic ones too.
    """
    if len(gaps) < 2:
        return {"rr_sd": None, "rmssd": None}
    return {"rr_sd": float(np.std(gaps)), "rmssd": float(np.sqrt(np.mean(np.square(np.diff(gaps)))))}


def corrected(qt: float | None, rr: float | None) -> dict[str, float | None]:
    """Return the QT interval for a heart rate of 60 per minute by Bazett and Fridericia; all in milliseconds."""
    if qt is None or rr is None:
        return {"qtc_bazett": None, "qtc_fridericia": None}
    seconds = rr / 1000
    return {"qtc_bazett": qt / math.sqrt(seconds), "qtc_fridericia": qt / seconds ** (1 / 3)}


def axis(first: float, avf: float) -> float:
    """Return the frontal axis in degrees, -180 to 180, of areas in lead I and aVF.

    aVF is an augmented lead, smaller than a lead in its direction would be by the factor sqrt(3) / 2.
    """
    return math.degrees(math.atan2(avf * 2 / math.sqrt(3), first))
