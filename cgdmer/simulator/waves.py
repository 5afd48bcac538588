"""Waves, of which beats consist: Gaussian bumps of the heart vector, evaluated in the leads.

Axes of heart vectors (mV) and positions (cm): x to the left, y to the feet, z to the back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cgdmer.simulator import torso
from cgdmer.simulator.draws import Array, Draws, bump, step

Vector = tuple[float, float, float]
CENTRE: Vector = (0.0, 0.0, 0.0)
SEPTUM: Vector = (0.0, 0.0, -1.5)
FREE_WALL: Vector = (1.0, 0.5, 0.0)
BASE: Vector = (0.0, -2.0, 1.0)
FRONT: Vector = (2.0, 1.0, -3.0)
RIGHT_HEART: Vector = (-2.0, 0.5, -3.0)
SIZE_LOG_STD, TILT = 0.22, 0.06
"""Variation of waves between hearts: standard deviation of the log size, and of each axis relative to the vector."""


@dataclass(frozen=True)
class Wave:
    """A bump of the heart vector at a position in the heart or, with `plateau`, a constant level between two times."""

    centre: float
    """Milliseconds from the time origin of its template."""
    rise: float
    """Standard deviation before the centre, in milliseconds."""
    fall: float
    """Standard deviation after the centre, in milliseconds."""
    vector: Vector
    position: Vector = CENTRE
    plateau: float = 0.0
    """End of the constant level, in milliseconds; 0 for a bump."""


def scaled(wave: Wave, *factors: float) -> Wave:
    """Scale the vector of a wave by one factor, or by one factor per axis."""
    x, y, z = factors if len(factors) == 3 else factors * 3
    a, b, c = wave.vector
    return replace(wave, vector=(a * x, b * y, c * z))


def rotated(wave: Wave, matrix: Array) -> Wave:
    """Multiply the vector of a wave by a rotation matrix (3, 3)."""
    x, y, z = torso.multiply(matrix, np.array(wave.vector)[:, None])[:, 0].tolist()
    return replace(wave, vector=(x, y, z))


def varied(wave: Wave, random: Draws) -> Wave:
    """Vary size and direction at random, because hearts differ."""
    size, (a, b, c) = random.log_normal(1.0, SIZE_LOG_STD), wave.vector
    reach = TILT * (abs(a) + abs(b) + abs(c))
    x, y, z = (size * (component + reach * random.normal(0, 1)) for component in wave.vector)
    return replace(wave, vector=(x, y, z))


def template(waves: Sequence[Wave], before: float, length: float, fs: float) -> Array:
    """Evaluate waves in I, II, V1-V6 from `before` seconds before their origin and return (2, 8, n) in mV.

    The first (8, n) is the shape. The second is its change per radian of a small rotation in the frontal plane, as
    respiration causes it.
    """
    time = (np.arange(round(length * fs)) / fs - before) * 1000
    vectors = np.array([wave.vector for wave in waves])
    positions = np.array([wave.position for wave in waves])
    sideways = np.stack([vectors[:, 1], -vectors[:, 0], 0 * vectors[:, 2]], axis=1)
    sizes = np.concatenate([torso.amplitudes(vectors, positions), torso.amplitudes(sideways, positions)])
    out = np.zeros((len(sizes), len(time)))
    for index, wave in enumerate(waves):
        low, high = _extent(wave, before, fs, len(time))
        out[:, low:high] += sizes[:, index, None] * time_course(wave, time[low:high])
    return out.reshape(2, -1, len(time))


def time_course(wave: Wave, time: Array) -> Array:
    """Return the size of a wave, 0 to 1, at times (n,) in milliseconds."""
    if wave.plateau:
        return step((time - wave.centre) / wave.rise) * (1 - step((time - wave.plateau) / wave.fall))
    delay = time - wave.centre
    return bump(np.where(delay < 0, delay / wave.rise, delay / wave.fall))


def _extent(wave: Wave, before: float, fs: float, samples: int) -> tuple[int, int]:
    """Return the range of samples outside which a wave is zero."""
    low = (wave.centre - 6 * wave.rise) / 1000 + before
    high = ((wave.plateau or wave.centre) + 6 * wave.fall) / 1000 + before
    return max(int(low * fs), 0), min(max(int(high * fs) + 1, 0), samples)
