"""Beats of a recording: where they are, which of them have one shape, and the median beat of each shape."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage, signal

from cgdmer.signals.recording import FLAT_UV

BAND = (8.0, 30.0)
"""Hz: most of the energy of QRS complexes, little of P and T waves."""
HIGHEST = 0.45
"""Upper limit of the band, relative to the sampling rate, for rates that are too low for `BAND`."""
REFRACTORY = 0.25
"""Seconds after a beat in which there is no other."""
SHARE = 0.35
"""Energy of the weakest beat, relative to the usual one."""
CONTRAST = 3.0
"""Energy of a usual beat relative to the median energy, below which nothing stands out: noise has about 1.7."""
FAINT_MV = 0.003
"""In the QRS band, a lead counts with less weight than others if all but 2 % of it are below this."""
LEAST = 0.05
"""Least energy of a usual beat, where 1 is all of a burst at the height that only 2 % of each lead exceed."""
BUSY = 0.1
"""Least share of a recording that must have beats."""
T_WAVE = (0.38, 0.5)
"""Within so many seconds after a beat, a peak below this share of its energy is its T wave."""
CORE = 0.08
"""Seconds on each side of a beat by which shapes are compared."""
SHIFT = 0.04
"""Seconds by which a beat is moved at most so that it fits the others of its shape."""
ALIKE = 0.85
"""Correlation over all leads from which on two beats have one shape."""
SHAPES = 4
"""Most shapes that are told apart; further beats belong to none."""
LEVEL = (0.1, 0.06)
"""Seconds before the centre of a beat between which its zero line is taken."""
BEFORE, AFTER = 0.5, 0.75
"""Seconds of a median beat before and after its centre."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Beats of one shape and their median."""

    centres: np.ndarray
    """Samples of the beats' centres, ascending (n,)."""
    beat: np.ndarray
    """Median beat in mV (L, W) from `BEFORE` seconds before the centre on, zero shortly before the complex."""
    error: np.ndarray
    """Standard error of the median beat in mV (L, W); infinite for a single beat."""


def find(leads: np.ndarray, fs: float) -> np.ndarray:
    """Return the samples of the beats in leads (L, T) in mV: bursts of energy in the QRS band over all leads.

    Each lead counts equally, so that neither a large nor a disturbed one decides alone. Empty if nothing stands out.
    """
    live = leads[np.ptp(leads, axis=1) >= FLAT_UV / 1000] if leads.shape[1] >= fs else leads[:0]
    if not len(live):
        return np.zeros(0, np.int64)
    size = np.abs(_filtered(live, fs))
    scale = np.quantile(size[:, :: max(1, round(fs / 100))], 0.98, axis=1, keepdims=True)
    energy = ndimage.uniform_filter1d(np.minimum(size / np.maximum(scale, FAINT_MV), 2.0).mean(axis=0), round(0.1 * fs))
    least = max(LEAST, CONTRAST * float(np.median(energy)))
    largest = _largest(energy, fs)
    usual = float(np.median(largest))
    if usual < least:  # perhaps most of the recording is without beats
        usual = _usual_of_busy(largest)
    if usual < least:
        return np.zeros(0, np.int64)
    peaks, _ = signal.find_peaks(energy, height=SHARE * usual, distance=round(REFRACTORY * fs))
    return _without_t_waves(peaks, energy, fs)


