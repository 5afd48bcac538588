"""Pacing spikes are taken out of median beats; waves of the heart, and beats at low sampling rates, are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.commands.measure import FORM
from cgdmer.delineation import pacing, qrs
from cgdmer.delineation.recording import delineate
from cgdmer.delineation.rules import RULES
from cgdmer.signals.filters import band_pass

FS, CENTRE, WIDTH = 500.0, 250, 625
HEIGHTS = np.linspace(0.5, 1.5, 12)[:, None]


def raised_cosine(begin, end, width=WIDTH):
    """Return one wave that is exactly zero outside its limits, float64 (W,)."""
    time = np.arange(width)
    inside = (time >= begin) & (time <= end)
    return np.where(inside, (1 - np.cos(2 * np.pi * (time - begin) / (end - begin))) / 2, 0.0)


def paced(spike_at, height, complex_at=(235, 325)):
    """Return a wide complex after a spike of 10 ms, alike in twelve leads (12, W)."""
    return HEIGHTS * (raised_cosine(*complex_at) + height * raised_cosine(spike_at - 3, spike_at + 3))


def begin(beat):
    return qrs.first_steep(beat, CENTRE, FS, RULES)


@given(st.integers(222, 228), st.floats(0.4, 2.0), st.sampled_from([-1, 1]))
@settings(max_examples=30)
def test_a_spike_of_any_height_and_sign_is_not_the_onset(at, height, sign):
    beat, alone = paced(at, sign * height), paced(at, 0.0)
    assert begin(beat) < at
    plain = pacing.without_spike(beat, begin(beat), FS)
    assert abs(begin(plain) - begin(alone)) <= 2
    np.testing.assert_array_equal(plain[:, at + 8 :], beat[:, at + 8 :])


@pytest.mark.parametrize("height", [0.0, 0.05])
def test_a_beat_without_a_clear_spike_comes_back_as_it_is(height):
    beat = paced(218, height)
    assert pacing.without_spike(beat, begin(beat), FS) is beat


def test_a_narrow_q_wave_is_no_spike():
    beat = HEIGHTS * (raised_cosine(240, 280) - 0.3 * raised_cosine(232, 242))
    assert pacing.without_spike(beat, begin(beat), FS) is beat


def test_a_low_sampling_rate_cannot_tell_spikes_and_changes_nothing():
    beat = paced(44, 1.0, (47, 65))[:, :125]
    assert pacing.without_spike(beat, qrs.first_steep(beat, 50, 100.0, RULES), 100.0) is beat


@given(st.integers(0, 624), st.integers(0, 1000))
@settings(max_examples=50)
def test_any_onset_is_accepted(first, seed):
    beat = np.random.default_rng(seed).normal(0, 1, (12, WIDTH))
    kept = beat.copy()
    found = pacing.without_spike(beat, first, FS)
    assert found.shape == beat.shape
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(beat, kept)


def test_qrs_and_pr_of_a_paced_recording_are_those_without_spikes():
    times = np.arange(400, 4600, 450)
    plain = sum(
        HEIGHTS * (raised_cosine(at - 30, at + 30, 5000) - 0.3 * raised_cosine(at + 60, at + 160, 5000)) for at in times
    )
    spikes = np.zeros((12, 5000))
    spikes[:, times - 36] = 1.5 * HEIGHTS
    onsets = []
    for leads in (plain, plain + spikes):
        filtered = band_pass(leads.astype(np.float32), FS, FORM).astype(np.float64)
        found = delineate(filtered, FS)
        onsets.append([wave.onset for wave in found.waves(1, "qrs")])
        assert not found.waves(1, "p")
    assert len(onsets[0]) == len(onsets[1]) >= 8
    assert np.abs(np.subtract(*onsets)).max() <= 2
