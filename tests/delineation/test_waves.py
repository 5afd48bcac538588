"""Limits of P, QRS and T waves on median beats with known waves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.delineation import p_and_t, qrs
from cgdmer.delineation.rules import RULES, Limits

FS, CENTRE, WIDTH = 500.0, 250, 625


def raised_cosine(begin, end, height=1.0):
    """Return one wave that is exactly zero outside its limits, float64 (W,)."""
    time = np.arange(WIDTH)
    inside = (time >= begin) & (time <= end)
    return np.where(inside, height * (1 - np.cos(2 * np.pi * (time - begin) / (end - begin))) / 2, 0.0)


def beat(qrs_at=(225, 275), t_at=(340, 440), p_at=(130, 180)):
    """Return twelve leads with the same waves at different heights."""
    one = raised_cosine(*qrs_at, 1.2) + raised_cosine(*t_at, 0.3) + (raised_cosine(*p_at, 0.12) if p_at else 0)
    return np.linspace(0.5, 1.5, 12)[:, None] * one


@given(st.integers(205, 235), st.integers(265, 310), st.integers(0, 1000))
@settings(max_examples=30)
def test_the_complex_is_found_within_some_samples(onset, offset, seed):
    leads = beat((onset, offset), t_at=(offset + 60, offset + 160), p_at=None)
    leads += np.random.default_rng(seed).normal(0, 0.003, leads.shape)
    found, (first, last) = qrs.delimit(leads, CENTRE, FS, RULES)
    assert all(wave is not None for wave in found)
    assert np.median([abs(wave.onset - onset) for wave in found]) <= 7  # 14 ms
    assert np.median([abs(wave.offset - offset) for wave in found]) <= 7
    assert onset - 7 <= first < last <= offset + 7


def test_a_flat_lead_has_no_complex():
    leads = beat()
    leads[4] = 0
    found, _ = qrs.delimit(leads, CENTRE, FS, RULES)
    assert [lead for lead, wave in enumerate(found) if wave is None] == [4]


@pytest.mark.parametrize("sign", [1, -1])
def test_t_waves_of_either_sign_end_where_they_end(sign):
    leads = beat(p_at=None)
    leads[:, 300:] *= sign
    found = p_and_t.t_waves(leads, 275, 600, FS, RULES)
    assert np.median([abs(wave.offset - 440) for wave in found]) <= 12
    assert np.median([abs(wave.onset - 340) for wave in found]) <= 15
    assert np.median([abs(wave.peak - 390) for wave in found]) <= 2


def test_p_waves_are_found_where_they_stand_out_of_the_error():
    leads, error = beat(), np.full((12, WIDTH), 0.002)
    found = p_and_t.p_waves(leads, error, 0, 225, FS, RULES, False)
    assert np.median([abs(wave.onset - 130) for wave in found]) <= 10
    assert np.median([abs(wave.offset - 180) for wave in found]) <= 10
    assert p_and_t.p_waves(leads, 100 * error, 0, 225, FS, RULES, False) == [None] * 12


def test_an_irregular_rhythm_needs_more_evidence():
    leads = beat()
    error = np.full((12, WIDTH), 0.12 * 1.0 / 6)
    assert any(p_and_t.p_waves(leads, error, 0, 225, FS, RULES, False))
    assert not any(p_and_t.p_waves(leads, error, 0, 225, FS, RULES, True))


def test_no_p_wave_is_found_where_there_is_none():
    leads = beat(p_at=None) + np.random.default_rng(0).normal(0, 0.004, (12, WIDTH))
    assert p_and_t.p_waves(leads, np.full((12, WIDTH), 0.004), 0, 225, FS, RULES, False) == [None] * 12


def test_a_window_without_room_has_no_wave():
    assert p_and_t.t_waves(beat(), 275, 300, FS, RULES) == [None] * 12
    assert p_and_t.p_waves(beat(), np.zeros((12, WIDTH)), 220, 225, FS, RULES, False) == [None] * 12


def test_the_corner_maximises_the_trapezium_as_a_loop_over_all_points_does():
    waves = np.stack([np.exp(-(((np.arange(200) - 50) / width) ** 2)) for width in (25, 18, 40)])
    steepest, far = np.array([68, 63, 78]), np.array([150, 150, 120])
    expected = []
    for wave, top, end in zip(waves, steepest, far, strict=True):
        areas = [0.5 * abs(wave[top] - wave[i]) * ((end - i) + (end - top)) for i in range(top, end + 1)]
        expected.append(top + int(np.argmax(areas)))
    assert p_and_t.corners(waves, steepest, far).tolist() == expected
    mirrored = p_and_t.corners(waves[:, ::-1], 199 - steepest, 199 - far)
    assert (199 - mirrored).tolist() == expected


def test_height_is_measured_from_the_line_between_the_limits():
    lead = np.array([0.0, 1.0, 3.0, 3.0, 2.0])
    assert p_and_t.height(lead, Limits(0, 2, 4)) == pytest.approx(2.0)
