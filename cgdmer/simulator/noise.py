"""Noise of a recording: baseline wander, mains interference, muscle noise and moving electrodes."""

import numpy as np

from cgdmer.simulator.draws import Array, Draws, approximate_exp, cosine, sine

SLOW = 25.0
"""Rate in Hz at which slow noise is computed; it is then interpolated linearly."""
_LIMBS = 3
"""Number of limb electrodes. The electrodes are RA, LA, LL, V1 to V6."""


def noise(samples: int, fs: float, random: Draws, muscle: float = 1.0) -> Array:
    """Return noise in microvolt, (8, samples) for I, II, V1-V6; it arises at the nine electrodes.

    `muscle` is a factor on the muscle noise.
    """
    out = muscle * _muscle(samples, random)
    factor = max(1, round(fs / SLOW))
    time = np.arange(samples // factor + 2) * (factor / fs)
    slow = _wander(time, random)
    if random.random() < 0.06:
        _shift(slow, time, random)
    out = _leads(out) + _upsample(_leads(slow), factor, samples)
    _mains(out, fs, random)
    return out


def _leads(electrodes: Array) -> Array:
    """Return leads (8, T), I, II and V1-V6 against Wilson's terminal, of electrode potentials (9, T)."""
    right, left, leg = electrodes[:_LIMBS]
    out = np.empty((8, electrodes.shape[1]))
    out[0], out[1] = left - right, leg - right
    out[2:] = electrodes[_LIMBS:] - (right + left + leg) / 3
    return out


def _muscle(samples: int, random: Draws) -> Array:
    """Return muscle noise at the electrodes, (9, samples) in microvolt: smoothed white noise, stronger on the limbs.

    One limb electrode may have tremor.
    """
    level = random.log_normal(2.1, 0.5) * random.uniforms(0.6, 1.4, 9, 1)
    level[_LIMBS:] *= 0.6
    if random.random() < 0.15:
        level[random.integer(0, _LIMBS)] *= random.uniform(2, 6)
    white = random.white(9, samples + 2)
    return np.asarray(level * (0.5 * white[:, 2:] + 0.6 * white[:, 1:-1] + 0.4 * white[:, :-2]))


def _wander(time: Array, random: Draws) -> Array:
    """Return baseline wander at the electrodes, (9, T) in microvolt: three sines per electrode, below 0.45 Hz."""
    depth = random.log_normal(16.0, 0.75)
    out = np.zeros((9, len(time)))
    for _ in range(3):
        phase = random.uniform(0.05, 0.45) * time
        gains = depth * random.normals(2, 9, 1)
        out += gains[0] * sine(phase) + gains[1] * cosine(phase)
    return out


def _shift(out: Array, time: Array, random: Draws) -> None:
    """Add the movement of one electrode, a step that decays, in place."""
    start, height = random.uniform(0, float(time[-1])), random.normal(0, 260)
    fade = 1 / (1 + np.maximum(time - start, 0.0) / random.uniform(0.2, 0.9))
    out[random.integer(0, 9)] += np.where(time >= start, height * fade * fade, 0.0)


def _upsample(slow: Array, factor: int, samples: int) -> Array:
    """Interpolate rows linearly to `factor` times the rate and return (rows, samples)."""
    fraction = np.arange(factor) / factor
    rise = slow[:, 1:] - slow[:, :-1]
    return (slow[:, :-1, None] + rise[:, :, None] * fraction).reshape(len(slow), -1)[:, :samples]


def _mains(out: Array, fs: float, random: Draws) -> None:
    """Add mains interference, mostly weak, in place: 50 Hz in three of four records, 60 Hz in the others."""
    frequency = 50.0 if random.random() < 0.75 else 60.0
    gains = 1.6 * approximate_exp(random.normal(0, 0.8)) * random.uniforms(0.3, 1.5, 8, 1)
    out += gains * sine(np.arange(out.shape[1]) * (frequency / fs) + random.random())
