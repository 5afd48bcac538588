"""Atrial activity: P waves, fibrillation waves and flutter waves."""

import numpy as np

from cgdmer.simulator import beat_shapes, torso, waves
from cgdmer.simulator.clinical_case import Clinical
from cgdmer.simulator.draws import Array, Draws, cosine, sine
from cgdmer.simulator.findings import Case
from cgdmer.simulator.waves import Vector, Wave

P_LENGTH = 0.20
"""Length of the template of a P wave, in seconds."""
_RIGHT: Vector = (-3.0, -2.0, -2.0)
_LEFT: Vector = (0.0, -3.0, 3.0)


def atrial_waves(case: Case) -> list[Wave]:
    """Return the two waves of a P wave, timed from its onset.

    The right atrium points to the front and feet, the left atrium to the left and back.
    """
    findings = case.findings
    right: Vector = (0.03, 0.085, -0.05)
    left: Vector = (0.062, 0.055, 0.05)
    delay = 0.0
    if "right_atrial_enlargement" in findings:
        right = (0.03, 0.24, -0.12)
    if "left_atrial_enlargement" in findings:
        left, delay = (0.10, 0.07, 0.15), 24.0
    return [Wave(38, 15, 16, right, _RIGHT), Wave(64 + delay, 16, 17, left, _LEFT)]


def clinical_template(case: Case, own: Clinical, random: Draws, fs: float) -> Array:
    """Return a P wave of the clinical population and its change per radian of rotation, (2, 8, n) in mV."""
    right, left = own.degree("right_atrial_enlargement"), own.degree("left_atrial_enlargement")
    size = 0.028 * (0.5 + 0.5 * own.size / 0.285) * random.log_normal(1.0, 0.24)
    stretch = random.uniform(0.85, 1.15) + 0.12 * left
    out = beat_shapes.p_template(size * beat_shapes.p_shape(own.p_scores), stretch, P_LENGTH, fs)
    more: list[Wave] = []
    if "right_atrial_enlargement" in case.findings:
        more.append(Wave(44, 16, 17, (0.01, 0.09 + 0.12 * right, -0.04 - 0.06 * right), _RIGHT))
    if "left_atrial_enlargement" in case.findings:
        more.append(Wave(82 + 12 * left, 16, 17, (0.03 + 0.03 * left, 0.02, 0.06 + 0.08 * left), _LEFT))
    return out + waves.template([waves.varied(wave, random) for wave in more], 0.0, P_LENGTH, fs) if more else out


def fibrillation(time: Array, random: Draws) -> Array:
    """Return fibrillation waves, (8, T) in mV: 4 to 8 Hz, of varying rate and amplitude, largest in V1.

    `time` is (T,) in seconds.
    """
    out = np.zeros((3, len(time)))
    for direction in ((0.1, 0.75, -0.9), (0.3, -0.2, -0.6)):
        wander = random.uniform(0.10, 0.22) * sine(random.uniform(0.3, 1.1) * time + random.random())
        phase = random.uniform(4.5, 7.5) * time + wander + random.random()
        height = 1 + 0.5 * sine(random.uniform(0.3, 0.9) * time + random.random())
        line = height * (sine(phase) + 0.35 * sine(2 * phase + 0.1))
        out += np.array(direction)[:, None] * line
    return torso.multiply(torso.LEAD_VECTORS, out * random.uniform(0.015, 0.05))


def flutter(time: Array, onset: Array, random: Draws) -> Array:
    """Return flutter waves, (8, T) in mV: a sawtooth that falls slowly and rises fast in the inferior leads.

    A whole number of cycles fits the shortest RR interval. `time` (T,) and `onset` (n,) of the beats are in seconds.
    """
    shortest = float(np.diff(onset).min())
    cycle = shortest / max(1, round(shortest / 0.2))
    phase = (time - onset[0] + random.uniform(0, cycle)) / cycle
    phase -= np.floor(phase)
    phase = np.where(phase < 0.7, phase / 1.4, 0.5 + (phase - 0.7) / 0.6)
    saw = 0.5 * cosine(phase) + 0.5 * (np.abs(4 * phase - 2) - 1)
    direction = np.array([[0.0], [0.8], [-0.55]]) * random.uniform(0.11, 0.19)
    return torso.multiply(torso.LEAD_VECTORS, direction * saw)
