"""From the heart vector to twelve leads in microvolt; four limb leads follow from lead identities."""

import numpy as np

from cgdmer.signals.leads import LEADS
from cgdmer.simulator.draws import Array, cosine, sine

LEAD_VECTORS = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""Leads I, II, V1 to V6 of a dipole (x, y, z) in the middle of the heart, z to the back: Dower et al., J.
Electrocardiol. 13 (1980)."""
CHEST = np.array([[-5, -1, -8], [1, -1, -10], [5, 1, -9], [9, 3, -7], [12, 3, -2], [13, 3, 2]], dtype=float)
"""Positions of V1 to V6 in cm from the middle of the heart; ours, along Dower's vectors."""


def rotation(frontal: float, horizontal: float) -> Array:
    """Return the matrix (3, 3) that rotates the heart in the frontal and the horizontal plane; angles in degrees."""
    turns = np.array([frontal, horizontal]) / 360
    (a, b), (c, d) = cosine(turns), sine(turns)
    front = np.array([[a, -c, 0.0], [c, a, 0.0], [0.0, 0.0, 1.0]])
    flat = np.array([[b, 0.0, -d], [0.0, 1.0, 0.0], [d, 0.0, b]])
    return multiply(flat, front)


def multiply(matrix: Array, vectors: Array) -> Array:
    """Multiply (n, 3) by (3, T) term by term. BLAS would sum in an order that differs between machines."""
    return np.asarray(
        matrix[:, 0, None] * vectors[None, 0]
        + matrix[:, 1, None] * vectors[None, 1]
        + matrix[:, 2, None] * vectors[None, 2]
    )


def amplitudes(vectors: Array, positions: Array) -> Array:
    """Return the amplitudes (8, n) in mV of dipoles (n, 3) in mV at positions (n, 3) in cm.

    The amplitude in a chest lead falls with the square of the distance; limb electrodes are too far for that to matter.
    """
    out = multiply(LEAD_VECTORS, vectors.T)
    offset = CHEST[:, None, :] - positions[None]
    out[2:] *= _square(CHEST)[:, None] / _square(offset)
    return out


def _square(vectors: Array) -> Array:
    """Return squared lengths along the last axis, term by term."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.asarray(x * x + y * y + z * z)


def twelve_leads(independent: Array) -> np.ndarray:
    """Return the twelve canonical leads, int16 (12, T), of I, II, V1-V6 (8, T); both in microvolt.

    Limb leads are derived after rounding, so Einthoven's identity holds exactly and Goldberger's within 1 microvolt.
    """
    rounded = np.clip(np.rint(independent), -32000, 32000).astype(np.int32)
    first, second = rounded[0], rounded[1]
    third = second - first
    out = np.empty((len(LEADS), independent.shape[1]), dtype=np.int16)
    out[0], out[1], out[2] = first, second, third
    out[3], out[4], out[5] = -((first + second) // 2), (first - third) // 2, (second + third) // 2
    out[6:] = rounded[2:]
    return out
