"""Owns putting a record together: beats placed on a line of the heart vector, atrial activity, leads, noise."""

from collections.abc import Sequence

import numpy as np

from cgdmer.simulator import heart, torso
from cgdmer.simulator.findings import Case, stream
from cgdmer.simulator.noise import noise
from cgdmer.simulator.rhythm import VENTRICULAR, Beats, beats

CHEST_SPREAD = 0.12
"""Logarithmic deviation of each lead's gain: chests and electrode places differ."""


def simulate(cases: Sequence[Case], seed: int, first: int, seconds: float = 10.0, fs: float = 500.0) -> np.ndarray:
    """Return the recordings of cases `first`, `first + 1`, ... as int16 microvolt (n, 12, T), canonical leads.

    The same seed gives the same bytes wherever numpy's elementary functions agree to better than a nanovolt: sums
    are taken term by term in float64 and rounded to microvolt once. Identities hold within one unit.
    """
    samples = round(seconds * fs)
    out = np.empty((len(cases), 12, samples), dtype=np.int16)
    for place, case in enumerate(cases):
        out[place] = _record(case, samples, fs, stream(seed, first + place, 1))
    return out


def _record(case: Case, samples: int, fs: float, random: np.random.Generator) -> np.ndarray:
    rhythm = beats(case, samples / fs, random)
    line = _ventricles(case, rhythm, samples, fs, random)
    line += _atria(case, rhythm, samples, fs, random)
    turn = torso.rotation(_turn(case), float(random.normal(0, 11)))
    size = float(np.exp(random.normal(0.0, 0.2))) * (1.0 if case.sex == "male" else 0.9)
    gains = np.exp(random.normal(0, CHEST_SPREAD, (8, 1))) * size * 1000
    gains[:2] = size * 1000
    leads = torso.combine(torso.combine(torso.LEAD_VECTORS, turn) * gains, line)
    if case.rhythm == "paced":
        _spikes(leads, rhythm, fs, random)
    return torso.twelve(leads + noise(samples, fs, random))


def _turn(case: Case) -> float:
    """Degrees from the axis of the unturned QRS, about 45, to the case's own; paced hearts keep theirs."""
    return 0.0 if case.rhythm == "paced" else case.axis - (30.0 if case.findings & {"lbbb", "lvh"} else 45.0)


def _ventricles(case: Case, rhythm: Beats, samples: int, fs: float, random: np.random.Generator) -> np.ndarray:
    """Place a template at each beat; respiration changes its size and turns it a little."""
    length = heart.BEFORE + heart.AFTER
    conducted = heart.template(heart.ventricular_waves(case, random), heart.BEFORE, length, fs)
    ectopic = heart.template(heart.ectopic_waves(random), heart.BEFORE, length, fs)
    depth = random.uniform(0.02, 0.07)
    out = np.zeros((3, samples))
    for onset, kind, swing in zip(rhythm.onset, rhythm.kind, rhythm.swing, strict=True):
        shape = ectopic if kind == VENTRICULAR else conducted
        tilt = 0.6 * depth * swing
        turned = np.stack([shape[0] + tilt * shape[1], shape[1] - tilt * shape[0], shape[2]])
        _place(out, turned * (1 + depth * swing), onset - heart.BEFORE, fs)
    return out


def _atria(case: Case, rhythm: Beats, samples: int, fs: float, random: np.random.Generator) -> np.ndarray:
    """P waves, fibrillation waves or a flutter line."""
    out = np.zeros((3, samples))
    time = np.arange(samples) / fs
    if case.rhythm == "atrial_fibrillation":
        return _fibrillation(time, random)
    if case.rhythm == "atrial_flutter":
        return _flutter(time, rhythm, random)
    shape = heart.template(heart.atrial_waves(case), 0.0, heart.P_LENGTH, fs) * random.uniform(0.8, 1.25)
    for onset, scale in zip(rhythm.p_onset, rhythm.p_scale, strict=True):
        if np.isfinite(onset):
            _place(out, shape * scale, float(onset), fs)
    return out


def _fibrillation(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Waves of 5 to 8 Hz whose phase wanders, largest towards V1."""
    line = np.zeros(len(time))
    for _ in range(3):
        wander = 1.2 * np.sin(2 * np.pi * random.uniform(0.3, 1.1) * time + random.uniform(0, 2 * np.pi))
        line += np.sin(2 * np.pi * random.uniform(5.0, 8.0) * time + wander + random.uniform(0, 2 * np.pi))
    size = random.uniform(0.012, 0.035)
    waves: np.ndarray = np.array([[0.2], [0.7], [-1.0]]) * size * line
    return waves


def _flutter(time: np.ndarray, rhythm: Beats, random: np.random.Generator) -> np.ndarray:
    """A sawtooth that goes down slowly and up fast in inferior leads, in step with the beats."""
    gaps = np.diff(rhythm.onset)
    cycle = float(gaps.min()) / max(1, round(float(gaps.min()) / 0.2))
    phase = ((time - rhythm.onset[0] + random.uniform(0, cycle)) / cycle) % 1.0
    saw = np.where(phase < 0.72, 1 - 2 * phase / 0.72, -1 + 2 * (phase - 0.72) / 0.28)
    smooth = np.convolve(saw, np.ones(9) / 9, mode="same")
    waves: np.ndarray = np.array([[0.0], [0.8], [-0.55]]) * random.uniform(0.09, 0.16) * smooth
    return waves


def _spikes(leads: np.ndarray, rhythm: Beats, fs: float, random: np.random.Generator) -> None:
    """Add a pacing spike of two milliseconds before each QRS, in place."""
    height = random.uniform(600, 1900) * random.uniform(0.3, 1.0, 8) * np.where(random.random(8) < 0.35, -1, 1)
    for onset in rhythm.onset:
        start = round((onset - 0.008) * fs)
        if 0 <= start < leads.shape[1] - 1:
            leads[:, start] += height


def _place(line: np.ndarray, shape: np.ndarray, start: float, fs: float) -> None:
    """Add a shape (3, n) to a line (3, T) from `start` seconds, in place; what lies outside falls away."""
    begin = round(start * fs)
    low, high = max(begin, 0), min(begin + shape.shape[1], line.shape[1])
    if low < high:
        line[:, low:high] += shape[:, low - begin : high - begin]
