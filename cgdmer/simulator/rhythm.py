"""Owns when the heart beats: times, kinds and P waves of the beats of one record."""

from dataclasses import dataclass

import numpy as np

from cgdmer.simulator.findings import SINUS, Case

LEAD_IN = 1.2
"""Seconds of beats before the record starts, so that it starts anywhere in a beat."""
NORMAL, VENTRICULAR = 0, 1


@dataclass(frozen=True)
class Beats:
    """Beats of one record, times in seconds from its start; some lie outside it."""

    onset: np.ndarray
    """Onset of each QRS (n,)."""
    kind: np.ndarray
    """NORMAL or VENTRICULAR (n,)."""
    p_onset: np.ndarray
    """Onset of the P wave before each beat, NaN where there is none (n,)."""
    p_scale: np.ndarray
    """How a P wave differs from the sinus one: 1, or about -0.6 from elsewhere in the atria (n,)."""
    swing: np.ndarray
    """Respiration at each beat, -1 to 1 (n,)."""


def beats(case: Case, seconds: float, random: np.random.Generator) -> Beats:
    """Draw the beats of one record."""
    intervals, swing = _intervals(case, seconds, random)
    kind = np.zeros(len(intervals), dtype=np.int64)
    p_scale = np.ones(len(intervals))
    _ectopics(case, intervals, kind, p_scale, random)
    onset = np.cumsum(intervals) - LEAD_IN - random.uniform(0, intervals[0])
    pr = np.full(len(onset), case.pr_ms / 1000)
    p_onset = np.where(kind == VENTRICULAR, np.nan, onset - pr)
    if case.rhythm not in SINUS and case.rhythm != "paced":
        p_onset[:] = np.nan
    if case.rhythm == "paced" and random.random() < 0.5:
        p_onset[:] = np.nan
    return Beats(onset, kind, p_onset, p_scale, swing)


def _intervals(case: Case, seconds: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return RR intervals in seconds and the respiration at each beat."""
    mean = 60.0 / case.heart_rate
    count = int((seconds + 2 * LEAD_IN) / mean * 1.6) + 4
    breath = 2 * np.pi * random.uniform(0.18, 0.3) * mean
    swing = np.sin(breath * np.arange(count) + random.uniform(0, 2 * np.pi))
    slow = np.cumsum(random.normal(0, 0.006, count))
    slow -= slow.mean()
    if case.rhythm == "atrial_fibrillation":
        spread = random.uniform(0.17, 0.26)
        return np.maximum(mean * random.gamma(1 / spread**2, spread**2, count), 0.3), swing
    if case.rhythm == "atrial_flutter":
        cycle = random.uniform(0.19, 0.215)
        base = max(2, round(mean / cycle))
        varies = random.random() < 0.5
        return cycle * (base + (random.random(count) < 0.3) * varies), swing
    if case.rhythm in ("supraventricular_tachycardia", "paced"):
        return mean * (1 + random.normal(0, 0.004, count)), swing
    depth = random.uniform(0.13, 0.22) if case.rhythm == "sinus_arrhythmia" else random.uniform(0.015, 0.045)
    depth *= float(np.clip(1.4 - case.age / 110, 0.5, 1.3)) if case.rhythm != "sinus_arrhythmia" else 1.0
    return mean * (1 + depth * swing + slow + random.normal(0, 0.008, count)), swing


def _ectopics(
    case: Case, intervals: np.ndarray, kind: np.ndarray, p_scale: np.ndarray, random: np.random.Generator
) -> None:
    """Make some beats early, in place; a ventricular one is followed by a full compensatory pause."""
    ventricular = bool(case.findings & {"premature_ventricular", "bigeminy"})
    if not ventricular and "premature_atrial" not in case.findings:
        return
    every = 2 if "bigeminy" in case.findings else int(random.integers(4, 8))
    start = 2 + int(random.integers(0, 2))
    early = random.uniform(0.58, 0.72)
    for place in range(start, len(intervals) - 1, every):
        sinus = intervals[place]
        intervals[place] = sinus * early * (1 + random.normal(0, 0.02))
        if ventricular:
            kind[place] = VENTRICULAR
            intervals[place + 1] = 2 * sinus - intervals[place]
        else:
            p_scale[place] = random.uniform(-0.8, -0.4)
            intervals[place + 1] = sinus * 1.12
