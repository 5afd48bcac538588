"""Pacing spikes in a median beat: narrow pulses just before the QRS complex, which must not count as its onset."""

import numpy as np
from scipy import ndimage

NARROW = 0.024
"""Longest spike in seconds; a pacing impulse lasts 0.5 to 2 ms, and the low-pass filter widens it."""
SLOWEST = 250.0
"""Lowest sampling rate in Hz at which a spike can be told from the complex."""
SEARCH = (0.008, 0.03)
"""A spike is looked for from so many seconds before the first steep sample to so many after it."""
LEAST_MV = 0.1
"""Least height of a spike, as root mean square over the leads."""
FLAT = (0.024, 0.014, 0.02)
"""In seconds: the level before a spike is the mean from the first of these to the second before it; the level after it,
the mean from the second to the third."""
BACK = 0.3
"""Largest distance between the two levels, relative to the height of the spike. For the Q and R waves of the records of
LUDB with odd numbers, it is above 0.7."""


def without_spike(beat: np.ndarray, first: int, fs: float) -> np.ndarray:
    """Return a median beat (L, W) in mV without the spike near `first`, where the beat becomes steep.

    In its place, each lead keeps the level after the spike, to which all that comes before it is moved. Without a
    spike, the beat comes back as it is.
    """
    before, after = (round(seconds * fs) for seconds in SEARCH)
    far, near, later = (round(seconds * fs) for seconds in FLAT)
    low, high = max(first - before, far), min(first + after, beat.shape[1] - later)
    if fs < SLOWEST or low >= high:
        return beat
    height = np.sqrt(np.square(_pulses(beat, fs)).mean(axis=0))
    at = low + int(height[low:high].argmax())
    level, back = beat[:, at - far : at - near].mean(axis=1), beat[:, at + near : at + later].mean(axis=1)
    moved = np.linalg.norm(back - level) / max(float(np.linalg.norm(beat[:, at] - level)), 1e-9)
    if height[at] < LEAST_MV or moved > BACK:
        return beat
    plain = beat.copy()
    plain[:, : at - near] += (beat[:, at + near] - level)[:, None]
    plain[:, at - near : at + near] = beat[:, at + near, None]
    return plain


def _pulses(beat: np.ndarray, fs: float) -> np.ndarray:
    """Return how far each sample of a beat (L, W) stands out of all that is wider than `NARROW`, in mV."""
    size = (1, round(NARROW * fs) | 1)
    return np.asarray(ndimage.grey_closing(beat, size) - ndimage.grey_opening(beat, size))
