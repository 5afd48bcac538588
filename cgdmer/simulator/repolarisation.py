"""Owns the ST segment and the T wave: what follows from the QRS, and what the findings change."""

from cgdmer.simulator.findings import Case
from cgdmer.simulator.waves import Vector, Wave

_INFARCTION: dict[str, tuple[Vector, Vector]] = {
    "anterior_infarction": ((0.06, 0.0, -0.22), (-0.16, 0.0, 0.44)),
    "septal_infarction": ((-0.02, 0.0, -0.17), (0.0, 0.0, 0.32)),
    "inferior_infarction": ((-0.10, 0.24, 0.04), (0.04, -0.46, 0.0)),
    "lateral_infarction": ((0.20, -0.04, 0.0), (-0.46, 0.0, 0.02)),
    "posterior_infarction": ((0.0, 0.0, 0.16), (0.0, 0.0, -0.26)),
}
"""ST and T vector in mV: fresh infarcts lift the segment, old ones turn the T wave."""
_SEGMENT: dict[str, Vector] = {"st_depression": (-0.16, -0.12, 0.06), "nonspecific_st": (-0.06, -0.05, 0.01)}
_T: dict[str, Vector] = {
    "rvh": (0.0, -0.10, 0.42),
    "ischemia_anterior": (-0.10, -0.12, 0.52),
    "ischemia_inferior": (0.0, -0.56, 0.0),
}
_FACTOR = {"t_inversion": -0.7, "low_t": 0.12, "nonspecific_t": 0.35, "low_voltage": 0.42}
STRAIN_AGE = 55
"""Years from which a hypertrophied heart shows strain."""


def repolarisation(case: Case, twave: Vector, segment: Vector) -> list[Wave]:
    """Return ST segment and T wave; `twave` and `segment` are the vectors that the QRS alone would give."""
    found = case.findings
    acute, infarctions = "st_elevation" in found, found & _INFARCTION.keys()
    st, t = segment, twave
    for name in sorted(infarctions):
        lift, change = _INFARCTION[name]
        st, t = _sum(st, lift, 1.0 if acute else 0.25), _sum(t, change, 0.2 if acute else 1.0)
    if acute and not infarctions:
        st = _sum(st, (0.10, 0.14, -0.14))
    if "lvh" in found and case.age > STRAIN_AGE:
        st, t = _sum(st, (-0.12, -0.03, -0.06)), _sum(t, (-0.56, -0.10, -0.10))
    for name, vector in _SEGMENT.items():
        st = _sum(st, vector) if name in found else st
    for name, vector in _T.items():
        t = _sum(t, vector) if name in found else t
    size = 1.0 if case.sex == "male" else 0.85
    for name, factor in _FACTOR.items():
        size *= factor if name in found else 1.0
    peak = case.qt_ms - 80
    waves = [Wave(peak, 58, 34, _sum((0.0, 0.0, 0.0), t, size))]
    return [*waves, Wave(case.qrs_ms - 6, 9, 45, st, plateau=peak - 20)] if any(st) else waves


def _sum(one: Vector, other: Vector, factor: float = 1.0) -> Vector:
    return one[0] + factor * other[0], one[1] + factor * other[1], one[2] + factor * other[2]
