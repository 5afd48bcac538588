"""ST segment and T wave of the clinical population: regional changes in proportion to the degree of each finding."""

from collections.abc import Sequence

import numpy as np

from cgdmer.simulator.beat_shapes import LATE
from cgdmer.simulator.clinical_case import Clinical
from cgdmer.simulator.draws import Array, Draws
from cgdmer.simulator.findings import Case
from cgdmer.simulator.waves import Vector, Wave

REGION_LEADS: dict[str, tuple[float, ...]] = {
    "anterior": (0.0, 0.0, 0.6, 1.0, 1.0, 0.8, 0.3, 0.1),
    "anteroseptal": (0.0, 0.0, 0.9, 1.0, 0.8, 0.3, 0.0, 0.0),
    "anterolateral": (0.8, 0.2, 0.2, 0.5, 0.9, 1.0, 1.0, 0.8),
    "lateral": (0.9, 0.1, 0.0, 0.0, 0.2, 0.7, 1.0, 1.0),
    "inferior": (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.3),
    "inferolateral": (0.4, 1.0, 0.0, 0.0, 0.2, 0.7, 1.0, 1.0),
}
"""Share of a regional change in I, II and V1-V6; III, aVR, aVL and aVF follow from I and II."""
_INFARCT_REGION = {
    "anterior_infarction": "anterior",
    "septal_infarction": "anteroseptal",
    "inferior_infarction": "inferior",
    "lateral_infarction": "lateral",
}
_ISCHEMIA = {"ischemia_anterior": "anterior", "ischemia_inferior": "inferior"}
_ST_COURSE = np.array([1.0, 1.0, 0.8, 0.5, 0.3, 0.1, 0.0, 0.0, 0.0])
"""Course of a shift of the ST segment over the bumps of ST segment and T wave."""
_T_COURSE = np.array([0.0, 0.1, 0.3, 0.7, 1.0, 1.0, 0.9, 0.5, 0.15])
"""Course of a change of the T wave; its end is steeper than its begin."""


def changed_repolarisation(case: Case, own: Clinical, coefficients: Array, random: Draws) -> Array:
    """Change the coefficients (8, 24) in mV of ST segment and T wave as the findings do."""
    findings, late = case.findings, coefficients[:, LATE]
    height = np.maximum(late[:, 3:8].max(axis=1), 0.08)
    if "low_t" in findings:
        late *= 0.45 - 0.4 * own.degree("low_t")
    for name, region in _ISCHEMIA.items():
        if name in findings:
            _invert(late, height, _weights(region, random), 0.5 + 0.9 * own.degree(name))
    for name in ("t_inversion", "nonspecific_t"):
        if name in findings:
            low, high = (0.8, 0.8) if name == "t_inversion" else (0.45, 0.55)
            _invert(late, height, _weights(own.regions[name], random), low + high * own.degree(name))
    for name, low, high in (("st_depression", -0.06, -0.16), ("nonspecific_st", -0.03, -0.05)):
        if name in findings:
            shift = low + high * own.degree(name)
            late += shift * _weights(own.regions[name], random)[:, None] * _ST_COURSE
    _infarcted(case, own, late, height, random)
    _strained(case, own, late, height, random)
    if "rbbb" in findings:
        weights = np.array([0.0, 0.0, 1.2, 0.8, 0.25, 0.0, 0.0, 0.0]) * random.uniform(0.4, 1.2)
        _invert(late, np.maximum(height, 0.15), weights, 1.2)
    if "rvh" in findings:
        _invert(late, height, np.array([0, 0.3, 1.0, 0.9, 0.6, 0.2, 0, 0]), 0.6 + own.degree("rvh"))
    return coefficients


def _weights(region: str, random: Draws) -> Array:
    return np.asarray(np.array(REGION_LEADS[region]) * random.uniforms(0.7, 1.3, 8))


def _invert(late: Array, height: Array, weights: Array, amount: float) -> None:
    """Lower the T wave in place by `amount` times its height: 1 flattens it, 2 turns it over."""
    late -= amount * weights[:, None] * height[:, None] * _T_COURSE * 0.75


def _infarcted(case: Case, own: Clinical, late: Array, height: Array, random: Draws) -> None:
    """Lift the ST segment over an acute infarction, and invert the T wave over an older one, in place."""
    for name, region in _INFARCT_REGION.items():
        if name in case.findings:
            weights = _weights(region, random)
            if own.acute:
                shift = (0.08 + 0.22 * own.degree("st_elevation")) * weights[:, None]
                late += shift * np.array([1.0, 1.05, 1.0, 0.9, 0.7, 0.4, 0.2, 0.0, 0.0])
                late -= 0.3 * shift[::-1] * _ST_COURSE * (name == "inferior_infarction")
            else:
                _invert(late, height, weights, random.uniform(0.0, 1.4) * (0.4 + 0.6 * own.degree(name)))
    if "posterior_infarction" in case.findings:
        late += np.array([0, 0, 0.9, 1.0, 0.7, 0.2, 0, 0])[:, None] * (_T_COURSE * 0.18 - _ST_COURSE * 0.08)
    if "st_elevation" in case.findings and not own.acute:
        shift = (0.07 + 0.15 * own.degree("st_elevation")) * _weights(own.regions["st_elevation"], random)
        late += shift[:, None] * _ST_COURSE


def _strained(case: Case, own: Clinical, late: Array, height: Array, random: Draws) -> None:
    """Depress the ST segment and invert the T wave of a hypertrophied heart on the left, in place."""
    if "lvh" not in case.findings or not own.strain:
        return
    weights = np.array([0.8, 0.25, -0.3, -0.35, -0.1, 0.4, 0.9, 1.0]) * random.uniforms(0.8, 1.2, 8)
    late -= 0.10 * own.strain * weights[:, None] * _ST_COURSE
    _invert(late, np.maximum(height, 0.12), weights, 1.5 * own.strain)


def wide_repolarisation(case: Case, coefficients: Array, qrs: Sequence[Wave], random: Draws) -> list[Wave]:
    """Return ST segment and T wave opposite to the QRS of a wide beat; shrinks those of the shape in place."""
    coefficients[:, LATE] *= 0.35
    area: Vector = (
        sum(wave.vector[0] for wave in qrs) / 3,
        sum(wave.vector[1] for wave in qrs) / 3,
        sum(wave.vector[2] for wave in qrs) / 3,
    )
    peak = case.qt_ms - 85
    t, st = -random.uniform(0.25, 0.6), -random.uniform(0.08, 0.2)
    return [
        Wave(peak, random.uniform(55, 80), random.uniform(32, 42), (t * area[0], t * area[1], t * area[2])),
        Wave(case.qrs_ms - 6, 12, 60, (st * area[0], st * area[1], st * area[2]), plateau=peak - 20),
    ]
