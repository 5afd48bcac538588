"""Intervals and axes of simulated records beside rows of MIMIC-IV-ECG's machine measurements.

Simulated records are compared twice: by what the simulator drew (`of_cases`), and by what `cgdmer measure` finds in
their signals (`of_signals`). Real recordings, measured in the same way, show how much of a distance
is due to the measuring.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypedDict

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from cgdmer.delineation.measurements import measure
from cgdmer.delineation.recording import delineate
from cgdmer.errors import DataError
from cgdmer.settings import Signal
from cgdmer.simulator import Case
from cgdmer.simulator.findings import SINUS

FORM = Signal(fs=500.0, high=100.0)
"""The form in which signals are measured: that of `cgdmer measure`, ten seconds long."""
NAMES = ("RR", "PR", "QRS", "QT", "P axis", "QRS axis", "T axis")
"""Columns of every array of this module: intervals in milliseconds, then axes in degrees."""
LIMITS = ((200, 2500), (60, 500), (40, 300), (150, 800), *[(-180, 180)] * 3)
"""Smallest and largest possible value. MIMIC-IV-ECG writes 29999 and other numbers outside them for a missing value."""
MEASURED = ("rr_ms", "pr_ms", "qrs_ms", "qt_ms", "p_axis", "qrs_axis", "t_axis")
CUT = -135.0
"""Degrees at which the circle of axes is cut, opposite the usual axis, so that 181 and -179 are neighbours."""
_COLUMNS = ("rr_interval", "p_onset", "qrs_onset", "qrs_end", "t_end", "p_axis", "qrs_axis", "t_axis")


class Compared(TypedDict):
    """Values of one kind of records, compared with the rows; each dictionary is by measurement."""

    distance: dict[str, float]
    """Kolmogorov-Smirnov distance."""
    by_chance: dict[str, float]
    """Distance that samples of these sizes from one distribution exceed once in twenty times."""
    values: dict[str, dict[str, float]]
    correlations: dict[str, float]
    """Spearman's rank correlation by pair of measurements."""
    unlike: float
    """Mean absolute difference of the correlations."""


def read(file: Path) -> np.ndarray:
    """Return the values (N, 7) of MIMIC-IV-ECG's `machine_measurements.csv`, NaN if missing or impossible.

    DataError if the file is no table with its columns.
    """
    try:
        frame = pl.read_csv(file, columns=list(_COLUMNS), schema_overrides=dict.fromkeys(_COLUMNS, pl.Float64))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{file} cannot be read as machine measurements: {str(error).splitlines()[0]}",
            allowed=f"a CSV with the columns {', '.join(_COLUMNS)}",
            fix="name machine_measurements.csv of MIMIC-IV-ECG with --rows",
        ) from error
    rr, p_onset, onset, end, t_end, *axes = (frame[name].to_numpy() for name in _COLUMNS)
    return possible(np.stack([rr, onset - p_onset, end - onset, t_end - onset, *axes], axis=1))


def of_cases(cases: Sequence[Case]) -> np.ndarray:
    """Return what the simulator drew (N, 7): P and T axes are NaN, and so is PR outside sinus rhythms."""
    out = np.full((len(cases), len(NAMES)), np.nan)
    for row, case in zip(out, cases, strict=True):
        pr = case.pr_ms if case.rhythm in SINUS else np.nan
        row[:4] = 60_000 / case.heart_rate, pr, case.qrs_ms, case.qt_ms
        row[NAMES.index("QRS axis")] = case.axis
    return possible(out)


def of_signals(signals: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the measurements (N, 7) of recordings (N, 12, T) of `FORM`, int16 microvolt, of `valid` samples (N,)."""
    out = np.full((len(signals), len(NAMES)), np.nan)
    for row, signal, end in zip(out, signals, valid, strict=True):
        values = measure(delineate(signal[:, :end].astype(np.float32) / 1000, FORM.fs))
        row[:] = [np.nan if (value := values[name]) is None else value for name in MEASURED]
    return possible(out)


def possible(values: np.ndarray) -> np.ndarray:
    """Return values (N, 7) with NaN for impossible ones, and axes from -135 up to 225 degrees."""
    low, high = np.array(LIMITS, dtype=float).T
    out = np.where((values >= low) & (values <= high), values, np.nan)
    out[:, 4:] = (out[:, 4:] - CUT) % 360 + CUT
    return out


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples."""
    both = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(sample), both, "right") / len(sample) for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def by_chance(one: int, other: int) -> float:
    """Return the distance that two samples of one distribution exceed once in twenty times (asymptotic)."""
    return 1.358 * float(np.sqrt((one + other) / (one * other)))


def described(values: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the number of known values of each measurement, their median and standard deviation, of (N, 7)."""
    out = {}
    for name, column in zip(NAMES, values.T, strict=True):
        if len(own := known(column)):
            out[name] = {"known": len(own), "median": round(float(np.median(own)), 1), "sd": round(float(own.std()), 1)}
    return out


def correlations(values: np.ndarray) -> dict[str, float]:
    """Return Spearman's rank correlation of each pair of measurements of (N, 7), over records that have both."""
    out = {}
    for one, other in combinations(range(len(NAMES)), 2):
        both = values[np.isfinite(values[:, [one, other]]).all(1)]
        if len(both) > 2:
            out[f"{NAMES[one]}, {NAMES[other]}"] = round(float(spearmanr(both[:, one], both[:, other]).statistic), 3)
    return out


def known(column: np.ndarray) -> np.ndarray:
    """Return the values of a column that are not NaN."""
    values: np.ndarray = column[np.isfinite(column)]
    return values


def compared(values: np.ndarray, rows: np.ndarray) -> Compared:
    """Compare values (N, 7) with the rows (M, 7)."""
    own, real = correlations(values), correlations(rows)
    pairs = [(known(values[:, k]), known(rows[:, k])) for k in range(len(NAMES))]
    each = {name: pair for name, pair in zip(NAMES, pairs, strict=True) if len(pair[0])}
    return Compared(
        distance={name: round(distance(*pair), 3) for name, pair in each.items()},
        by_chance={name: round(by_chance(*map(len, pair)), 3) for name, pair in each.items()},
        values=described(values),
        correlations=own,
        unlike=round(float(np.mean([abs(own[pair] - real[pair]) for pair in own])), 3),
    )


def table(columns: Mapping[str, Compared], rows: np.ndarray) -> str:
    """Return Markdown: for each column the distances from the rows (M, 7), medians and deviations, and correlations."""
    lines = ["| | MIMIC-IV-ECG | " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) + 1)]

    def add(title: str, real: str, cells: list[str]) -> None:
        lines.append(f"| {title} | {real} | " + " | ".join(cells) + " |")

    values, real = described(rows), correlations(rows)
    for name in NAMES:
        cells = [f"{one['distance'][name]:.2f}" if name in one["distance"] else "" for one in columns.values()]
        add(f"distance: {name}", "0", cells)
    for name in NAMES:
        known_values = [one["values"].get(name) for one in columns.values()]
        cells = [f"{one['median']:.0f} ± {one['sd']:.0f}" if one else "" for one in known_values]
        add(f"{name}, median ± SD", f"{values[name]['median']:.0f} ± {values[name]['sd']:.0f}", cells)
    for pair, value in real.items():
        own = [one["correlations"].get(pair) for one in columns.values()]
        add(f"correlation: {pair}", f"{value:+.2f}", ["" if one is None else f"{one:+.2f}" for one in own])
    add("mean difference of correlations", "0", [f"{one['unlike']:.2f}" for one in columns.values()])
    return "\n".join(lines)
