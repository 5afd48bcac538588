"""Recordings with known waves that are hard: standstill, long PR, wide QRS, fast tachycardia, pacing, a flat lead."""

import numpy as np
import pytest

from cgdmer.commands.measure import FORM
from cgdmer.delineation.measurements import measure
from cgdmer.delineation.recording import delineate
from cgdmer.signals.filters import band_pass
from cgdmer.signals.leads import LEADS

FS = 500.0
CHEST = np.array([-0.5, 0.2, 0.6, 1.2, 1.1, 0.9])[:, None]


def wave(time, begin, length, height):
    """Return one raised cosine, in mV."""
    inside = (time > begin) & (time < begin + length)
    return np.where(inside, height * (1 - np.cos(2 * np.pi * (time - begin) / length)) / 2, 0.0)


def recording(rr=1.0, pr=0.16, qrs=0.09, qt=0.38, p=0.15, seconds=10, complex_=(0, -0.1, 1, -0.3, 0), noise=0.005):
    """Return twelve leads (12, T) in mV with an axis of 53 degrees; QRS complexes begin at 0.5 s + n * rr."""
    time = np.arange(round(FS * seconds)) / FS
    lead = sum(
        wave(time, at - pr, 0.1, p)
        + np.interp(time - at, np.array([0, 0.2, 0.5, 0.8, 1]) * qrs, complex_, 0, 0)
        + wave(time, at + qt - 0.18, 0.18, 0.3)
        for at in np.arange(0.5, seconds + rr, rr)
    )
    first, foot = 0.6 * lead, 0.8 * np.sqrt(3) / 2 * lead
    second = foot + first / 2
    limbs = [first, second, second - first, -(first + second) / 2, first - second / 2, foot]
    return np.vstack([limbs, CHEST * lead]) + np.random.default_rng(0).normal(0, noise, (12, len(time)))


def measured(leads):
    return measure(delineate(band_pass(leads.astype(np.float32), FS, FORM).astype(np.float64), FS))


def silent_from(second, **of):
    leads = recording(**of)
    leads[:, round(second * FS) :] = np.random.default_rng(1).normal(0, 0.003, (12, 1))
    return leads


@pytest.mark.parametrize(
    ("leads", "beats", "rr"),
    [
        (silent_from(2.5, rr=0.8), 3, 800),
        (silent_from(25, rr=0.8, seconds=60), 31, 800),
        (silent_from(8.2, rr=0.8, seconds=60), 10, 800),
        (recording(rr=4.4), 3, 4400),
        (recording(rr=4.4, seconds=60, noise=0.02), 14, 4400),
    ],
)
def test_clear_beats_count_even_if_most_of_the_recording_has_none(leads, beats, rr):
    found = measured(leads)
    assert found["beats"] == beats
    assert found["rr_ms"] == pytest.approx(rr, abs=4)
    assert found["qrs_ms"] == pytest.approx(90, abs=12)


@pytest.mark.parametrize("seed", range(5))
def test_an_artefact_in_noise_is_no_beat(seed):
    leads = np.random.default_rng(seed).normal(0, 0.05, (12, 5000))
    leads[:, 2600:2630] += 2.0
    assert measured(leads)["beats"] == 0


@pytest.mark.parametrize("pr", [280, 320, 340, 360, 380, 400])
def test_a_long_pr_interval_is_not_cut(pr):
    found = measured(recording(rr=1.2, pr=pr / 1000))
    assert found["pr_ms"] == pytest.approx(pr, abs=14)
    assert found["p_axis"] == pytest.approx(53, abs=6)


@pytest.mark.parametrize("pr", range(410, 500, 10))
def test_a_pr_interval_beyond_the_search_is_not_measured(pr):
    found = measured(recording(rr=1.2, pr=pr / 1000))
    assert (found["pr_ms"], found["p_axis"]) == (None, None)


@pytest.mark.parametrize("qrs", range(80, 260, 20))
@pytest.mark.parametrize("complex_", [(0, -0.1, 1, -0.3, 0), (0, 0.5, 1, -0.5, 0), (0, 1, 0.3, 0.2, 0)])
def test_a_wide_complex_is_measured_whole(qrs, complex_):
    found = measured(recording(pr=0.2, qrs=qrs / 1000, qt=0.3 + qrs / 1000, complex_=complex_))
    assert found["qrs_ms"] == pytest.approx(qrs, abs=14)
    assert found["pr_ms"] == pytest.approx(200, abs=10)


@pytest.mark.parametrize("rr", [280, 300, 320, 340, 360, 380, 400, 440])
def test_the_t_wave_of_a_fast_tachycardia_is_no_p_wave(rr):
    found = measured(recording(rr=rr / 1000, qrs=0.08, qt=min(0.8 * rr / 1000, 0.3), p=0))
    assert found["rr_ms"] == pytest.approx(rr, abs=4)
    assert (found["p_ms"], found["pr_ms"], found["p_axis"]) == (None, None, None)


@pytest.mark.parametrize("height", [1.0, 2.0, 4.0])
def test_levels_of_a_paced_recording_are_those_without_the_spike(height):
    plain = recording(qrs=0.16, qt=0.46, p=0)
    paced = plain.copy()
    spikes = np.round((np.arange(0.5, 9.9, 1.0) - 0.006) * FS).astype(int)
    paced[:, spikes] += height * np.linspace(-1, 1.2, 12)[:, None]
    alone, found = measured(plain), measured(paced)
    for name in (f"{level}_{lead}_mv" for level in ("st", "r", "s") for lead in LEADS):
        if alone[name] is not None and found[name] is not None:
            assert found[name] == pytest.approx(alone[name], abs=0.06), name


@pytest.mark.parametrize("lead", ["I", "aVF"])
@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_a_flat_frontal_lead_gives_no_axis(lead, noise):
    leads = recording()
    assert measured(leads)["qrs_axis"] == pytest.approx(53, abs=3)
    leads[LEADS.index(lead)] = 0.1 + np.random.default_rng(2).normal(0, noise, leads.shape[1])
    found = measured(leads)
    assert [found[name] for name in ("p_axis", "qrs_axis", "t_axis")] == [None] * 3
    assert found["qrs_ms"] is not None
