"""Filtering and resampling in one step against scipy in float64, and against what a person expects of a filter."""

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import signal as dsp
from scipy.fft import next_fast_len

from cgdmer.errors import ConfigError, RecordError
from cgdmer.settings import Signal
from cgdmer.signals import band_pass

DEMO = Signal()


def recording(samples: int, fs: float, leads: int = 3, seed: int = 0) -> np.ndarray:
    """Return beats, drift, offset and noise in mV, float32 (leads, samples)."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / fs
    beats = sum(np.exp(-((t - c) ** 2) / (2 * 0.012**2)) for c in np.arange(0.3, t[-1] + 1, 0.8))
    drift = 0.4 * np.sin(2 * np.pi * 0.13 * t + 1) + 0.1 * t
    return (
        rng.normal(size=(leads, 1)) * beats
        + drift
        + rng.normal(size=(leads, 1))
        + rng.normal(size=(leads, samples)) * 0.02
    ).astype(np.float32)


def reference(signal: np.ndarray, ratio: tuple[int, int], settings: Signal) -> np.ndarray:
    """Mirror for ever, resample with scipy's Fourier method, filter forwards and backwards with scipy, all float64."""
    up, down = ratio
    samples = signal.shape[1]
    half = down * next_fast_len(-(-samples // down), real=True)
    grown = np.pad(signal.astype(np.float64), ((0, 0), (0, half - samples)), mode="symmetric")
    period = np.concatenate([grown, grown[:, ::-1]], axis=1)
    resampled = dsp.resample(period, 2 * half * up // down, axis=1)
    length = resampled.shape[1]
    turns = 2 + 40 * int(settings.fs) // length
    filtered = np.tile(resampled, (1, 2 * turns + 1))
    for corner, kind in ((settings.low, "highpass"), (settings.high, "lowpass")):
        if corner is not None:
            sos = dsp.butter(settings.order, corner, kind, fs=settings.fs, output="sos")
            filtered = dsp.sosfiltfilt(sos, filtered, axis=1, padtype=None)
    return filtered[:, turns * length :][:, : -(-samples * up // down)]


@pytest.mark.parametrize(
    ("samples", "fs", "ratio"),
    [
        (5000, 500.0, (1, 5)),
        (2500, 500.0, (1, 5)),
        (4999, 500.0, (1, 5)),
        (503, 500.0, (1, 5)),
        (10000, 1000.0, (1, 10)),
        (2570, 257.0, (100, 257)),
        (3601, 360.0, (5, 18)),
        (2501, 250.0, (2, 5)),
        (1000, 100.0, (1, 1)),
        (997, 100.0, (1, 1)),
        (640, 64.0, (25, 16)),
    ],
)
@pytest.mark.parametrize("band", [(0.5, 40.0, 2), (0.67, 40.0, 5), (None, 35.0, 3)], ids=str)
def test_equals_scipy_in_float64_to_a_tenth_of_a_microvolt(samples, fs, ratio, band):
    low, high, order = band
    settings = Signal(low=low, high=high, order=order)
    signal = recording(samples, fs)
    ours = band_pass(signal, fs, settings)
    assert ours.dtype == np.float32
    expected = reference(signal, ratio, settings)
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() < 1e-4


def test_high_pass_alone_at_an_unchanged_rate_equals_scipy():
    settings = Signal(low=1.0, high=None, order=1)
    signal = recording(1000, 100.0)
    assert np.abs(band_pass(signal, 100.0, settings) - reference(signal, (1, 1), settings)).max() < 1e-4


def test_raising_the_rate_equals_scipy():
    settings = Signal(fs=500.0)
    signal = recording(1000, 100.0)
    ours = band_pass(signal, 100.0, settings)
    assert ours.shape == (3, 5000)
    assert np.abs(ours - reference(signal, (5, 1), settings)).max() < 1e-4


@given(rate=st.sampled_from([100.0, 128.0, 250.0, 257.0, 360.0, 500.0, 1000.0, 360.1]), tone=st.floats(2.0, 30.0))
@limits(max_examples=40)
def test_a_tone_comes_out_the_same_whatever_the_rate_of_the_record(rate, tone):
    settings = Signal(low=None, high=45.0, order=8)
    t = np.arange(round(10 * rate)) / rate
    filtered = band_pass(np.sin(2 * np.pi * tone * t)[None].astype(np.float32), rate, settings)[0]
    middle = slice(300, 700)
    assert np.abs(filtered[middle] - np.sin(2 * np.pi * tone * np.arange(1000)[middle] / 100)).max() < 0.003


@given(a=st.floats(-3, 3), b=st.floats(-3, 3), seed=st.integers(0, 99))
@limits(max_examples=25)
def test_is_linear(a, b, seed):
    x, y = recording(1500, 500.0, seed=seed), recording(1500, 500.0, seed=seed + 100)
    both = band_pass((a * x + b * y).astype(np.float32), 500.0, DEMO)
    assert np.allclose(both, a * band_pass(x, 500.0, DEMO) + b * band_pass(y, 500.0, DEMO), atol=2e-5)


def test_a_batch_equals_its_records():
    batch = np.stack([recording(2000, 500.0, seed=k) for k in range(4)])
    one_by_one = np.stack([band_pass(x, 500.0, DEMO) for x in batch])
    assert np.allclose(band_pass(batch, 500.0, DEMO), one_by_one, atol=1e-6)


def test_is_zero_phase():
    impulse = np.zeros((1, 5000), dtype=np.float32)
    impulse[0, 2500] = 1
    filtered = band_pass(impulse, 500.0, DEMO)[0]
    assert filtered.argmax() == 500
    assert np.allclose(filtered[501:900], filtered[499:100:-1], atol=1e-6)


@pytest.mark.parametrize("low", [0.5, None])
def test_an_offset_gives_no_transient_at_either_end(low):
    filtered = band_pass(np.full((1, 5000), 5.0, dtype=np.float32), 500.0, Signal(low=low))
    assert np.abs(filtered - (5.0 if low is None else 0.0)).max() < 1e-5


@pytest.mark.parametrize("high", [40.0, 49.0, 80.0, None])
def test_nothing_above_the_new_nyquist_frequency_folds_back(high):
    t = np.arange(5000) / 500
    filtered = band_pass(np.sin(2 * np.pi * 70 * t)[None].astype(np.float32), 500.0, Signal(high=high))
    assert np.abs(filtered[0, 100:-100]).max() < 1e-3


def test_without_a_low_pass_corner_a_jump_does_not_ring():
    jump = np.zeros((1, 5000), dtype=np.float32)
    jump[0, 2500:] = 1
    filtered = band_pass(jump, 500.0, Signal(low=None, high=None))[0]
    brick_wall = dsp.resample(np.concatenate([jump[0], jump[0, ::-1]]), 2000)[:1000]
    away = np.r_[100:450, 550:900]
    ours, cut = (np.abs(x - jump[0, ::5])[away].max() for x in (filtered, brick_wall))
    assert ours < 1e-4 < 1e-3 < cut


@pytest.mark.real
def test_ends_of_a_window_resemble_the_same_seconds_of_a_longer_recording(real):
    """The choice of even over odd continuation: error in the first and last half second, real 20 to 54 s recordings."""
    even, odd = [], []
    for path in sorted((real / "cpsc2018_original/TrainingSet").glob("*.mat")):
        signal = scipy.io.loadmat(path)["ECG"][0, 0]["data"].astype(np.float32)
        for start in range(1500, signal.shape[1] - 6500, 1500):
            truth = band_pass(signal, 500.0, DEMO)[:, start // 5 : start // 5 + 1000]
            window = signal[:, start : start + 5000]
            filtered = window.astype(np.float64)
            for corner, kind in ((0.5, "highpass"), (40.0, "lowpass")):
                filtered = dsp.sosfiltfilt(dsp.butter(2, corner, kind, fs=500, output="sos"), filtered, padlen=4999)
            ends = np.r_[0:50, 950:1000]
            even.append(np.square((band_pass(window, 500.0, DEMO) - truth)[:, ends]).mean())
            odd.append(np.square((filtered[:, ::5] - truth)[:, ends]).mean())
    assert len(even) >= 10
    assert np.sqrt(np.mean(even)) < 0.03 < np.sqrt(np.mean(odd))


@pytest.mark.parametrize("fs", [0.5, 49.0, 10_001.0, 1e9])
def test_an_absurd_rate_is_refused_and_what_is_allowed_is_said(fs):
    with pytest.raises(RecordError, match="50 to 10000 Hz"):
        band_pass(np.zeros((1, 1000), dtype=np.float32), fs, DEMO)


@pytest.mark.parametrize(("low", "high"), [(40.0, 40.0), (60.0, None), (-1.0, 40.0), (0.0, 40.0)])
def test_corners_that_leave_no_band_are_refused(low, high):
    unchecked = Signal().model_copy(update={"low": low, "high": high})
    with pytest.raises(ConfigError, match=r"signal\.low"):
        band_pass(np.zeros((1, 1000), dtype=np.float32), 500.0, unchecked)
    with pytest.raises(ValidationError):
        Signal(low=low, high=high)
