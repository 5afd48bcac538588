"""Rhythm of one record: times, kinds and P waves of its beats."""

from dataclasses import dataclass

import numpy as np

from cgdmer.simulator.draws import Array, Draws, sine
from cgdmer.simulator.findings import SINUS, Case

LEAD_IN = 1.2
"""Time in seconds by which the beats start before the record, so that it can start anywhere in a beat."""
NORMAL, VENTRICULAR = 0, 1


@dataclass(frozen=True)
class Beats:
    """Beats of one record, times in seconds from its start. Some lie outside the record."""

    onset: Array
    """Onset of each QRS (n,)."""
    kind: np.ndarray
    """NORMAL or VENTRICULAR (n,)."""
    p_onset: Array
    """Onset of the P wave before each beat, NaN if there is none (n,)."""
    p_scale: Array
    """Factor on the sinus P wave: 1, or about -0.6 for an ectopic atrial beat (n,)."""
    respiration: Array
    """Phase of respiration at each beat as a sine, -1 to 1 (n,)."""


def beats(case: Case, seconds: float, random: Draws) -> Beats:
    """Draw the beats of one record."""
    intervals, respiration = _intervals(case, seconds, random)
    kind = np.zeros(len(intervals), dtype=np.int64)
    p_scale = np.ones(len(intervals))
    _ectopics(case, intervals, kind, p_scale, random)
    onset = np.cumsum(intervals) - LEAD_IN - random.uniform(0, float(intervals[0]))
    p_onset = np.where(kind == VENTRICULAR, np.nan, onset - case.pr_ms / 1000)
    if case.rhythm not in SINUS and not (case.rhythm == "paced" and random.random() < 0.5):
        p_onset[:] = np.nan
    return Beats(onset, kind, p_onset, p_scale, respiration)


def _intervals(case: Case, seconds: float, random: Draws) -> tuple[Array, Array]:
    """Return the RR intervals in seconds and the respiration at each beat, both (n,)."""
    mean = 60.0 / case.heart_rate
    count = int((seconds + 2 * LEAD_IN) / mean * 1.6) + 4
    respiration = sine(random.uniform(0.18, 0.3) * mean * np.arange(count) + random.random())
    if case.rhythm == "atrial_fibrillation":
        deviation, drawn = random.uniform(0.17, 0.26), random.normals(count)
        skew = deviation / 3 * (drawn * drawn - 1)
        return np.maximum(mean * (1 + deviation * (drawn + skew)), 0.3), respiration
    if case.rhythm == "atrial_flutter":
        cycle = random.uniform(0.19, 0.215)
        longer = (random.uniforms(0, 1, count) < 0.3) * (random.random() < 0.5)
        return cycle * (max(2, round(mean / cycle)) + longer), respiration
    jitter = random.normals(count)
    if case.rhythm in ("supraventricular_tachycardia", "paced"):
        return mean * (1 + 0.004 * jitter), respiration
    if case.rhythm == "sinus_arrhythmia":
        depth = random.uniform(0.13, 0.22)
    elif case.clinical:
        depth = min(random.log_normal(0.021, 0.7), 0.09)
    else:
        depth = random.uniform(0.015, 0.045) * min(max(1.4 - case.age / 110, 0.5), 1.3)
    slow = np.cumsum(0.006 * random.normals(count))
    slow -= slow[count // 2]
    if case.clinical:
        slow *= random.log_normal(1.7, 0.5)
    return mean * (1 + depth * respiration + slow + 0.008 * jitter), respiration


def _ectopics(case: Case, intervals: Array, kind: np.ndarray, p_scale: Array, random: Draws) -> None:
    """Make some beats premature, in place; a full compensatory pause follows a ventricular one."""
    ventricular = bool(case.findings & {"premature_ventricular", "bigeminy"})
    if not ventricular and "premature_atrial" not in case.findings:
        return
    every = 2 if "bigeminy" in case.findings else random.integer(4, 8)
    start = 2 + random.integer(0, 2)
    early = random.uniform(0.58, 0.72)
    for beat in range(start, len(intervals) - 1, every):
        sinus = float(intervals[beat])
        intervals[beat] = sinus * early * random.normal(1.0, 0.02)
        if ventricular:
            kind[beat] = VENTRICULAR
            intervals[beat + 1] = 2 * sinus - intervals[beat]
        else:
            p_scale[beat] = random.uniform(-0.8, -0.4)
            intervals[beat + 1] = sinus * 1.12
