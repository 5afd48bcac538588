"""The hand-crafted control: measurements, rhythm, the median beat and spectra, as a careful reader of ECGs has them.

The measurements are those of `cgdmer measure`, taken at the sampling rate and in the band that every encoder of the
benchmark reads. Beside them stand amplitudes of the median beat in windows at fixed times, which need no wave limits.
Their R peaks are found in a simpler way, so that a beat that the delineation misses is not lost to all features.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage, signal

from cgdmer.delineation import features
from cgdmer.delineation.recording import delineate
from cgdmer.encoders.base import Setup, check_signal
from cgdmer.encoders.processes import OneCore
from cgdmer.settings import Signal
from cgdmer.signals.leads import LEADS

BANDS = ((0.5, 1.5), (1.5, 4.0), (4.0, 8.0), (8.0, 15.0), (15.0, 25.0), (25.0, 40.0))
"""Hz: from baseline wander and P and T waves to the QRS complex."""
WINDOW = (0.25, 0.45)
"""Seconds of the median beat before and after the R peak."""
REFRACTORY = 0.25
"""Seconds after a beat in which no other beat is detected."""
EARLY = 0.85
"""A beat is early if its RR interval is shorter than this share of the one before."""
RHYTHM = (
    "rate", "rr_sd_s", "rr_cv", "shortest", "longest", "rmssd_s", "steps_above_50_ms", "turns", "count",
)  # fmt: skip
"""Of the R peaks; rates are per minute, and what has no unit is a share, a ratio or a count."""
REGULARITY = ("rr_sd_s", "shortest", "longest", "steps_above_50_ms", "turns", "early", "median_rate")
EACH_LEAD = (
    "p_max_mv", "p_min_mv", "q_mv", "qrs_max_mv", "qrs_min_mv", "qrs_area_mvs", "st_mean_mv", "t_max_mv", "t_min_mv",
    "t_area_mvs",
)  # fmt: skip
OVER_LEADS = (
    "steep_s", "t_peak_s", "sine_axis", "cosine_axis", "sokolow_lyon_window_mv", "cornell_window_mv", "limb_span_mv",
)  # fmt: skip
NAMES = (
    *features.NAMES,
    *(f"beats_{name}" for name in REGULARITY),
    *(f"peaks_{name}" for name in RHYTHM),
    *(f"{name}_{lead}" for name in EACH_LEAD for lead in LEADS),
    *OVER_LEADS,
    *(f"log_power_{low:g}_{high:g}_hz_{lead}" for low, high in BANDS for lead in LEADS),
    *(f"log_variance_{lead}" for lead in LEADS),
)
"""The features in the order of columns, with their units; powers and variances are of mV."""


class Handcrafted(OneCore):
    """Hand-crafted features; only `pooled`, because they separate nothing."""

    name, unit, leads, digest = "handcrafted", "mV", LEADS, ""

    def __init__(self, form: Signal) -> None:
        self.fs, self.seconds, self.samples = form.fs, form.seconds, form.samples
        self.dims = {"pooled": len(NAMES)}

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Measure the valid samples of each record of float mV (B, L, T); an absent lead is measured as zeros."""
        millivolt, numbers, valid = check_signal(signal, leads, valid, self.samples)
        full = np.zeros((len(millivolt), len(LEADS), millivolt.shape[2]))
        full[:, numbers] = np.nan_to_num(millivolt, posinf=0.0, neginf=0.0)
        rows = [self.measure(record[:, :count]) for record, count in zip(full, valid, strict=True)]
        return {"pooled": np.array(rows, dtype=np.float32).reshape(len(millivolt), len(NAMES))}

    def measure(self, record: np.ndarray) -> np.ndarray:
        """Return the features (D,), by `NAMES`, of one record (12, T) in mV; a lead of zeros counts as not recorded."""
        found = delineate(record, self.fs, most=1)
        missing = [lead for lead, values in zip(LEADS, record, strict=True) if not values.any()]
        peaks = find_beats(record, self.fs)
        return np.concatenate([
            features.features(found, missing), regularity(found.centres, self.fs), rhythm(peaks, self.fs),
            shape(median_beat(record, peaks, self.fs), self.fs), powers(record, self.fs),
        ])  # fmt: skip


def regularity(centres: np.ndarray, fs: float) -> np.ndarray:
    """Return what `REGULARITY` names of beats at `centres` (n,) in samples; zeros without two RR intervals."""
    gaps = np.diff(centres) / fs
    if len(gaps) < 2:
        return np.zeros(len(REGULARITY))
    early = np.mean(gaps[1:] < EARLY * gaps[:-1])
    return np.array([gaps.std(), *extremes(gaps), *changes(gaps), early, 60 / np.median(gaps)])


def extremes(gaps: np.ndarray) -> tuple[float, float]:
    """Return the shortest and the longest RR interval, relative to their mean."""
    mean = gaps.mean()
    return gaps.min() / mean, gaps.max() / mean


def changes(gaps: np.ndarray) -> tuple[float, float]:
    """Return how often RR intervals (n,) in seconds change by more than 50 ms, and how often the change turns round."""
    steps = np.diff(gaps)
    turns = np.mean(steps[1:] * steps[:-1] < 0) if len(steps) > 1 else 0.0
    return float(np.mean(np.abs(steps) > 0.05)), float(turns)


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
    """Return what `RHYTHM` names of R peaks (n,) in samples; zeros without two RR intervals."""
    gaps = np.diff(peaks) / fs
    if len(gaps) < 2:
        return np.zeros(len(RHYTHM))
    mean, deviation, rmssd = gaps.mean(), gaps.std(), np.sqrt(np.mean(np.diff(gaps) ** 2))
    return np.array([60 / mean, deviation, deviation / mean, *extremes(gaps), rmssd, *changes(gaps), len(peaks)])


def median_beat(record: np.ndarray, peaks: np.ndarray, fs: float) -> np.ndarray:
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
    """Measure the mean beat (12, W): what `EACH_LEAD` names in each lead, then what `OVER_LEADS` names."""
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
