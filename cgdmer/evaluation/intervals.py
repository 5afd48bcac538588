"""Definitions of the measurements with their units, and the types of results."""

from dataclasses import dataclass

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
