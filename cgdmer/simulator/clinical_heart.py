"""Ventricular beats of the clinical population: a statistical shape that the findings change."""

import numpy as np

from cgdmer.simulator import beat_shapes, torso, waves
from cgdmer.simulator.beat_shapes import LATE, QRS_BUMPS
from cgdmer.simulator.clinical_case import Clinical
from cgdmer.simulator.clinical_repolarisation import changed_repolarisation, wide_repolarisation
from cgdmer.simulator.draws import Array, Draws
from cgdmer.simulator.findings import SINUS, Case
from cgdmer.simulator.heart import AFTER, BEFORE
from cgdmer.simulator.waves import BASE, FREE_WALL, FRONT, RIGHT_HEART, SEPTUM, Vector, Wave, rotated, scaled, varied

SLOW = frozenset({"lbbb", "paced", "wpw"})
"""Findings whose QRS follows from a dipole; the statistical shape then only varies it."""
T_TAIL = 16.0
"""Milliseconds by which the T wave ends before the QT interval of machines, which is the longest of all leads."""
QRS_SCALE = 0.95
"""Width of the statistical QRS relative to the duration that machines measure."""
_NECROSIS: dict[str, tuple[tuple[Vector, float, float, Vector], ...]] = {
    "anterior_infarction": (((-0.10, 0.0, 0.50), 22, 12, FRONT), ((-0.30, 0.0, 0.34), 36, 14, (4.0, 1.0, -2.0))),
    "septal_infarction": (((0.10, 0.0, 0.46), 16, 9, SEPTUM), ((0.0, 0.0, 0.20), 28, 10, (1.0, 0.0, -3.0))),
    "inferior_infarction": (
        ((0.0, -0.60, 0.06), 18, 10, (1.0, 3.0, 0.0)),
        ((0.06, -0.26, 0.0), 36, 12, (1.0, 3.0, 0.0)),
    ),
    "lateral_infarction": (((-0.55, 0.05, -0.02), 20, 10, FREE_WALL), ((-0.28, 0.0, 0.0), 36, 13, (3.0, 1.0, 0.0))),
    "posterior_infarction": (((0.0, 0.0, -0.60), 48, 14, BASE),),
}
"""Activation that infarcted muscle lacks, early and late: vector in mV, time and width in ms, position in cm."""


def template(case: Case, own: Clinical, random: Draws, fs: float) -> Array:
    """Return a conducted beat and its change per radian of rotation, (2, 8, n) in mV, from `heart.BEFORE` on."""
    coefficients = own.size * beat_shapes.shape(own.scores)
    coefficients = beat_shapes.to_axis(coefficients, case.axis)
    coefficients[2:5] *= random.log_normal(1.12, 0.16)  # V1 to V3 differ most with the position of the electrodes
    width = case.qrs_ms
    if case.findings & SLOW:
        extra = _slow(case, own, coefficients, random)
    else:
        coefficients = _sized(case, own, coefficients, random)
        extra, width = _additions(case, own, random)
    coefficients = changed_repolarisation(case, own, coefficients, random)
    if case.rhythm not in SINUS:
        coefficients[:, -1] = 0.0  # no P wave, no atrial repolarisation
    t_end = max(case.qt_ms - T_TAIL, width + 120.0)
    out = beat_shapes.template(coefficients, (QRS_SCALE * width, t_end, case.pr_ms), BEFORE, BEFORE + AFTER, fs)
    if extra:
        out += waves.template(extra, BEFORE, BEFORE + AFTER, fs)
    return out


def _sized(case: Case, own: Clinical, coefficients: Array, random: Draws) -> Array:
    """Scale the QRS as hypertrophy and voltage findings do, and shrink the R waves of infarcted regions, in place."""
    qrs = coefficients[:, :QRS_BUMPS]
    if "lvh" in case.findings:
        gain = 0.25 + 0.55 * own.degree("lvh")
        per_lead = np.array([0.9, 0.1, 0.9, 1.0, 0.8, 0.9, 1.0, 0.9]) * random.uniforms(0.7, 1.3, 8)
        qrs *= 1 + gain * per_lead[:, None]
    if "high_voltage" in case.findings:
        qrs *= 1.25 + 0.4 * own.degree("high_voltage")
    if "low_voltage" in case.findings:
        qrs *= 0.72 - 0.27 * own.degree("low_voltage")
        coefficients[:, LATE] *= random.uniform(0.45, 0.9)
    if "anterior_infarction" in case.findings:
        lost = np.array([0.1, 0.0, 0.6, 0.9, 1.0, 0.7, 0.35, 0.15]) * (0.2 + 0.5 * own.degree("anterior_infarction"))
        qrs[:, :9] = np.where(qrs[:, :9] > 0, qrs[:, :9] * (1 - lost[:, None]), qrs[:, :9])
    if "septal_infarction" in case.findings:
        lost = np.array([0.0, 0.0, 1.0, 0.9, 0.5, 0.1, 0.0, 0.0]) * (0.35 + 0.5 * own.degree("septal_infarction"))
        qrs[:, :7] = np.where(qrs[:, :7] > 0, qrs[:, :7] * (1 - lost[:, None]), qrs[:, :7])
    return coefficients


