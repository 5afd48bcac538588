"""Heartbeat tokens: bounds of beats, the place of the peak, lead-major order and what is lost."""

import numpy as np
import pytest

from cgdmer.encoders import beat_tokens
from cgdmer.encoders.beat_tokens import BeatTokens, beat_bounds, r_peaks


def test_bounds_are_midpoints_and_half_a_token_beyond_the_outer_peaks():
    assert beat_bounds(np.array([100, 180, 261]), 1000, 96) == [(52, 140), (140, 220), (220, 309)]


@pytest.mark.parametrize(
    ("peaks", "length", "bounds"),
    [
        ([], 1000, []),
        ([30], 1000, [(0, 96)]),  # the only beat: a token from its start
        ([30], 60, [(0, 60)]),
        ([20, 90], 110, [(0, 55), (55, 110)]),  # clipped to the record
        ([100, 400], 1000, [(52, 148), (352, 448)]),  # far apart: a token around the peak
        ([100, 195, 300], 1000, [(52, 147), (147, 243), (252, 348)]),
    ],
)
def test_outer_single_and_distant_beats(peaks, length, bounds):
    assert beat_bounds(np.array(peaks, np.int64), length, 96) == bounds


def tokens_at(monkeypatch, peaks, signal, count=256):
    monkeypatch.setattr(beat_tokens, "r_peaks", lambda lead, fs: np.array(peaks, np.int64))
    return BeatTokens(count, 96, 0)(signal, 100.0)


def test_the_peak_lands_in_the_middle_and_tokens_are_lead_major(monkeypatch):
    signal = np.zeros((2, 1000), np.float32)
    peaks = [105, 190, 980]
    for lead in range(2):
        signal[lead, peaks] = [1 + lead, 3 + lead, 5 + lead]
    tokens, leads, times = tokens_at(monkeypatch, peaks, signal)
    assert tokens[:6, 48].tolist() == [1, 3, 5, 2, 4, 6]
    assert leads[:7].tolist() == [1, 1, 1, 2, 2, 2, 0]
    assert times[:7].tolist() == [2, 2, 10, 2, 2, 10, 0]
    assert np.count_nonzero(tokens) == 6


def test_an_early_peak_is_moved_to_the_middle(monkeypatch):
    signal = np.arange(1, 1001, dtype=np.float32)[None]
    tokens, _, _ = tokens_at(monkeypatch, [10, 90], signal)
    assert tokens[0, 38:48].tolist() == list(range(1, 11))
    assert not tokens[0, :38].any()


def test_beats_beyond_the_last_token_are_lost(monkeypatch):
    _, leads, _ = tokens_at(monkeypatch, [100, 200, 300], np.ones((12, 1000), np.float32), count=8)
    assert leads.tolist() == [1, 1, 1, 2, 2, 2, 3, 3]


def test_constant_and_short_leads_have_no_peaks():
    assert not len(r_peaks(np.zeros(1000), 100.0))
    assert not len(r_peaks(np.random.default_rng(0).normal(size=50), 100.0))


def test_peaks_of_regular_beats_are_found():
    time = np.arange(1000) / 100
    lead = sum(np.exp(-(((time - peak) / 0.02) ** 2)) for peak in np.arange(0.5, 10, 0.8))
    peaks = r_peaks(lead, 100.0)
    assert len(peaks) >= 10
    assert np.abs(np.diff(peaks) - 80).max() <= 2
