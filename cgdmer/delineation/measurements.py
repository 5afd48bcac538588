"""The measurements that a reader of ECGs takes: rhythm, intervals, axes, ST levels and voltages of a recording.

They belong to the most frequent shape of beats. docs/measurements.md defines each and says how exact it is.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypeAlias

import numpy as np

from cgdmer.delineation.formulas import axis, corrected
from cgdmer.delineation.recording import QRS, WAVES, DelineatedShape, Delineation, P, T
from cgdmer.delineation.rules import Limits
from cgdmer.signals.leads import LEADS
from cgdmer.signals.recording import FLAT_UV

Values: TypeAlias = Mapping[str, float | None]
ST_AFTER = 0.06
"""Seconds from the end of the QRS complex to the point at which the ST level is taken."""
LEVEL = (0.016, 0.004)
"""Seconds before the onset of the complex between which a lead's zero line is taken."""
SMALL_MV = 0.05
"""Without an R wave above this, the whole negative deflection is the S wave."""
RHYTHM = ("beats", "other_beats", "heart_rate", "rr_ms", "rr_variation", "rmssd_ms")
INTERVALS = ("p_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms")
AXES = ("p_axis", "qrs_axis", "t_axis")
VOLTAGES = (*(f"{wave}_{lead}_mv" for wave in ("r", "s") for lead in LEADS), "sokolow_lyon_mv", "cornell_mv")
NAMES = (*RHYTHM, *INTERVALS, *AXES, *(f"st_{lead}_mv" for lead in LEADS), *VOLTAGES)
"""All measurements, in the order of columns; the ending is the unit, axes are in degrees, rates per minute."""


def measure(delineation: Delineation, missing: Sequence[str] = ()) -> dict[str, float | None]:
    """Return each measurement of a recording of the twelve leads, by `NAMES`; None where the evidence is missing.

    `missing` names leads that are zero because they were not recorded.
    """
    values: dict[str, float | None] = dict.fromkeys(NAMES)
    values |= rhythm(delineation)
    if delineation.shapes:
        main = delineation.shapes[0]
        values |= intervals(main, delineation.fs, values["rr_ms"])
        values |= axes(main, missing)
        values |= levels(main, delineation.fs)
    return values


def rhythm(delineation: Delineation) -> Values:
    """Return count, rate and regularity of the beats; all but the counts are None without two RR intervals."""
    own = len(delineation.shapes[0].shape.centres) if delineation.shapes else 0
    counts = {"beats": float(len(delineation.centres)), "other_beats": float(len(delineation.centres) - own)}
    gaps = np.diff(delineation.centres) * 1000 / delineation.fs
    if len(gaps) < 2:
        return counts
    mean = float(gaps.mean())
    return {
        **counts,
        "heart_rate": 60_000 / mean,
        "rr_ms": mean,
        "rr_variation": float(gaps.std()) / mean,
        "rmssd_ms": float(np.sqrt(np.mean(np.square(np.diff(gaps))))),
    }


def intervals(main: DelineatedShape, fs: float, rr: float | None) -> Values:
    """Return durations in milliseconds; each is the median over the leads that have the waves."""
    p, qrs, t = (main.waves[kind] for kind in WAVES)
    found = {
        "p_ms": _median([one.offset - one.onset for one in p if one], fs),
        "pr_ms": _median([two.onset - one.onset for one, two in zip(p, qrs, strict=True) if one and two], fs),
        "qrs_ms": _median([one.offset - one.onset for one in qrs if one], fs),
        "qt_ms": _median([two.offset - one.onset for one, two in zip(qrs, t, strict=True) if one and two], fs),
    }
    return {**found, **{f"{name}_ms": value for name, value in corrected(found["qt_ms"], rr).items()}}


def _median(samples: Sequence[int], fs: float) -> float | None:
    return float(median(samples)) / fs * 1000 if samples else None


def axes(main: DelineatedShape, missing: Sequence[str]) -> Values:
    """Return the frontal axes in degrees: directions of the areas of a wave in leads I and aVF."""
    if {"I", "aVF"} & set(missing) or (np.ptp(main.shape.beat[list(_FRONTAL)], axis=1) < FLAT_UV / 1000).any():
        return {}
    found: dict[str, float | None] = {}
    for kind in (P, QRS, T):
        usual = common(main.waves[kind])
        if usual is None:
            continue
        first, second = (_area(main.shape.beat[row], main.waves[kind][row] or usual) for row in _FRONTAL)
        found[f"{kind}_axis"] = axis(first, second) if first or second else None
    return found


_FRONTAL = (LEADS.index("I"), LEADS.index("aVF"))


def common(waves: Sequence[Limits | None]) -> Limits | None:
    """Return the median limits over the leads that have a wave; None if none has."""
    known = [(one.onset, one.peak, one.offset) for one in waves if one]
    if not known:
        return None
    return Limits(*(int(median(samples)) for samples in zip(*known, strict=True)))


def _area(lead: np.ndarray, wave: Limits) -> float:
    """Return the area of a wave above the line between its onset and its offset, in mV times samples."""
    part = lead[wave.onset : wave.offset + 1]
    return float((part - np.linspace(part[0], part[-1], len(part))).sum())


def levels(main: DelineatedShape, fs: float) -> Values:
    """Return ST levels, R and S voltages, and the sums of Sokolow-Lyon and Cornell, in mV from the level before QRS.

    Sokolow-Lyon is S in V1 and the larger R of V5 and V6; Cornell is R in aVL and S in V3.
    """
    found: dict[str, float | None] = {}
    usual = common(main.waves[QRS])
    for lead, values, wave in zip(LEADS, main.shape.beat, main.waves[QRS], strict=True):
        if wave is None or usual is None:
            continue
        zero = values[max(0, wave.onset - round(LEVEL[0] * fs)) : wave.onset - round(LEVEL[1] * fs) + 1].mean()
        r, s = r_and_s(values[wave.onset : wave.offset + 1] - zero)
        st = usual.offset + round(ST_AFTER * fs)
        found |= {f"r_{lead}_mv": r, f"s_{lead}_mv": s, f"st_{lead}_mv": float(values[st] - zero)}
    left = [value for lead in ("V5", "V6") if (value := found.get(f"r_{lead}_mv")) is not None]
    found["sokolow_lyon_mv"] = _sum(found.get("s_V1_mv"), max(left) if len(left) == 2 else None)
    found["cornell_mv"] = _sum(found.get("r_aVL_mv"), found.get("s_V3_mv"))
    return found


def r_and_s(complex_: np.ndarray) -> tuple[float, float]:
    """Return the heights of R and S of a complex (W,) in mV, both positive; without an R, S is the QS complex."""
    peak = int(complex_.argmax())
    r = max(0.0, float(complex_[peak]))
    after = complex_[peak:] if r >= SMALL_MV else complex_
    return r, max(0.0, -float(after.min()))


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second
