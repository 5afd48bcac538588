"""Filters, scales and resampling of published networks, against scipy one lead at a time."""

import numpy as np
import pytest
from scipy import signal as scipy_signal

from cgdmer.encoders.steps import (
    BandPass,
    MinMax,
    Notch,
    WithoutRunningMedian,
    ZScore,
    resample_fourier,
    resample_mirrored,
)

SIGNAL = np.random.default_rng(0).normal(size=(2, 3, 1500)).cumsum(axis=2) / 10


def each(function):
    return np.stack([[function(lead) for lead in record] for record in SIGNAL])


def test_the_running_median_is_scipys():
    expected = each(lambda lead: lead - scipy_signal.medfilt(lead, 201))
    assert np.array_equal(WithoutRunningMedian(201)(SIGNAL, 500.0), expected)


def gain(step, hz):
    """Return the amplitude of a sine behind a filter, in the middle of the record."""
    wave = np.sin(2 * np.pi * hz * np.arange(5000) / 500)[None, None]
    return np.abs(step(wave, 500.0)[0, 0, 2000:3000]).max()


def test_filters_pass_and_stop_what_they_say():
    notch, band = Notch(50.0, 30.0), BandPass(0.67, 40.0, 4)
    assert gain(notch, 50.0) < 0.02
    assert gain(notch, 40.0) == pytest.approx(1, abs=0.02)
    assert gain(band, 10.0) == pytest.approx(1, abs=0.01)
    assert gain(band, 40.0) == pytest.approx(0.5, abs=0.02)  # -3 dB forwards and again backwards
    assert gain(band, 80.0) < 0.01


def test_scales_work_on_the_record_or_on_each_lead():
    for over, axes in (("record", (1, 2)), ("lead", 2)):
        ranged, scored = MinMax(over)(SIGNAL), ZScore(over)(SIGNAL)
        np.testing.assert_allclose(ranged.min(axis=axes), 0, atol=1e-12)
        np.testing.assert_allclose(ranged.max(axis=axes), 1, atol=1e-6)
        np.testing.assert_allclose(scored.mean(axis=axes), 0, atol=1e-9)
        np.testing.assert_allclose(scored.std(axis=axes), 1, atol=1e-6)


@pytest.mark.parametrize("scale", [MinMax("record"), MinMax("lead"), ZScore("record"), ZScore("lead")])
def test_constant_signals_become_zero(scale):
    assert not scale(np.full((1, 2, 50), 0.3)).any()


def test_one_constant_lead_stays_zero_beside_others():
    signal = SIGNAL.copy()
    signal[:, 1] = 0.3
    scaled = ZScore("lead")(signal)
    assert not scaled[:, 1].any()
    assert scaled[:, 0].any()


@pytest.mark.parametrize("resample", [resample_mirrored, resample_fourier])
def test_resampling_keeps_slow_waves_and_the_start(resample):
    time = np.arange(1000) / 100
    wave = np.cos(2 * np.pi * 2 * time)[None, None]
    resampled = resample(wave, 100.0, 250.0)
    assert resampled.shape == (1, 1, 2500)
    np.testing.assert_allclose(resampled[0, 0], np.cos(2 * np.pi * 2 * np.arange(2500) / 250), atol=0.01)


@pytest.mark.parametrize("samples", [1, 5, 30])
def test_records_shorter_than_a_filter_are_filtered(samples):
    for step in (Notch(50.0, 30.0), BandPass(0.67, 40.0, 4), WithoutRunningMedian(201)):
        assert np.isfinite(step(SIGNAL[..., :samples], 500.0)).all()
