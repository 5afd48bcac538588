"""Shape of a ventricular beat: the waves of QRS, ST segment and T wave, as the findings change them."""

from dataclasses import replace

import numpy as np

from cgdmer.simulator import torso
from cgdmer.simulator.draws import Draws, cosine, sine
from cgdmer.simulator.findings import Case
from cgdmer.simulator.repolarisation import repolarisation
from cgdmer.simulator.waves import BASE, FREE_WALL, FRONT, RIGHT_HEART, SEPTUM, Vector, Wave, rotated, scaled, varied

BEFORE, AFTER = 0.10, 0.68
"""Length of a ventricular template before and after QRS onset, in seconds."""

_NECROSIS: dict[str, tuple[Vector, float, Vector]] = {
    "anterior_infarction": ((-0.42, 0.0, 0.86), 24, FRONT),
    "septal_infarction": ((0.16, 0.0, 0.46), 17, SEPTUM),
    "inferior_infarction": ((0.0, -0.66, 0.0), 19, (1.0, 3.0, 0.0)),
    "lateral_infarction": ((-0.66, 0.0, -0.05), 21, FREE_WALL),
    "posterior_infarction": ((0.0, 0.0, -0.66), 50, BASE),
}
"""Activation that infarcted muscle lacks: vector in mV, time in milliseconds, position in cm. It does not rotate with
the axis, so each infarction shows in its own leads."""
_NOT_STRETCHED = {"rbbb", "incomplete_rbbb", "wpw"}
"""Findings that append a wave to a QRS of normal width instead of stretching it."""
_DISCORDANT = {"lbbb", "incomplete_lbbb", "wpw", "lvh", "rvh"}
"""Findings whose T wave rotates fully with the QRS; otherwise it rotates less."""


def ventricular_waves(case: Case, random: Draws, horizontal: float = 0.0) -> list[Wave]:
    """Return the waves of a conducted beat, rotated to the axis of the case.

    `horizontal` is an additional rotation about the long axis of the body, in degrees.
    """
    findings = case.findings
    if "paced" in findings:
        turn = torso.rotation(random.normal(0, 8), horizontal)
        waves = [*_paced(), *repolarisation(case, (-0.26, 0.46, -0.36), (-0.05, 0.1, -0.08))]
        return [varied(rotated(wave, turn), random) for wave in waves]
    qrs, t_vector, st_vector = _depolarisation(case)
    frontal = case.axis - (30.0 if findings & {"lbbb", "lvh"} else 45.0)
    turn = torso.rotation(frontal, horizontal)
    t_turn = turn if findings & _DISCORDANT else torso.rotation(0.35 * frontal, horizontal)
    return [
        *(varied(rotated(wave, turn), random) for wave in _enlarged(case, qrs)),
        *_scars(case, random),
        *(varied(rotated(wave, t_turn), random) for wave in repolarisation(case, t_vector, st_vector)),
    ]


def _depolarisation(case: Case) -> tuple[list[Wave], Vector, Vector]:
    """Return the QRS waves, and the T and ST vectors in mV that follow from them."""
    findings, width = case.findings, case.qrs_ms
    if findings & {"lbbb", "incomplete_lbbb"}:
        degree = 1.0 if "lbbb" in findings else 0.55
        qrs = _left_block(0.6 + 0.4 * degree, width)
        return qrs, (-0.34 * degree, 0.06, -0.46), (-0.10 * degree, 0.0, -0.16 * degree)
    qrs = _narrow(1.0 if findings & _NOT_STRETCHED else width / 92)
    if "rbbb" in findings:
        late = Wave(0.70 * width, 0.12 * width, 0.10 * width, (-0.50, -0.06, -0.28), RIGHT_HEART)
        return [*qrs, late], (0.34, 0.26, 0.14), (0.0, 0.0, 0.0)
    if "incomplete_rbbb" in findings:
        late = Wave(0.72 * width, 0.09 * width, 0.08 * width, (-0.16, -0.06, -0.18), RIGHT_HEART)
        return [*qrs, late], (0.34, 0.26, 0.02), (0.0, 0.0, 0.0)
    if "wpw" in findings:
        delta = Wave(26, 13, 17, (0.42, 0.26, -0.30))
        later = [replace(wave, centre=wave.centre + 24, rise=wave.rise * 1.2) for wave in qrs[1:]]
        return [delta, *later], (0.06, 0.16, -0.02), (0.0, 0.0, 0.0)
    return qrs, (0.34, 0.28, -0.24), (0.0, 0.0, 0.0)


