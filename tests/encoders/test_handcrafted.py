"""Hand-crafted features of synthetic waves with a set rate, intervals and amplitudes."""

import numpy as np
import pytest

from cgdmer.delineation.measurements import measure
from cgdmer.delineation.recording import delineate
from cgdmer.encoders import handcrafted
from cgdmer.encoders.handcrafted import NAMES, Handcrafted
from cgdmer.settings import Signal
from cgdmer.signals import LEADS

FS = 100.0
ENCODER = Handcrafted(Signal(fs=FS, seconds=10.0))


def trace(gaps, qrs=0.03, height=1.0, samples=1000):
    """Return beats at intervals of `gaps` seconds: an R wave of width `qrs` and a T wave 0.3 s later, in all leads."""
    time, record = np.arange(samples) / FS, np.zeros((12, samples), dtype=np.float32)
    for peak in np.cumsum(gaps):
        wave = height * np.exp(-(((time - peak) / qrs) ** 2)) + 0.3 * np.exp(-(((time - peak - 0.3) / 0.06) ** 2))
        record += np.linspace(0.5, 1.0, 12)[:, None] * wave
    return record


def encoded(record, **how):
    """Return the features of a record (L, T) by name."""
    return dict(zip(NAMES, ENCODER.encode(record[None], **how)["pooled"][0].tolist(), strict=True))


def test_names_are_distinct_and_one_for_each_column():
    assert len(set(NAMES)) == len(NAMES) == ENCODER.dims["pooled"]


@pytest.mark.parametrize("rate", [45, 60, 90, 140])
def test_the_heart_rate_is_found(rate):
    found = encoded(trace(np.full(30, 60 / rate)))
    assert found["heart_rate"] == pytest.approx(rate, rel=0.03)
    assert found["peaks_rate"] == pytest.approx(rate, rel=0.03)
    assert found["beats_median_rate"] == pytest.approx(rate, rel=0.03)
    assert found["heart_rate_above_100"] == pytest.approx(max(0, rate - 100), abs=4)
    assert found["heart_rate_below_60"] == pytest.approx(max(0, 60 - rate), abs=2)


def test_the_measurements_are_those_of_the_delineation():
    record = trace(np.full(12, 0.8))
    found, told = encoded(record), measure(delineate(record.astype(np.float64), FS))
    for name in ("heart_rate", "qrs_ms", "qt_ms", "r_V5_mv", "st_II_mv", "beats"):
        assert found[name] == pytest.approx(told[name], rel=1e-5), name


def test_irregular_beats_have_a_larger_spread():
    draw = np.random.default_rng(0)
    even, uneven = (encoded(trace(gaps)) for gaps in (np.full(12, 0.8), draw.uniform(0.5, 1.1, 12)))
    for kind in ("beats", "peaks"):
        assert uneven[f"{kind}_rr_sd_s"] > 5 * even[f"{kind}_rr_sd_s"]
        assert uneven[f"{kind}_steps_above_50_ms"] > even[f"{kind}_steps_above_50_ms"]
    assert uneven["beats_early"] > even["beats_early"] == 0


def test_wide_complexes_measure_wider_and_tall_ones_taller():
    narrow, wide, tall = (encoded(trace(np.full(12, 0.8), **wave)) for wave in ({}, {"qrs": 0.06}, {"height": 2.0}))
    assert wide["steep_s"] > narrow["steep_s"]
    assert wide["qrs_ms"] > narrow["qrs_ms"] + 20
    for lead in LEADS:
        assert tall[f"qrs_max_mv_{lead}"] / narrow[f"qrs_max_mv_{lead}"] == pytest.approx(2.0, rel=0.1)
        assert tall[f"r_{lead}_mv"] / narrow[f"r_{lead}_mv"] == pytest.approx(2.0, rel=0.1)


def test_band_powers_find_the_frequency():
    time = np.arange(1000) / FS
    for band, (low, high) in enumerate(handcrafted.BANDS):
        record = np.tile(np.sin(2 * np.pi * (low + high) / 2 * time), (12, 1))
        powers = handcrafted.powers(record, FS)[:-12].reshape(len(handcrafted.BANDS), 12)
        assert (powers.argmax(0) == band).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["zeros", "noise", "constant", "one_beat", "infinite", "ramp"])
@pytest.mark.parametrize("valid", [40, 500, 1000])
def test_records_without_rhythm_give_finite_numbers_and_no_warning(kind, valid):
    record = {
        "zeros": np.zeros((12, 1000)),
        "noise": np.random.default_rng(0).normal(0, 0.2, (12, 1000)),
        "constant": np.full((12, 1000), 3.0),
        "one_beat": trace([0.3]),
        "infinite": np.full((12, 1000), np.inf),
        "ramp": np.tile(np.linspace(-2, 2, 1000), (12, 1)),
    }[kind]
    found = encoded(record.astype(np.float32), valid=np.array([valid]))
    assert np.isfinite(list(found.values())).all()
    assert found["no_heart_rate"] == 1
    assert not any(value for name, value in found.items() if name.startswith("beats_"))


@pytest.mark.filterwarnings("error")
def test_an_absent_lead_is_zero_and_leaves_the_others():
    record = trace(np.full(12, 0.8))
    every, some = encoded(record), encoded(record[1:6], leads=LEADS[1:6])
    assert (some["r_I_mv"], some["r_V1_mv"], some["p_max_mv_V6"]) == (0, 0, 0)
    assert some["r_II_mv"] == pytest.approx(every["r_II_mv"], rel=0.05)
    assert some["heart_rate"] == pytest.approx(every["heart_rate"], rel=0.02)
    assert (some["no_qrs_axis"], some["sine_qrs_axis"], some["cosine_qrs_axis"]) == (1, 0, 0)
    assert every["no_qrs_axis"] == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate", [50.0, 80.0, 250.0])
def test_other_sampling_rates_measure_the_same(rate):
    encoder = Handcrafted(Signal(fs=rate, seconds=4.0, high=20.0))
    time = np.arange(round(4 * rate)) / rate
    wave = sum(np.exp(-(((time - peak) / 0.03) ** 2)) for peak in np.arange(0.4, 4, 0.8))
    found = dict(zip(NAMES, encoder.encode(np.tile(wave, (1, 12, 1)))["pooled"][0].tolist(), strict=True))
    assert np.isfinite(list(found.values())).all()
    assert found["heart_rate"] == pytest.approx(75, rel=0.05)
    assert found["qrs_max_mv_II"] == pytest.approx(1, abs=0.15)


def test_a_record_of_five_seconds_is_measured_without_its_padding():
    record = trace(np.full(12, 0.8))
    padded = record.copy()
    padded[:, 500:] = 0
    short, cut = encoded(padded, valid=np.array([500])), encoded(record[:, :500])
    assert short == cut
    assert short["heart_rate"] == pytest.approx(75, rel=0.03)
