"""The hand-crafted control: rhythm, intervals, amplitudes and spectra that a reader of ECGs would measure."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage, signal

from cgdmer.encoders.base import Setup, check_signal
from cgdmer.settings import Signal
from cgdmer.signals.leads import LEADS

BANDS = ((0.5, 1.5), (1.5, 4.0), (4.0, 8.0), (8.0, 15.0), (15.0, 25.0), (25.0, 40.0))
"""Hz: from baseline wander and P and T waves to the QRS complex."""
WINDOW = (0.25, 0.45)
"""Seconds of the mean beat before and after the R peak."""
REFRACTORY = 0.25
"""Seconds after a beat in which no other beat is detected."""


class Handcrafted:
    """Features of the mean beat, the rhythm and the spectrum; only `pooled`, because it separates nothing."""

    name, unit, leads, digest = "handcrafted", "mV", LEADS, ""

    def __init__(self, form: Signal) -> None:
        self.fs, self.seconds, self.samples = form.fs, form.seconds, form.samples
        self.dims = {"pooled": len(self.measure(np.zeros((len(LEADS), self.samples))))}

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Measure the valid samples of each record of float mV (B, L, T); an absent lead is measured as zeros."""
        millivolt, numbers, valid = check_signal(signal, leads, valid, self.samples)
        full = np.zeros((len(millivolt), len(LEADS), millivolt.shape[2]), dtype=np.float32)
        full[:, numbers] = millivolt
        rows = [self.measure(record[:, :count]) for record, count in zip(full, valid, strict=True)]
        pooled = np.array(rows, dtype=np.float32).reshape(len(millivolt), self.dims["pooled"])
        return {"pooled": np.nan_to_num(pooled, posinf=0.0, neginf=0.0)}

    def measure(self, record: np.ndarray) -> np.ndarray:
        """Return the features (D,) of one record (12, T) in mV."""
        peaks = find_beats(record, self.fs)
        beat = mean_beat(record, peaks, self.fs)
        return np.concatenate([rhythm(peaks, self.fs), shape(beat, self.fs), powers(record, self.fs)])


def find_beats(record: np.ndarray, fs: float) -> np.ndarray:
    """Return the samples of R peaks: maxima of the squared, smoothed slope over all leads (after Pan-Tompkins)."""
    if record.shape[1] < round(fs):
        return np.zeros(0, dtype=np.int64)
    slope = np.square(np.gradient(record, axis=1)).sum(0)
    energy = ndimage.uniform_filter1d(slope, max(1, round(0.08 * fs)))
    height = 0.3 * np.quantile(energy, 0.98)
    peaks, _ = signal.find_peaks(energy, height=max(height, 1e-9), distance=max(1, round(REFRACTORY * fs)))
    return np.asarray(peaks, dtype=np.int64)


def rhythm(peaks: np.ndarray, fs: float) -> np.ndarray:
    """Return heart rate (per minute), variability, extremes and successive differences of RR (s), and beat count."""
    gaps = np.diff(peaks) / fs
    if len(gaps) < 2:
        return np.zeros(9)
    steps = np.diff(gaps)
    turning = np.mean(steps[1:] * steps[:-1] < 0) if len(steps) > 1 else 0.0
    mean = gaps.mean()
    variability = [gaps.std(), gaps.std() / mean, gaps.min() / mean, gaps.max() / mean]
    return np.array(
        [60 / mean, *variability, np.sqrt(np.mean(steps**2)), np.mean(np.abs(steps) > 0.05), turning, len(peaks)]
    )


def mean_beat(record: np.ndarray, peaks: np.ndarray, fs: float) -> np.ndarray:
    """Return the median of all whole beats around their R peaks (12, W), with its first tenth as the zero line."""
    before, after = (round(seconds * fs) for seconds in WINDOW)
    whole = peaks[(peaks >= before) & (peaks + after < record.shape[1])]
    if not len(whole):
        return np.zeros((len(record), before + after))
    beats = record[:, whole[:, None] + np.arange(-before, after)]
    beat: np.ndarray = np.median(beats, axis=1)
    beat -= beat[:, : max(1, (before + after) // 10)].mean(1, keepdims=True)
    return beat


def shape(beat: np.ndarray, fs: float) -> np.ndarray:
    """Measure the mean beat (12, W): per lead P, Q, R, S, ST and T in mV and areas; QRS width, axis and voltages."""
    peak = round(WINDOW[0] * fs)

    def window(begin: float, end: float) -> np.ndarray:
        left, right = peak + round(begin * fs), peak + round(end * fs)
        return beat[:, left : max(right, left + 1)]

    qrs, t_wave, p_wave = window(-0.06, 0.08), window(0.14, 0.44), window(-0.24, -0.08)
    each = [
        p_wave.max(1), p_wave.min(1), window(-0.06, 0.0).min(1), qrs.max(1), window(0.0, 0.08).min(1), qrs.sum(1) / fs,
        window(0.08, 0.12).mean(1), t_wave.max(1), t_wave.min(1), t_wave.sum(1) / fs,
    ]  # fmt: skip
    steep = np.square(np.gradient(beat, axis=1)).sum(0)
    wide = (steep > 0.05 * steep.max(initial=1e-12)).sum() / fs
    late = np.argmax(np.abs(t_wave).sum(0)) / fs
    r, s = qrs.max(1), -qrs.min(1)
    axis = np.arctan2(qrs[5].sum(), qrs[0].sum())
    voltage = [s[6] + max(r[10], r[11]), r[4] + s[8]]  # Sokolow-Lyon, Cornell
    over_leads = [wide, late, np.sin(axis), np.cos(axis), *voltage, np.ptp(qrs, axis=1)[:6].max()]
    return np.concatenate([*each, over_leads])


def powers(record: np.ndarray, fs: float) -> np.ndarray:
    """Return the log power of each lead in each band, and the log variance of each lead."""
    spectrum = np.square(np.abs(np.fft.rfft(record - record.mean(1, keepdims=True), axis=1))) / max(1, record.shape[1])
    frequency = np.fft.rfftfreq(record.shape[1], 1 / fs)
    bands = [spectrum[:, (frequency >= low) & (frequency < high)].sum(1) for low, high in BANDS]
    return np.log(np.concatenate([*bands, record.var(1)]) + 1e-6)


def load(setup: Setup) -> Handcrafted:
    return Handcrafted(setup.signal)
