"""A fixed first draw of simulated records: its reports train the tokenizer, its measurements set the scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer import report_text
from cgdmer.models.cgdmer import MEASUREMENTS
from cgdmer.settings import Simulated
from cgdmer.simulator import Case, draw_cases, report_lines

RECORDS = 20_000
"""Records of the first draw. They are drawn and not simulated, which takes a second."""
WITHOUT_PR = frozenset({"atrial_fibrillation", "atrial_flutter", "paced", "supraventricular_tachycardia"})
"""Rhythms in which no P wave leads to each QRS complex, so that there is no PR interval."""


@dataclass(frozen=True)
class Reference:
    """The reports of the first draw, and mean and standard deviation of each measurement (M,)."""

    reports: list[str]
    mean: np.ndarray
    deviation: np.ndarray

    def standardise(self, measured: np.ndarray) -> np.ndarray:
        """Return measurements (n, M) as float32 with mean 0 and standard deviation 1; NaN stays NaN."""
        standardised: np.ndarray = ((measured - self.mean) / self.deviation).astype(np.float32)
        return standardised

    @property
    def scale(self) -> dict[str, list[float]]:
        """Mean and standard deviation by measurement."""
        pairs = zip(self.mean.tolist(), self.deviation.tolist(), strict=True)
        return {name: [round(value, 6) for value in pair] for name, pair in zip(MEASUREMENTS, pairs, strict=True)}


def draw_reference(simulated: Simulated, records: int | None = None) -> Reference:
    """Draw the first records of a stream, `RECORDS` of them."""
    seed = simulated.seed
    cases = draw_cases(seed, 0, records or RECORDS, simulated.population)
    measured = measurements(cases)
    reports = [report(case, seed, number) for number, case in enumerate(cases)]
    return Reference(reports, np.nanmean(measured, 0), np.nanstd(measured, 0))


def report(case: Case, seed: int, number: int) -> str:
    """Return the cleaned report of a record, as the index has it."""
    return report_text.clean(report_lines(case, seed, number))


def measurements(cases: Sequence[Case]) -> np.ndarray:
    """Return the true measurements in the order of `MEASUREMENTS`, float64 (n, M), NaN without a PR interval."""
    columns = {
        "log_rr": [math.log(60 / case.heart_rate) for case in cases],
        "pr": [math.nan if case.findings & WITHOUT_PR else case.pr_ms for case in cases],
        "qrs": [case.qrs_ms for case in cases],
        "qt": [case.qt_ms for case in cases],
        "axis_sine": [math.sin(math.radians(case.axis)) for case in cases],
        "axis_cosine": [math.cos(math.radians(case.axis)) for case in cases],
        "age": [case.age for case in cases],
        "sex": [float(case.sex == "male") for case in cases],
    }
    return np.stack([np.array(columns[name], np.float64) for name in MEASUREMENTS], axis=1)
