"""ST segment and T wave: the vectors that follow from the QRS, changed by the findings."""

from cgdmer.simulator.findings import Case
from cgdmer.simulator.waves import Vector, Wave

_INFARCTION: dict[str, tuple[Vector, Vector]] = {
    "anterior_infarction": ((0.06, 0.0, -0.22), (-0.16, 0.0, 0.44)),
    "septal_infarction": ((-0.02, 0.0, -0.17), (0.0, 0.0, 0.32)),
    "inferior_infarction": ((-0.10, 0.24, 0.04), (0.04, -0.46, 0.0)),
    "lateral_infarction": ((0.20, -0.04, 0.0), (-0.46, 0.0, 0.02)),
    "posterior_infarction": ((0.0, 0.0, 0.16), (0.0, 0.0, -0.26)),
}
"""Change of the ST and T vectors in mV: acute infarctions elevate the ST segment, old ones invert the T wave."""
_ST: dict[str, Vector] = {"st_depression": (-0.16, -0.12, 0.06), "nonspecific_st": (-0.06, -0.05, 0.01)}
_T: dict[str, Vector] = {
    "rvh": (0.0, -0.10, 0.42),
    "ischemia_anterior": (-0.10, -0.12, 0.52),
    "ischemia_inferior": (0.0, -0.56, 0.0),
}
_FACTOR = {"t_inversion": -0.7, "low_t": 0.12, "nonspecific_t": 0.35, "low_voltage": 0.42}
STRAIN_AGE = 55
"""Age in years above which a hypertrophied heart shows strain."""


def repolarisation(case: Case, t_vector: Vector, st_vector: Vector) -> list[Wave]:
    """Return the waves of ST segment and T wave; the two vectors in mV are those that follow from the QRS alone."""
    findings = case.findings
    acute, infarctions = "st_elevation" in findings, findings & _INFARCTION.keys()
    st, t = st_vector, t_vector
    for name in sorted(infarctions):
        lift, change = _INFARCTION[name]
        st, t = _sum(st, lift, 1.0 if acute else 0.25), _sum(t, change, 0.2 if acute else 1.0)
    if acute and not infarctions:
        st = _sum(st, (0.10, 0.14, -0.14))
    if "lvh" in findings and case.age > STRAIN_AGE:
        st, t = _sum(st, (-0.12, -0.03, -0.06)), _sum(t, (-0.56, -0.10, -0.10))
    for name, vector in _ST.items():
        st = _sum(st, vector) if name in findings else st
    for name, vector in _T.items():
        t = _sum(t, vector) if name in findings else t
    size = 1.0 if case.sex == "male" else 0.85
    for name, factor in _FACTOR.items():
        size *= factor if name in findings else 1.0
    peak = case.qt_ms - 80
    waves = [Wave(peak, 58, 34, _sum((0.0, 0.0, 0.0), t, size))]
    return [*waves, Wave(case.qrs_ms - 6, 9, 45, st, plateau=peak - 20)] if any(st) else waves


def _sum(one: Vector, other: Vector, factor: float = 1.0) -> Vector:
    """Return `one + factor * other`."""
    return one[0] + factor * other[0], one[1] + factor * other[1], one[2] + factor * other[2]
