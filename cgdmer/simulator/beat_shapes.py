"""Shapes of a ventricular beat in I, II, V1-V6 as a mean and components of real median beats.

A shape is the size of nine bumps over the QRS complex and nine over ST segment and T wave, in each lead. The bumps
stretch with QRS and QT, so the shape is independent of the intervals. `beat_shapes.json` holds the mean of the shapes,
the principal components times their standard deviations, and the change of their scores with age and sex: aggregate
statistics of CODE-15 % (CC BY 4.0), LUDB (ODC-By 1.0) and Chapman-Shaoxing-Ningbo (CC BY 4.0); docs/simulator.md says
how they were made. No recording of PTB-XL or MIMIC-IV-ECG was used.
"""

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer.simulator.draws import Array, bump, cosine, sine
from cgdmer.simulator.torso import LEAD_VECTORS

QRS_BUMPS, T_BUMPS = 9, 9
LEAD_COUNT = 8
P_BUMPS, P_PEAK, P_SPACING, P_WIDTH = 7, 56.0, 17.0, 14.0
"""Bumps of a P wave, and the time of its peak after its onset, the distance and the width of the bumps in ms."""


class Statistics(NamedTuple):
    """Content of `beat_shapes.json`; shapes have the unit of the record's `size`."""

    mean: Array
    """(8, 18)."""
    components: Array
    """(K, 8, 18), each times its standard deviation."""
    age: Array
    """(K,) change of the mean scores per 17 years above 60."""
    male: Array
    """(K,) difference of the mean scores between the sexes."""
    p_mean: Array
    """(8, 7), of the P wave, in units of its own size."""
    p_components: Array
    """(L, 8, 7), each times its standard deviation."""


@lru_cache(maxsize=1)
def statistics() -> Statistics:
    """Read the statistics that are shipped with the package."""
    content = json.loads((Path(__file__).parent / "beat_shapes.json").read_text())
    return Statistics(*(np.array(content[name], dtype=np.float64) for name in Statistics._fields))


def shape(scores: Sequence[float]) -> Array:
    """Return the shape (8, 18) with these standard scores, summed term by term."""
    return _sum(statistics().mean, scores, statistics().components)


def p_shape(scores: Sequence[float]) -> Array:
    """Return the shape of a P wave (8, 7) with these standard scores."""
    return _sum(statistics().p_mean, scores, statistics().p_components)


def _sum(mean: Array, scores: Sequence[float], components: Array) -> Array:
    out = mean.copy()
    for score, component in zip(scores, components, strict=True):
        out += score * component
    return out


def bumps(time: Array, qrs_ms: float, t_end: float) -> Array:
    """Evaluate the bumps at times (n,) in ms after QRS onset and return (18, n)."""
    width = qrs_ms * 0.92 / (QRS_BUMPS - 1)
    length = t_end - qrs_ms
    wide = length * 0.91 / (T_BUMPS - 1)
    centres = [(0.04 * qrs_ms + k * width, 0.8 * width) for k in range(QRS_BUMPS)]
    centres += [(qrs_ms + 0.06 * length + k * wide, 0.85 * wide) for k in range(T_BUMPS)]
    return np.stack([bump((time - centre) / deviation) for centre, deviation in centres])


def direction(coefficients: Array) -> tuple[float, float]:
    """Return the unit vector (to the left, to the feet) of the mean QRS in the frontal plane; (1, 0) if it is zero."""
    first, second = np.cumsum(coefficients[:2, :QRS_BUMPS], axis=1)[:, -1].tolist()
    x, y = first, (2 * second - first) / math.sqrt(3)
    length = math.sqrt(x * x + y * y)
    return (x / length, y / length) if length > 1e-9 else (1.0, 0.0)


def target(axis: float) -> tuple[float, float]:
    """Return the unit vector of an axis in degrees."""
    turn = np.array(axis / 360)
    return float(cosine(turn)), float(sine(turn))


def turned(coefficients: Array, cos: float, sin: float) -> Array:
    """Rotate coefficients (8, n) in the frontal plane by an angle with this cosine and sine.

    Limb leads rotate exactly; chest leads change as the part of a dipole does that the limb leads see.
    """
    x, y = coefficients[0], (2 * coefficients[1] - coefficients[0]) / math.sqrt(3)
    dx, dy = (cos - 1) * x - sin * y, sin * x + (cos - 1) * y
    out = coefficients.copy()
    out[0] += dx
    out[1] += 0.5 * dx + 0.5 * math.sqrt(3) * dy
    out[2:] += 1.3 * (LEAD_VECTORS[2:, 0, None] * dx + LEAD_VECTORS[2:, 1, None] * dy)
    return out


def to_axis(coefficients: Array, axis: float) -> Array:
    """Rotate coefficients (8, 18) so that the mean QRS has this axis in degrees."""
    (a, b), (c, d) = direction(coefficients), target(axis)
    return turned(coefficients, a * c + b * d, a * d - b * c)


def template(coefficients: Array, qrs_ms: float, t_end: float, before: float, length: float, fs: float) -> Array:
    """Evaluate coefficients (8, 18) from `before` seconds before QRS onset and return (2, 8, n).

    The first (8, n) is the shape, the second its change per radian of rotation in the frontal plane.
    """
    time = (np.arange(round(length * fs)) / fs - before) * 1000
    return _evaluated(coefficients, bumps(time, qrs_ms, t_end))


def p_template(coefficients: Array, stretch: float, length: float, fs: float) -> Array:
    """Evaluate the coefficients (8, 7) of a P wave from its onset on and return (2, 8, n) as `template` does.

    `stretch` is its duration relative to the mean.
    """
    time = np.arange(round(length * fs)) / fs * 1000
    centres = [(P_PEAK + (k - (P_BUMPS - 1) / 2) * P_SPACING) * stretch for k in range(P_BUMPS)]
    return _evaluated(coefficients, np.stack([bump((time - centre) / (P_WIDTH * stretch)) for centre in centres]))


def _evaluated(coefficients: Array, courses: Array) -> Array:
    """Return coefficients (8, k) times courses (k, n), and the same for their change with rotation: (2, 8, n)."""
    sideways = turned(coefficients, 1.0, 1.0) - coefficients  # derivative: cosine 1, sine the angle
    sizes = np.concatenate([coefficients, sideways])
    out = np.zeros((len(sizes), courses.shape[1]))
    for index, course in enumerate(courses):
        if course.any():
            low, high = int((course > 0).argmax()), len(course) - int((course[::-1] > 0).argmax())
            out[:, low:high] += sizes[:, index, None] * course[low:high]
    return out.reshape(2, LEAD_COUNT, -1)
