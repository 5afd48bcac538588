"""Intervals and frontal axes of a record from the waves that experts delineated in each lead."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cgdmer.delineation.formulas import axis, corrected, variability
from cgdmer.external.annotations import Wave

Delineated = Mapping[str, Sequence[Wave]]
"""The waves of each lead."""


def measure(delineated: Delineated, signal: Mapping[str, np.ndarray], fs: float) -> dict[str, float | None]:
    """Return the intervals in milliseconds and the axes in degrees; None where no lead has the waves.

    An interval is the median over leads of the median over beats; so is the variability of the RR intervals, of each
    lead's. `signal` holds leads I and aVF (T,) in mV. The PR interval runs from the onset of the P wave to that of the
    QRS complex.
    """
    rr = _median(_gaps(waves) for waves in delineated.values())
    pr = _median([q.onset - p.onset for p, q in _pairs(waves, "p", "qrs")] for waves in delineated.values())
    qt = _median([t.offset - q.onset for q, t in _pairs(waves, "qrs", "t")] for waves in delineated.values())
    qrs = _median([w.offset - w.onset for w in waves if w.kind == "qrs"] for waves in delineated.values())
    varied = [variability(np.diff(_peaks(waves))) for waves in delineated.values()]
    spread = {name: _median([value] for one in varied if (value := one[name]) is not None)
              for name in ("rr_sd", "rmssd")}  # fmt: skip
    milliseconds = {
        name: None if samples is None else samples / fs * 1000
        for name, samples in {"rr": rr, **spread, "pr": pr, "qrs": qrs, "qt": qt}.items()
    }
    axes = {f"{kind}_axis": _axis(delineated, signal, kind) for kind in ("p", "qrs", "t")}
    return {**milliseconds, **corrected(milliseconds["qt"], milliseconds["rr"]), **axes}


def _gaps(waves: Sequence[Wave]) -> list[float]:
    """Return the mean RR interval of a lead in samples, as a list of one; empty with fewer than two beats."""
    peaks = _peaks(waves)
    return [(peaks[-1] - peaks[0]) / (len(peaks) - 1)] if len(peaks) > 1 else []


def _peaks(waves: Sequence[Wave]) -> list[int]:
    """Return the samples of the peaks of the QRS complexes."""
    return [wave.peak for wave in waves if wave.kind == "qrs"]


def _pairs(waves: Sequence[Wave], first: str, second: str) -> Iterable[tuple[Wave, Wave]]:
    """Yield each wave of one kind that is followed by one of another kind, with no other wave in between."""
    pairs = itertools.pairwise(waves)
    return [(one, other) for one, other in pairs if one.kind == first and other.kind == second]


def _median(by_lead: Iterable[Sequence[float]]) -> float | None:
    medians = [float(np.median(values)) for values in by_lead if len(values)]
    return float(np.median(medians)) if medians else None


def _axis(delineated: Delineated, signal: Mapping[str, np.ndarray], kind: str) -> float | None:
    """Return the axis of the median area of a wave in leads I and aVF, each from a line between onset and offset."""
    areas = {}
    for lead in ("I", "aVF"):
        waves = [wave for wave in delineated[lead] if wave.kind == kind]
        if not waves:
            return None
        areas[lead] = float(np.median([_area(signal[lead][wave.onset : wave.offset + 1]) for wave in waves]))
    return axis(areas["I"], areas["aVF"]) if any(areas.values()) else None


def _area(wave: np.ndarray) -> float:
    return float((wave - np.linspace(wave[0], wave[-1], len(wave))).sum())
