"""Owns the shape of a beat: Gaussian waves of the heart vector, changed by the findings, evaluated as templates.

Axes of the heart vector in mV: x to the left, y to the feet, z to the back.
"""

from dataclasses import dataclass

import numpy as np

from cgdmer.simulator.findings import Case

BEFORE, AFTER = 0.10, 0.66
"""Seconds of a ventricular template before and after QRS onset."""
P_LENGTH = 0.20
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Wave:
    """A Gaussian bump of the heart vector, or with `plateau` a level between two times."""

    centre: float
    """Milliseconds from QRS onset."""
    rise: float
    """Standard deviation before the centre, milliseconds."""
    fall: float
    """Standard deviation after it."""
    vector: Vector
    plateau: float = 0.0
    """End of the level in milliseconds; 0 for a bump."""


def narrow_qrs(scale: float) -> list[Wave]:
    """Septum to the right and front, free wall to the left, base to the back; `scale` stretches it in time."""
    return [
        Wave(12 * scale, 7 * scale, 7 * scale, (-0.24, -0.06, -0.30)),
        Wave(38 * scale, 10 * scale, 10 * scale, (1.10, 0.80, 0.18)),
        Wave(60 * scale, 9 * scale, 10 * scale, (-0.12, -0.12, 0.62)),
    ]


def left_block(strength: float, width: float) -> list[Wave]:
    """No septal wave, slow and notched to the left and back."""
    unit = width / 150
    return [
        Wave(30 * unit, 14 * unit, 16 * unit, (0.30, 0.24, 0.06)),
        Wave(62 * unit, 17 * unit, 17 * unit, (0.74 * strength, 0.40, 0.98 * strength)),
        Wave(106 * unit, 19 * unit, 17 * unit, (0.76 * strength, 0.14, 0.90 * strength)),
    ]


def ventricular_waves(case: Case, random: np.random.Generator) -> list[Wave]:
    """QRS, ST segment and T wave of a conducted beat."""
    found, width = case.findings, case.qrs_ms
    if "paced" in found:
        qrs = [
            Wave(34, 15, 18, (0.30, -0.42, 0.10)),
            Wave(74, 20, 20, (0.46, -0.98, 0.62)),
            Wave(112, 19, 18, (0.34, -0.60, 0.50)),
        ]
        return qrs + _repolarisation(case, (-0.26, 0.46, -0.36), (-0.05, 0.1, -0.08))
    if found & {"lbbb", "incomplete_lbbb"}:
        part = 1.0 if "lbbb" in found else 0.55
        qrs = left_block(0.6 + 0.4 * part, width)
        return _changed(case, qrs, random) + _repolarisation(
            case, (-0.34 * part, 0.06, -0.46), (-0.10 * part, 0.0, -0.16 * part)
        )
    qrs = narrow_qrs((width if "rbbb" not in found and "incomplete_rbbb" not in found else 92) / 92)
    twave: Vector = (0.34, 0.28, -0.24)
    if "rbbb" in found:
        qrs.append(Wave(0.70 * width, 0.12 * width, 0.10 * width, (-0.62, -0.06, -0.80)))
        twave = (0.34, 0.26, 0.14)
    if "incomplete_rbbb" in found:
        qrs.append(Wave(0.72 * width, 0.09 * width, 0.08 * width, (-0.22, -0.06, -0.62)))
        twave = (0.34, 0.26, 0.02)
    if "wpw" in found:
        qrs = [Wave(wave.centre + 34, wave.rise, wave.fall, wave.vector) for wave in qrs]
        qrs.insert(0, Wave(30, 14, 22, (0.40, 0.18, -0.34)))
        twave = (0.06, 0.20, -0.02)
    return _changed(case, qrs, random) + _repolarisation(case, twave, (0.0, 0.0, 0.0))


_NECROSIS: dict[str, tuple[Vector, float]] = {
    "anterior_infarction": ((-0.42, 0.0, 0.86), 24),
    "septal_infarction": ((0.16, 0.0, 0.46), 17),
    "inferior_infarction": ((0.0, -0.74, 0.0), 20),
    "lateral_infarction": ((-0.66, 0.0, -0.05), 21),
    "posterior_infarction": ((0.0, 0.0, -0.66), 50),
}
"""The vector that dead muscle leaves, and when."""

_ST_OF_INFARCTION: dict[str, Vector] = {
    "anterior_infarction": (0.06, 0.0, -0.22),
    "septal_infarction": (-0.02, 0.0, -0.17),
    "inferior_infarction": (-0.10, 0.24, 0.04),
    "lateral_infarction": (0.20, -0.04, 0.0),
    "posterior_infarction": (0.0, 0.0, 0.16),
}
_T_OF_INFARCTION: dict[str, Vector] = {
    "anterior_infarction": (-0.16, 0.0, 0.44),
    "septal_infarction": (0.0, 0.0, 0.32),
    "inferior_infarction": (0.04, -0.46, 0.0),
    "lateral_infarction": (-0.46, 0.0, 0.02),
    "posterior_infarction": (0.0, 0.0, -0.26),
}


