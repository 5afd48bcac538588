"""The measurements of a recording as numbers for a linear probe: no gaps, no jump at 180 degrees, limits of the normal.

A measurement without evidence has its value in `USUAL`, so that it says nothing, and a column of its own marks it as
missing. An axis is its sine and cosine, both zero without evidence.
"""

from collections.abc import Sequence

import numpy as np

from cgdmer.delineation.measurements import AXES, Values, measure
from cgdmer.delineation.measurements import NAMES as MEASUREMENTS
from cgdmer.delineation.recording import Delineation

USUAL = {
    "heart_rate": 75.0, "rr_ms": 800.0, "rr_variation": 0.05, "rmssd_ms": 30.0,
    "p_ms": 100.0, "pr_ms": 155.0, "qrs_ms": 95.0, "qt_ms": 380.0, "qtc_bazett_ms": 420.0, "qtc_fridericia_ms": 410.0,
}  # fmt: skip
"""Values of healthy adults; a measurement that is not here is a voltage, and 0 mV without evidence."""
MARKED_MISSING = ("heart_rate", "p_ms", "qrs_ms", "qt_ms", "p_axis", "qrs_axis")
"""Each has a column that is 1 where it is missing; the others are missing together with one of these."""
LIMITS = (
    ("heart_rate", 60.0, -1), ("heart_rate", 100.0, 1), ("heart_rate", 130.0, 1),
    ("pr_ms", 120.0, -1), ("pr_ms", 200.0, 1), ("qrs_ms", 110.0, 1), ("qrs_ms", 125.0, 1), ("qtc_bazett_ms", 450.0, 1),
)  # fmt: skip
"""Limits of the normal as textbooks have them; the feature is by how much a value lies below (-1) or above (1)."""
NAMES = (
    *(name for name in MEASUREMENTS if name not in AXES),
    *(f"{part}_{name}" for name in AXES for part in ("sine", "cosine")),
    *(f"no_{name}" for name in MARKED_MISSING),
    *(f"{name}_{'below' if side < 0 else 'above'}_{limit:.0f}" for name, limit, side in LIMITS),
)
"""The features in the order of columns; the ending of a measurement is its unit, rates are per minute."""


def features(delineation: Delineation, missing: Sequence[str] = ()) -> np.ndarray:
    """Return the features (D,) of a recording of the twelve leads, by `NAMES`; all are finite.

    `missing` names leads that are zero because they were not recorded.
    """
    values = measure(delineation, missing)
    plain = [_known(values, name) for name in MEASUREMENTS if name not in AXES]
    turned = [part for name in AXES for part in _direction(values[name])]
    absent = [float(values[name] is None) for name in MARKED_MISSING]
    beyond = [max(0.0, side * (_known(values, name) - limit)) for name, limit, side in LIMITS]
    return np.array([*plain, *turned, *absent, *beyond])


def _known(values: Values, name: str) -> float:
    value = values[name]
    return USUAL.get(name, 0.0) if value is None else value


def _direction(degrees: float | None) -> tuple[float, float]:
    """Return sine and cosine of an axis; both are 0 if it is not known."""
    if degrees is None:
        return 0.0, 0.0
    radians = np.radians(degrees)
    return float(np.sin(radians)), float(np.cos(radians))