def _additions(case: Case, own: Clinical, random: Draws) -> tuple[list[Wave], float]:
    """Return the waves that findings add to a QRS, and the width in ms of the statistical QRS below them."""
    findings, size, width = case.findings, own.size / 0.30, case.qrs_ms
    out: list[Wave] = []
    if findings & {"rbbb", "incomplete_rbbb"}:
        out.append(_late_right(case, own, random))
        width = min(case.qrs_ms - (36 if "rbbb" in findings else 14), 104.0)
    if "incomplete_lbbb" in findings:
        out += [Wave(12, 8, 8, (0.16, 0.04, 0.26), SEPTUM), Wave(0.7 * width, 12, 13, (0.30, 0.02, 0.40), FREE_WALL)]
    if "ivcd" in findings:
        vector = (random.normal(0, 0.16), random.normal(0, 0.16), random.normal(0.1, 0.2))
        out.append(Wave(random.uniform(0.55, 0.9) * width, 10, 11, vector))
    if "rvh" in findings:
        degree = own.degree("rvh")
        vector = (-0.35 - 0.5 * degree, 0.16, -0.25 - 0.4 * degree)
        out.append(Wave(random.uniform(38, 52), 12, 13, vector, RIGHT_HEART))
    for name, parts in _NECROSIS.items():
        if name in findings:
            degree = 0.25 + 0.8 * own.degree(name)
            lasting = random.uniform(0.85, 1.35)
            out += [Wave(c, w * lasting, w * lasting, v, p) for v, c, w, p in (_grown(part, degree) for part in parts)]
    if "abnormal_q" in findings:
        vectors: tuple[Vector, ...] = ((0.0, -0.42, 0.0), (-0.40, 0.0, 0.0), (0.05, 0.0, 0.42))
        wave = Wave(15, 8, 9, vectors[random.integer(0, 3)])
        out.append(scaled(wave, 0.5 + 0.6 * own.degree("abnormal_q")))
    return [scaled(varied(wave, random), size) for wave in out], width


def _grown(part: tuple[Vector, float, float, Vector], factor: float) -> tuple[Vector, float, float, Vector]:
    (x, y, z), centre, width, position = part
    return (factor * x, factor * y, factor * z), centre, width, position


def _late_right(case: Case, own: Clinical, random: Draws) -> Wave:
    """Return the late wave of a right bundle branch block, complete or incomplete, to the right and front."""
    width, complete = case.qrs_ms, "rbbb" in case.findings
    degree = own.degree("rbbb") if complete else own.degree("incomplete_rbbb")
    strength = 0.30 + 0.35 * degree if complete else 0.10 + 0.14 * degree
    vector = (-0.95 * strength, random.normal(-0.05, 0.10) * strength, -0.55 * strength)
    spread = 0.11 if complete else 0.085
    return Wave(0.72 * width, spread * width, spread * width, vector, RIGHT_HEART)


def _slow(case: Case, own: Clinical, coefficients: Array, random: Draws) -> list[Wave]:
    """Return the waves of a beat that does not use the conduction system on both sides; shrinks the shape in place."""
    size, width, findings = own.size / 0.30, case.qrs_ms, case.findings
    unit = width / 150
    horizontal = random.normal(0, 14)
    if "wpw" in findings:
        delta = 0.35 + 0.6 * own.degree("wpw")
        vector = (delta * random.uniform(0.4, 1.1), delta * random.normal(0.25, 0.5), delta * random.normal(-0.1, 0.5))
        coefficients[:, :3] *= 0.3
        coefficients[:, LATE] *= 1 - 0.5 * delta
        qrs = [Wave(22, 12, 16, vector), Wave(45, 14, 16, (0.4 * vector[0], 0.4 * vector[1], 0.4 * vector[2]))]
        return [scaled(varied(wave, random), 0.8 * size) for wave in qrs]
    coefficients[:, :QRS_BUMPS] *= 0.33
    if "lbbb" in findings:
        qrs = [
            Wave(28 * unit, 13 * unit, 15 * unit, (0.26, 0.20, 0.06), RIGHT_HEART),
            Wave(60 * unit, 16 * unit, 17 * unit, (0.62, 0.34, 0.92)),
            Wave(104 * unit, 19 * unit, 17 * unit, (0.66, 0.12, 0.80), FREE_WALL),
        ]
        turn = torso.rotation(case.axis - 30.0, horizontal)
    else:
        septal = random.random() < 0.3
        up = 0.15 if septal else 1.0
        qrs = [
            Wave(34 * unit, 15, 18, (0.30, -0.36 * up, 0.10)),
            Wave(74 * unit, 20, 20, (0.46, -0.86 * up, 0.62)),
            Wave(112 * unit, 19, 18, (0.34, -0.52 * up, 0.50), FREE_WALL),
        ]
        turn = torso.rotation(random.normal(0, 12), horizontal)
    qrs = [scaled(varied(rotated(wave, turn), random), 1.1 * size) for wave in qrs]
    return [*qrs, *wide_repolarisation(case, coefficients, qrs, random)]