def _changed(case: Case, qrs: list[Wave], random: np.random.Generator) -> list[Wave]:
    """Lay infarction, hypertrophy and voltage over a QRS."""
    found = case.findings
    scale = np.ones(3)
    if "low_voltage" in found:
        scale *= 0.36
    if "high_voltage" in found:
        scale *= 1.55
    waves = [Wave(w.centre, w.rise, w.fall, _times(w.vector, scale)) for w in qrs]
    if "lvh" in found:  # the free wall and the base grow, the septum does not
        waves[1:] = [Wave(w.centre, w.rise, w.fall, _times(w.vector, np.array((1.5, 1.0, 1.8)))) for w in waves[1:]]
    if "rvh" in found:
        waves.append(Wave(44, 12, 13, (-0.80, 0.22, -0.86)))
    for name, (vector, centre) in _NECROSIS.items():
        if name in found:
            waves.append(Wave(centre, 11, 12, _times(vector, np.full(3, random.uniform(0.8, 1.2)))))
    if "abnormal_q" in found:
        place = ((0.0, -0.42, 0.0), (-0.40, 0.0, 0.0), (0.05, 0.0, 0.42))[int(random.integers(3))]
        waves.append(Wave(15, 8, 9, place))
    return waves


def _repolarisation(case: Case, twave: Vector, segment: Vector) -> list[Wave]:
    """ST segment and T wave, primary changes laid over secondary ones."""
    found = case.findings
    t, st = np.array(twave), np.array(segment)
    acute = "st_elevation" in found
    for name in _NECROSIS:
        if name in found:
            t += np.array(_T_OF_INFARCTION[name]) * (0.2 if acute else 1.0)
            st += np.array(_ST_OF_INFARCTION[name]) * (1.0 if acute else 0.25)
    if acute and not found & set(_NECROSIS):
        st += (0.10, 0.14, -0.14)
    if "lvh" in found and case.age > 55:
        t += (-0.56, -0.10, -0.10)
        st += (-0.12, -0.03, -0.06)
    if "rvh" in found:
        t += (0.0, -0.10, 0.42)
    st += (-0.16, -0.12, 0.06) if "st_depression" in found else (0.0, 0.0, 0.0)
    st += (-0.06, -0.05, 0.01) if "nonspecific_st" in found else (0.0, 0.0, 0.0)
    t += (-0.10, -0.12, 0.52) if "ischemia_anterior" in found else (0.0, 0.0, 0.0)
    t += (0.0, -0.56, 0.0) if "ischemia_inferior" in found else (0.0, 0.0, 0.0)
    factor = {"t_inversion": -0.7, "low_t": 0.12, "nonspecific_t": 0.35}
    for name, value in factor.items():
        t = t * value if name in found else t
    t = t * (0.42 if "low_voltage" in found else 1.0) * (1.0 if case.sex == "male" else 0.85)
    end, peak = case.qrs_ms, case.qt_ms - 80
    waves = [Wave(peak, 58, 34, _times((1.0, 1.0, 1.0), t))]
    if np.any(st):
        waves.append(Wave(end - 6, 9, 45, _times((1.0, 1.0, 1.0), st), plateau=peak - 20))
    return waves


def ectopic_waves(random: np.random.Generator) -> list[Wave]:
    """A ventricular beat: wide, tall, from anywhere, T against QRS."""
    angle, depth = random.uniform(0, 2 * np.pi), random.uniform(-0.9, 0.9)
    main = np.array([np.cos(angle), 0.9 * np.sin(angle), depth]) * random.uniform(1.2, 1.8)
    turned = np.array([-main[1], main[0], main[2]]) * 0.35
    return [
        Wave(36, 18, 20, _times((0.55, 0.55, 0.55), main + turned)),
        Wave(78, 20, 20, _times((1.0, 1.0, 1.0), main)),
        Wave(118, 18, 18, _times((0.4, 0.4, 0.4), main - turned)),
        Wave(290, 62, 44, _times((-0.42, -0.42, -0.42), main)),
        Wave(140, 10, 45, _times((-0.12, -0.12, -0.12), main), plateau=260),
    ]


def atrial_waves(case: Case) -> list[Wave]:
    """P wave from its onset: right atrium to the front and feet, left atrium to the left and back."""
    found = case.findings
    right: Vector = (0.03, 0.085, -0.05)
    left: Vector = (0.062, 0.055, 0.05)
    late = 0.0
    if "right_atrial_enlargement" in found:
        right = (0.03, 0.24, -0.12)
    if "left_atrial_enlargement" in found:
        left, late = (0.10, 0.07, 0.15), 24.0
    return [Wave(38, 15, 16, right), Wave(64 + late, 16, 17, left)]


def template(waves: list[Wave], before: float, length: float, fs: float) -> np.ndarray:
    """Evaluate waves from `before` seconds before their origin: heart vector (3, n) in mV."""
    time = (np.arange(round(length * fs)) / fs - before) * 1000
    out = np.zeros((3, len(time)))
    for wave in waves:
        out += np.array(wave.vector)[:, None] * _course(wave, time)
    return out


def _course(wave: Wave, time: np.ndarray) -> np.ndarray:
    if wave.plateau:
        rise = 0.5 * (1 + np.tanh((time - wave.centre) / wave.rise))
        fall = 0.5 * (1 - np.tanh((time - wave.plateau) / wave.fall))
        return np.asarray(rise * fall)
    width = np.where(time < wave.centre, wave.rise, wave.fall)
    return np.asarray(np.exp(-0.5 * ((time - wave.centre) / width) ** 2))


def _times(vector: Vector, scale: np.ndarray) -> Vector:
    x, y, z = (float(a * b) for a, b in zip(vector, scale, strict=True))
    return x, y, z
