"""Eight showcase records that show what the simulator can do."""

import numpy as np

from cgdmer.simulator.findings import Case
from cgdmer.simulator.recording import simulate

SHOWCASE: tuple[tuple[str, Case], ...] = (
    ("Normal sinus rhythm", Case(frozenset({"normal", "sinus_rhythm"}), 45, "male", 68, 156, 90, 398, 52)),
    ("Atrial fibrillation", Case(frozenset({"atrial_fibrillation"}), 74, "female", 104, 150, 92, 350, 40)),
    ("Atrial flutter", Case(frozenset({"atrial_flutter"}), 70, "male", 76, 150, 94, 380, 35)),
    ("Left bundle branch block", Case(frozenset({"sinus_rhythm", "lbbb"}), 71, "male", 72, 170, 152, 430, 0)),
    ("Right bundle branch block", Case(frozenset({"sinus_rhythm", "rbbb"}), 66, "male", 70, 166, 140, 420, 45)),
    (
        "Inferior infarction, premature ventricular beats",
        Case(
            frozenset({"sinus_rhythm", "inferior_infarction", "premature_ventricular"}),
            63,
            "male",
            66,
            160,
            96,
            402,
            20,
        ),
    ),
    (
        "Left ventricular hypertrophy with strain",
        Case(frozenset({"sinus_rhythm", "lvh"}), 68, "male", 70, 168, 100, 404, 5),
    ),
    (
        "First-degree AV block, anterior infarction",
        Case(
            frozenset({"sinus_bradycardia", "first_degree_av_block", "anterior_infarction"}),
            72,
            "female",
            54,
            262,
            94,
            430,
            30,
        ),
    ),
)

SEED = 2614
"""A seed for which each record clearly shows its finding, including the voltage of the hypertrophy."""


def gallery(seconds: float = 10.0, fs: float = 500.0) -> list[tuple[str, np.ndarray]]:
    """Return title and recording, int16 microvolt (12, T), of each showcase record."""
    cases = [case for _, case in SHOWCASE]
    signals = simulate(cases, seed=SEED, first=0, seconds=seconds, fs=fs)
    return [(title, signal) for (title, _), signal in zip(SHOWCASE, signals, strict=True)]
