"""A fixed first draw of simulated records: its reports train the tokenizer, its measurements set the scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer import report_text
from cgdmer.objectives.targets import MEASUREMENTS
from cgdmer.settings import Simulated
from cgdmer.simulator import Case, draw_cases, report_lines, rr_intervals

RECORDS = 20_000
"""Records of the first draw. They are drawn and not simulated, which takes a second."""
SECONDS = 10.0
"""Length of the records of the first draw, as far as their beats count."""
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
    measured = measurements(cases, seed, 0)
    reports = [report(case, seed, number) for number, case in enumerate(cases)]
    return Reference(reports, np.nanmean(measured, 0), np.nanstd(measured, 0))


def report(case: Case, seed: int, number: int) -> str:
    """Return the cleaned report of a record, as the index has it."""
    return report_text.clean(report_lines(case, seed, number))


def measurements(cases: Sequence[Case], seed: int, first: int, seconds: Sequence[float] | None = None) -> np.ndarray:
    """Return the true measurements of records from number `first` on in the order of `MEASUREMENTS`, float64 (n, M).

    `seconds` are the lengths of the records, `SECONDS` by default. NaN where there is no PR interval, or too few beats
    for their variation.
    """
    lengths = seconds or [SECONDS] * len(cases)
    beats = [
        beat_variation(rr_intervals(case, seed, first + index, length))
        for index, (case, length) in enumerate(zip(cases, lengths, strict=True))
    ]
    columns = {
        "log_rr": [math.log(60 / case.heart_rate) for case in cases],
        "rr_deviation": [one[0] for one in beats],
        "rr_change": [one[1] for one in beats],
        "rr_shortest": [one[2] for one in beats],
        "rr_longest": [one[3] for one in beats],
        "pr": [math.nan if case.findings & WITHOUT_PR else case.pr_ms for case in cases],
        "qrs": [case.qrs_ms for case in cases],
        "qt": [case.qt_ms for case in cases],
        "axis_sine": [math.sin(math.radians(case.axis)) for case in cases],
        "axis_cosine": [math.cos(math.radians(case.axis)) for case in cases],
        "age": [case.age for case in cases],
        "sex": [float(case.sex == "male") for case in cases],
    }
    return np.stack([np.array(columns[name], np.float64) for name in MEASUREMENTS], axis=1)


def beat_variation(intervals: np.ndarray) -> tuple[float, float, float, float]:
    """Return how RR intervals (n,) vary, relative to their median: see `MEASUREMENTS`. NaN for fewer than two."""
    if len(intervals) < 2:
        return math.nan, math.nan, math.nan, math.nan
    relative = intervals / np.median(intervals)
    change = float(np.sqrt(np.square(np.diff(relative)).mean()))
    spread, least = float(relative.std()), 0.01  # a regular rhythm has a finite logarithm
    return math.log(spread + least), math.log(change + least), float(relative.min()), float(relative.max())
