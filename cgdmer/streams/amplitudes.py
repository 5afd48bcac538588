"""Amplitudes of a record's median beat, which pretraining predicts: the voltages and ST levels findings rest on."""

import numpy as np

from cgdmer.delineation import beats
from cgdmer.objectives.targets import WAVES
from cgdmer.signals.leads import INDEPENDENT

UNITS = {"p": 0.1, "q": 0.3, "r": 0.6, "s": 0.6, "st": 0.08, "t_low": 0.15, "t_high": 0.2}
"""Millivolts per unit, by wave: about a standard deviation over simulated records."""
WINDOWS = {
    "p": (-0.26, -0.08), "q": (-0.07, 0.0), "r": (-0.07, 0.09), "s": (0.0, 0.09), "st": (0.08, 0.12),
    "t_low": (0.14, 0.42), "t_high": (0.14, 0.42),
}  # fmt: skip
"""Seconds from the centre of the QRS complex between which a wave is looked for."""
SMALLEST, MEAN = {"q", "s", "t_low"}, {"st"}
"""Waves of which the smallest value, or the mean, is taken; of the others, it is the largest."""
LARGEST = 6.0
"""Amplitudes are clipped to this many units, so that an artefact does not dominate a training step."""
FEWEST = 2
"""Fewest beats of a median beat."""


def measure(microvolt: np.ndarray, missing: np.ndarray, fs: float) -> np.ndarray:
    """Return the amplitudes of a record int16 (12, T) in the order of `AMPLITUDES`, float32 (M,).

    `missing` is bool (12,). NaN for a missing lead, and everywhere where fewer than two beats are found.
    """
    leads = np.where(missing[:, None], 0, microvolt).astype(np.float64) / 1000  # (12, T) in mV
    centres = beats.find(leads, fs)
    if len(centres) < FEWEST:
        return np.full(len(WAVES) * len(INDEPENDENT), np.nan, np.float32)
    rows = list(INDEPENDENT)
    beat, centre = beats.median_beat(leads[rows], centres, fs).beat, round(beats.BEFORE * fs)  # (8, W)
    found = np.stack([_height(beat, centre, wave, fs) / UNITS[wave] for wave in WAVES])  # (waves, 8)
    found[:, missing[rows]] = np.nan
    clipped: np.ndarray = np.clip(found, -LARGEST, LARGEST).ravel().astype(np.float32)
    return clipped


def measure_all(microvolt: np.ndarray, valid: np.ndarray, missing: np.ndarray, fs: float) -> np.ndarray:
    """Return the amplitudes (n, M) of n records: int16 (n, 12, T), valid samples (n,), missing leads (n, 12)."""
    records = zip(microvolt, valid, missing, strict=True)
    return np.stack([measure(record[:, :count], lost, fs) for record, count, lost in records])


def _height(beat: np.ndarray, centre: int, wave: str, fs: float) -> np.ndarray:
    """Return the height of a wave in mV (8,)."""
    begin, end = (centre + round(seconds * fs) for seconds in WINDOWS[wave])
    part = beat[:, begin : max(end, begin + 1)]
    height: np.ndarray = part.min(1) if wave in SMALLEST else part.mean(1) if wave in MEAN else part.max(1)
    return height
