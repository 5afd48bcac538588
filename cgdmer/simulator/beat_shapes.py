"""Shapes of a ventricular beat in I, II, V1-V6 as a mean and components of real median beats.

A shape is the size, in each lead, of thirteen bumps over the QRS complex, nine over ST segment and T wave, one for the
U wave, and of a shift of the PQ segment. The bumps stretch with QRS and QT, so the shape does not depend on the
intervals; it is relative to the line between U and P wave. `beat_shapes.json` holds the mean shape, the principal
components times their standard deviations, and the change of their scores with age and sex: aggregate
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

from cgdmer.simulator.draws import Array, bump, cosine, sine, step
from cgdmer.simulator.torso import LEAD_VECTORS

QRS_BUMPS, T_BUMPS = 13, 9
LATE = slice(QRS_BUMPS, QRS_BUMPS + T_BUMPS)
"""Coefficients of ST segment and T wave."""
COEFFICIENTS = QRS_BUMPS + T_BUMPS + 2
"""Bumps of QRS and T, the U wave, and the shift of the PQ segment that atrial repolarisation causes."""
LEAD_COUNT = 8
P_BUMPS, P_PEAK, P_SPACING, P_WIDTH = 7, 56.0, 17.0, 14.0
"""Bumps of a P wave, and the time of its peak after its onset, the distance and the width of the bumps in ms."""


class Statistics(NamedTuple):
    """Content of `beat_shapes.json`; shapes have the unit of the record's `size`."""

    mean: Array
    """(8, 24)."""
    components: Array
    """(K, 8, 24), each times its standard deviation."""
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
    """Return the shape (8, 24) with these standard scores, summed term by term."""
    return _sum(statistics().mean, scores, statistics().components)


def p_shape(scores: Sequence[float]) -> Array:
    """Return the shape of a P wave (8, 7) with these standard scores."""
    return _sum(statistics().p_mean, scores, statistics().p_components)


def _sum(mean: Array, scores: Sequence[float], components: Array) -> Array:
    out = mean.copy()
    for score, component in zip(scores, components, strict=True):
        out += score * component
    return out


def bumps(time: Array, qrs_ms: float, t_end: float, pr_ms: float) -> Array:
    """Evaluate the courses of the coefficients at times (n,) in ms after QRS onset and return (24, n)."""
    width = qrs_ms * 0.98 / (QRS_BUMPS - 1)
    length = t_end - qrs_ms
    wide = length * 0.91 / (T_BUMPS - 1)
    centres = [(0.01 * qrs_ms + k * width, 0.8 * width) for k in range(QRS_BUMPS)]
    centres += [(qrs_ms + 0.06 * length + k * wide, 0.85 * wide) for k in range(T_BUMPS)]
    centres.append((t_end + 60.0, 45.0))
    begin = max(pr_ms - 105.0, 40.0)
    shift = step((time + begin) / 25.0) * (1 - step((time - 20.0) / 40.0))
    return np.stack([*(bump((time - centre) / deviation) for centre, deviation in centres), shift])


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
    """Rotate coefficients (8, 24) so that the mean QRS has this axis in degrees."""
    (a, b), (c, d) = direction(coefficients), target(axis)
    return turned(coefficients, a * c + b * d, a * d - b * c)


def template(
    coefficients: Array, intervals: tuple[float, float, float], before: float, length: float, fs: float
) -> Array:
    """Evaluate coefficients (8, 24) from `before` seconds before QRS onset and return (2, 8, n).

    `intervals` are the QRS duration, the time of the end of the T wave, and the PR interval, in ms.

    The first (8, n) is the shape, the second its change per radian of rotation in the frontal plane.
    """
    time = (np.arange(round(length * fs)) / fs - before) * 1000
    return _evaluated(coefficients, bumps(time, *intervals))


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
