"""Assembly of a record: beats in the leads, atrial activity and noise."""

from collections.abc import Sequence

import numpy as np

from cgdmer.simulator import atria, clinical_heart, heart, torso
from cgdmer.simulator.draws import Array, Draws, approximate_exp
from cgdmer.simulator.findings import Case, stream
from cgdmer.simulator.noise import noise
from cgdmer.simulator.rhythm import VENTRICULAR, Beats, beats
from cgdmer.simulator.waves import rotated, template, varied

CHEST_GAIN_LOG_STD = 0.12
"""Standard deviation of the log gain of each chest lead: chests and electrode positions differ."""

MUSCLE = 1.8
"""Median factor on the muscle noise in the clinical population; LUDB's quietest moments are that much noisier."""


def simulate(cases: Sequence[Case], seed: int, first: int, seconds: float = 10.0, fs: float = 500.0) -> np.ndarray:
    """Return the recordings of `cases`, numbered from `first` on, as int16 microvolt (n, 12, T) in canonical leads.

    The same seed gives the same bytes on every machine (see `draws`). Lead identities hold within 1 microvolt.
    """
    samples = round(seconds * fs)
    out = np.empty((len(cases), 12, samples), dtype=np.int16)
    for index, case in enumerate(cases):
        out[index] = _record(case, samples, fs, stream(seed, first + index, 1))
    return out


def rr_intervals(case: Case, seed: int, number: int, seconds: float = 10.0) -> Array:
    """Return the RR intervals in seconds within the recording that `simulate` makes of record `number`, (n,)."""
    onset = beats(case, seconds, stream(seed, number, 1)).onset
    return np.diff(onset[(onset >= 0) & (onset <= seconds)])


def _record(case: Case, samples: int, fs: float, random: Draws) -> np.ndarray:
    rhythm = beats(case, samples / fs, random)
    leads = np.zeros((8, samples))
    _ventricles(leads, case, rhythm, fs, random)
    leads += _atria(case, rhythm, samples, fs, random)
    leads *= 1000.0 if case.clinical else _gains(case, random)
    if case.rhythm == "paced":
        _spikes(leads, rhythm, fs, random)
    leads += noise(samples, fs, random, random.log_normal(MUSCLE, 0.35) if case.clinical else 1.0)
    return torso.twelve_leads(leads)


def _gains(case: Case, random: Draws) -> Array:
    """Return the gain of each lead from mV to microvolt, (8, 1), in the textbook population."""
    size = random.log_normal(1000.0, 0.2) * (1.0 if case.sex == "male" else 0.9)
    gains = np.full((8, 1), size)
    gains[2:, 0] = [size * approximate_exp(random.normal(0, CHEST_GAIN_LOG_STD)) for _ in range(6)]
    return gains


def _ventricles(out: Array, case: Case, rhythm: Beats, fs: float, random: Draws) -> None:
    """Add a template at each beat, in place; respiration scales and rotates it slightly."""
    length = heart.BEFORE + heart.AFTER
    if case.clinical:
        shapes = [clinical_heart.template(case, case.clinical, random, fs)]
    else:
        waves = heart.ventricular_waves(case, random, random.normal(0, 11))
        shapes = [template(waves, heart.BEFORE, length, fs)]
    if (rhythm.kind == VENTRICULAR).any():
        shapes.append(template(heart.ectopic_waves(random), heart.BEFORE, length, fs))
        if case.clinical:
            shapes[1] *= case.clinical.size / 0.30
    depth = random.uniform(0.02, 0.07)
    for onset, kind, breath in zip(
        rhythm.onset.tolist(), rhythm.kind.tolist(), rhythm.respiration.tolist(), strict=True
    ):
        shape, tilt = shapes[kind]
        _add(out, shape, tilt, 1 + depth * breath, 0.6 * depth * breath, round((onset - heart.BEFORE) * fs))


def _atria(case: Case, rhythm: Beats, samples: int, fs: float, random: Draws) -> Array:
    """Return P waves, fibrillation waves or flutter waves, (8, T) in mV."""
    out = np.zeros((8, samples))
    time = np.arange(samples) / fs
    if case.rhythm == "atrial_fibrillation":
        return atria.fibrillation(time, random)
    if case.rhythm == "atrial_flutter":
        return atria.flutter(time, rhythm.onset, random)
    shape, tilt = _p_wave(case, fs, random)
    for onset, scale in zip(rhythm.p_onset.tolist(), rhythm.p_scale.tolist(), strict=True):
        if onset == onset:  # not NaN
            _add(out, shape, tilt, scale, 0.0, round(onset * fs))
    return out


def _p_wave(case: Case, fs: float, random: Draws) -> Array:
    """Return a P wave from its onset on and its change per radian of rotation, (2, 8, n) in mV."""
    if case.clinical:
        return atria.clinical_template(case, case.clinical, random, fs)
    turn = torso.rotation(0.2 * (case.axis - 45), random.normal(0, 8))
    waves = [varied(rotated(wave, turn), random) for wave in atria.atrial_waves(case)]
    return template(waves, 0.0, atria.P_LENGTH, fs) * random.uniform(0.8, 1.25)


def _spikes(leads: Array, rhythm: Beats, fs: float, random: Draws) -> None:
    """Add a pacing spike of one sample, 8 ms before each QRS, in place; (8, T) in microvolt."""
    sign = np.where(random.uniforms(0, 1, 8) < 0.35, -1, 1)
    height = random.uniform(600, 1900) * random.uniforms(0.3, 1.0, 8) * sign
    for onset in rhythm.onset.tolist():
        start = round((onset - 0.008) * fs)
        if 0 <= start < leads.shape[1] - 1:
            leads[:, start] += height


def _add(out: Array, shape: Array, tilt: Array, scale: float, turn: float, begin: int) -> None:
    """Add a shape (8, n) to leads (8, T) from sample `begin` on, in place, and cut it off at both ends of the record.

    `tilt` (8, n) is the change of the shape per radian of rotation, `turn` the rotation in radians.
    """
    low, high = max(begin, 0), min(begin + shape.shape[1], out.shape[1])
    if low < high:
        inside = slice(low - begin, high - begin)
        out[:, low:high] += shape[:, inside] * scale + tilt[:, inside] * turn if turn else shape[:, inside] * scale