@cache
def _qrs_band(fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the sections of the filter that keeps `BAND`, and their steady state; designing it is the slower part."""
    low, high = BAND[0], min(BAND[1], HIGHEST * fs)
    sections = signal.butter(2, (low, high), "bandpass", fs=fs, output="sos")
    return np.asarray(sections), np.asarray(signal.sosfilt_zi(sections))[:, None]


def _filtered(leads: np.ndarray, fs: float) -> np.ndarray:
    """Filter leads (L, T) forwards and backwards, as `scipy.signal.sosfiltfilt` does, with the design at hand."""
    sections, steady = _qrs_band(fs)
    edge = 3 * (2 * len(sections) + 1)
    first, last = 2 * leads[:, :1] - leads[:, edge:0:-1], 2 * leads[:, -1:] - leads[:, -2 : -edge - 2 : -1]
    wide = np.concatenate([first, leads, last], axis=1)
    for _ in range(2):
        wide = signal.sosfilt(sections, wide, axis=1, zi=steady * wide[:, :1])[0][:, ::-1]
    return np.asarray(wide[:, edge:-edge])


def _largest(energy: np.ndarray, fs: float) -> np.ndarray:
    """Return the largest energy in each window of 1.5 s (n,)."""
    window = round(1.5 * fs)
    begins = range(0, max(1, len(energy) - window // 2), window)
    return np.array([energy[begin : begin + window].max() for begin in begins])


def _usual_of_busy(largest: np.ndarray) -> float:
    """Return the median of the largest energies (n,) of the busy windows.

    A window is busy if it reaches `SHARE` of the energy of the busiest tenth, which is at least two windows. So a
    single artefact in a silent recording is no beat.
    """
    rank = min(max(2, round(BUSY * len(largest))), len(largest))
    return float(np.median(largest[largest >= SHARE * np.sort(largest)[-rank]]))


def _without_t_waves(peaks: np.ndarray, energy: np.ndarray, fs: float) -> np.ndarray:
    kept: list[int] = []
    for peak in peaks.tolist():
        after_beat = bool(kept) and peak - kept[-1] < T_WAVE[0] * fs
        if not after_beat or energy[peak] >= T_WAVE[1] * energy[kept[-1]]:
            kept.append(peak)
    return np.array(kept, np.int64)


def shapes(leads: np.ndarray, centres: np.ndarray, fs: float) -> list[Shape]:
    """Sort beats by shape, the most frequent first, and move each centre so that the beats of a shape coincide."""
    core, shift = round(CORE * fs), round(SHIFT * fs)
    rest = centres[(centres >= core + shift) & (centres < leads.shape[1] - core - shift)]
    groups: list[np.ndarray] = []
    while len(rest) and len(groups) < SHAPES:
        alike, moved = _largest_group(leads, rest, core, shift)
        groups.append(np.sort(moved[alike]))
        rest = rest[~alike]
    groups.sort(key=len, reverse=True)
    return [median_beat(leads, group, fs) for group in groups]


def _largest_group(leads: np.ndarray, centres: np.ndarray, core: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which beats (n,) have the most frequent shape, and the centres (n,) moved to fit it."""
    near = _windows(leads, centres, core)
    likeness = near @ near.T
    seed = int(np.argmax((likeness > ALIKE).sum(axis=1) + likeness.mean(axis=1)))
    lags = np.arange(-shift, shift + 1, 2)
    moved = centres[:, None] + lags
    fits = (_windows(leads, moved.ravel(), core) @ near[seed]).reshape(moved.shape)
    best = fits.argmax(axis=1)
    alike = fits.max(axis=1) > ALIKE
    alike[seed] = True
    return alike, moved[np.arange(len(centres)), best]


def _windows(leads: np.ndarray, centres: np.ndarray, core: int) -> np.ndarray:
    """Return the surroundings of centres as unit vectors over all leads without their means, (n, L * samples)."""
    windows = leads[:, centres[:, None] + np.arange(-core, core + 1, 2)]
    windows = windows - windows.mean(axis=2, keepdims=True)
    rows = np.moveaxis(windows, 1, 0).reshape(len(centres), -1)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def median_beat(leads: np.ndarray, centres: np.ndarray, fs: float) -> Shape:
    """Return the median of the beats at `centres`; beats that the recording cuts count if there is no whole one."""
    before, after = round(BEFORE * fs), round(AFTER * fs)
    whole = centres[(centres >= before) & (centres + after <= leads.shape[1])]
    used = whole if len(whole) else centres
    index = np.clip(used[:, None] + np.arange(-before, after), 0, leads.shape[1] - 1)
    beats = leads[:, index]
    zero = slice(before - round(LEVEL[0] * fs), before - round(LEVEL[1] * fs))
    beats = beats - np.median(beats[:, :, zero], axis=2, keepdims=True)
    error = np.full(beats[:, 0].shape, np.inf) if len(used) < 2 else beats.std(axis=1) / np.sqrt(len(used))
    return Shape(centres, np.median(beats, axis=1), error)