def _narrow(scale: float) -> list[Wave]:
    """Return a normal QRS: septum to the right and front, free wall to the left, base to the back.

    `scale` stretches it in time.
    """
    return [
        Wave(12 * scale, 7 * scale, 7 * scale, (-0.17, -0.06, -0.26), SEPTUM),
        Wave(38 * scale, 10 * scale, 10 * scale, (1.04, 0.66, 0.26), FREE_WALL),
        Wave(60 * scale, 9 * scale, 10 * scale, (-0.18, -0.10, 0.84), BASE),
    ]


def _left_block(degree: float, width: float) -> list[Wave]:
    """Return the QRS of a left bundle branch block: no septal wave, slow and notched to the left and back."""
    unit = width / 150
    return [
        Wave(30 * unit, 14 * unit, 16 * unit, (0.30, 0.24, 0.06), RIGHT_HEART),
        Wave(62 * unit, 17 * unit, 17 * unit, (0.74 * degree, 0.40, 0.98 * degree)),
        Wave(106 * unit, 19 * unit, 17 * unit, (0.76 * degree, 0.14, 0.90 * degree), FREE_WALL),
    ]


def _paced() -> list[Wave]:
    """Return a paced QRS: from the apex of the right ventricle to the left, up and back."""
    return [
        Wave(34, 15, 18, (0.30, -0.42, 0.10)),
        Wave(74, 20, 20, (0.46, -0.98, 0.62)),
        Wave(112, 19, 18, (0.34, -0.60, 0.50), FREE_WALL),
    ]


def _enlarged(case: Case, qrs: list[Wave]) -> list[Wave]:
    """Return a QRS with the changes of hypertrophy and of low or high voltage."""
    findings = case.findings
    size = (0.36 if "low_voltage" in findings else 1.0) * (1.55 if "high_voltage" in findings else 1.0)
    waves = [scaled(wave, size) for wave in qrs]
    if "lvh" in findings:  # the free wall and the base grow, the septum does not
        waves[1:] = [scaled(wave, 1.5, 1.0, 1.6) for wave in waves[1:]]
    if "rvh" in findings:
        waves.append(Wave(44, 12, 13, (-0.80, 0.22, -0.50), RIGHT_HEART))
    return waves


def _scars(case: Case, random: Draws) -> list[Wave]:
    """Return the waves that infarctions and isolated Q waves add to a QRS."""
    waves = [
        scaled(Wave(centre, 11, 14, vector, position), random.uniform(0.8, 1.2))
        for name, (vector, centre, position) in _NECROSIS.items()
        if name in case.findings
    ]
    if "abnormal_q" in case.findings:
        vectors: tuple[Vector, ...] = ((0.0, -0.42, 0.0), (-0.40, 0.0, 0.0), (0.05, 0.0, 0.42))
        waves.append(Wave(15, 8, 9, vectors[random.integer(0, 3)]))
    return waves


def ectopic_waves(random: Draws) -> list[Wave]:
    """Return the waves of a premature ventricular beat: wide, tall, of random origin, T wave opposite to the QRS."""
    angle, depth = np.array(random.random()), random.uniform(-0.9, 0.9)
    x, y = float(cosine(angle)), 0.9 * float(sine(angle))
    size = random.uniform(1.2, 1.8)
    main: Vector = (size * x, size * y, size * depth)
    early: Vector = (0.55 * main[0] - 0.19 * main[1], 0.55 * main[1] + 0.19 * main[0], 0.74 * main[2])
    late: Vector = (0.4 * main[0] + 0.14 * main[1], 0.4 * main[1] - 0.14 * main[0], 0.26 * main[2])
    return [
        Wave(36, 18, 20, early),
        Wave(78, 20, 20, main),
        Wave(118, 18, 18, late),
        scaled(Wave(290, 62, 44, main), -0.42),
        scaled(Wave(140, 10, 45, main, plateau=260), -0.12),
    ]
