"""Owns the wave, the piece beats are made of: a Gaussian bump of the heart vector, evaluated in the leads.

Axes of the heart vector in mV and of places in cm: x to the left, y to the feet, z to the back.
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
SIZE_SPREAD, TILT = 0.22, 0.06
"""How waves differ between hearts: logarithmic deviation of the size, and deviation of each axis as a share of the
vector."""


@dataclass(frozen=True)
class Wave:
    """A bump of the heart vector at a place of the heart, or with `plateau` a level between two times."""

    centre: float
    """Milliseconds from the start of its template."""
    rise: float
    """Standard deviation before the centre, milliseconds."""
    fall: float
    """Standard deviation after it."""
    vector: Vector
    place: Vector = CENTRE
    plateau: float = 0.0
    """End of the level in milliseconds; 0 for a bump."""


def scaled(wave: Wave, *factors: float) -> Wave:
    """Scale a wave's vector by one factor or by one for each axis."""
    x, y, z = factors if len(factors) == 3 else factors * 3
    a, b, c = wave.vector
    return replace(wave, vector=(a * x, b * y, c * z))


def turned(wave: Wave, matrix: Array) -> Wave:
    x, y, z = torso.combine(matrix, np.array(wave.vector)[:, None])[:, 0].tolist()
    return replace(wave, vector=(x, y, z))


def varied(wave: Wave, random: Draws) -> Wave:
    """Change size and direction a little: no two hearts are alike."""
    size, (a, b, c) = random.skewed(1.0, SIZE_SPREAD), wave.vector
    reach = TILT * (abs(a) + abs(b) + abs(c))
    x, y, z = (size * (part + reach * random.normal(0, 1)) for part in wave.vector)
    return replace(wave, vector=(x, y, z))


def template(waves: Sequence[Wave], before: float, length: float, fs: float) -> Array:
    """Evaluate waves from `before` seconds before their origin, in mV: (2, 8, n) for I, II, V1-V6.

    The second part is what a small turn in the frontal plane, as breathing makes, adds for each radian.
    """
    time = (np.arange(round(length * fs)) / fs - before) * 1000
    vectors = np.array([wave.vector for wave in waves])
    places = np.array([wave.place for wave in waves])
    sideways = np.stack([vectors[:, 1], -vectors[:, 0], 0 * vectors[:, 2]], axis=1)
    sizes = np.concatenate([torso.amplitudes(vectors, places), torso.amplitudes(sideways, places)])
    out = np.zeros((len(sizes), len(time)))
    for place, wave in enumerate(waves):
        low, high = _extent(wave, before, fs, len(time))
        out[:, low:high] += sizes[:, place, None] * course(wave, time[low:high])
    return out.reshape(2, -1, len(time))


def course(wave: Wave, time: Array) -> Array:
    """Return a wave's size over time in milliseconds."""
    if wave.plateau:
        return step((time - wave.centre) / wave.rise) * (1 - step((time - wave.plateau) / wave.fall))
    ahead = time - wave.centre
    return bump(np.where(ahead < 0, ahead / wave.rise, ahead / wave.fall))


def _extent(wave: Wave, before: float, fs: float, samples: int) -> tuple[int, int]:
    """Return the samples outside which a wave is zero."""
    low = (wave.centre - 6 * wave.rise) / 1000 + before
    high = ((wave.plateau or wave.centre) + 6 * wave.fall) / 1000 + before
    return max(int(low * fs), 0), min(max(int(high * fs) + 1, 0), samples)
