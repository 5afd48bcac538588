"""Formulas of measurements: variability of RR, the QT interval corrected for the heart rate, and frontal axes."""

import math
from collections.abc import Sequence

import numpy as np


def variability(gaps: Sequence[float] | np.ndarray) -> dict[str, float | None]:
    """Return standard deviation and RMSSD of the RR intervals of a record (n,), in their unit; None below three beats.

    All beats count, ectopic ones too.
    """
    if len(gaps) < 2:
        return {"rr_sd": None, "rmssd": None}
    return {"rr_sd": float(np.std(gaps)), "rmssd": float(np.sqrt(np.mean(np.square(np.diff(gaps)))))}


def corrected(qt: float | None, rr: float | None) -> dict[str, float | None]:
    """Return the QT interval for a heart rate of 60 per minute by Bazett and Fridericia; all in milliseconds."""
    if qt is None or rr is None:
        return {"qtc_bazett": None, "qtc_fridericia": None}
    seconds = rr / 1000
    return {"qtc_bazett": qt / math.sqrt(seconds), "qtc_fridericia": qt / seconds ** (1 / 3)}


def axis(first: float, avf: float) -> float:
    """Return the frontal axis in degrees, -180 to 180, of areas in lead I and aVF.

    aVF is an augmented lead, smaller than a lead in its direction would be by the factor sqrt(3) / 2.
    """
    return math.degrees(math.atan2(avf * 2 / math.sqrt(3), first))
