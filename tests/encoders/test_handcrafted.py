"""Hand-crafted measurements on synthetic waves with a set rate, intervals and amplitudes."""

import numpy as np
import pytest

from cgdmer.encoders import handcrafted

FS = 100.0


def trace(gaps, qrs=0.03, height=1.0, samples=1000):
    """Return beats at intervals of `gaps` seconds: an R wave of width `qrs` and a T wave 0.3 s later, in all leads."""
    time, record = np.arange(samples) / FS, np.zeros((12, samples), dtype=np.float32)
    for peak in np.cumsum(gaps):
        wave = height * np.exp(-(((time - peak) / qrs) ** 2)) + 0.3 * np.exp(-(((time - peak - 0.3) / 0.06) ** 2))
        record += np.linspace(0.5, 1.0, 12)[:, None] * wave
    return record


@pytest.mark.parametrize("rate", [45, 60, 90, 140])
def test_the_heart_rate_is_found(rate):
    record = trace(np.full(30, 60 / rate))
    peaks = handcrafted.find_beats(record, FS)
    assert handcrafted.rhythm(peaks, FS)[0] == pytest.approx(rate, rel=0.03)


def test_irregular_beats_have_a_larger_spread():
    draw = np.random.default_rng(0)
    even, uneven = (
        handcrafted.rhythm(handcrafted.find_beats(trace(gaps), FS), FS)
        for gaps in (np.full(12, 0.8), draw.uniform(0.5, 1.1, 12))
    )
    assert uneven[2] > 5 * even[2]
    assert uneven[6] > even[6]


def test_wide_complexes_measure_wider_and_tall_ones_taller():
    def measured(**wave):
        record = trace(np.full(12, 0.8), **wave)
        return handcrafted.shape(handcrafted.mean_beat(record, handcrafted.find_beats(record, FS), FS), FS)

    narrow, wide, tall = measured(), measured(qrs=0.06), measured(height=2.0)
    width = 12 * 10
    assert wide[width] > narrow[width]
    r_waves = slice(3 * 12, 4 * 12)
    np.testing.assert_allclose(tall[r_waves] / narrow[r_waves], 2.0, rtol=0.1)


def test_band_powers_find_the_frequency():
    time = np.arange(1000) / FS
    for band, (low, high) in enumerate(handcrafted.BANDS):
        record = np.tile(np.sin(2 * np.pi * (low + high) / 2 * time), (12, 1))
        powers = handcrafted.powers(record, FS)[:-12].reshape(len(handcrafted.BANDS), 12)
        assert (powers.argmax(0) == band).all()


def test_a_record_without_beats_measures_zero_rhythm():
    assert not handcrafted.rhythm(handcrafted.find_beats(np.zeros((12, 500)), FS), FS).any()
    assert not len(handcrafted.find_beats(np.zeros((12, 20)), FS))
