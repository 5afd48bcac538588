"""Detection of beats, their shapes and their median, on beats that the test places itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.delineation import beats

FS = 500.0


def spikes(places, samples=5000, width=6, height=1.0, leads=12):
    """Return narrow complexes at places in all leads, float64 (L, T) in mV."""
    time = np.arange(samples)
    wave = sum(np.exp(-(((time - place) / width) ** 2)) for place in places)
    return height * np.linspace(0.3, 1.0, leads)[:, None] * wave


@given(st.integers(120, 500), st.integers(150, 450), st.integers(0, 10_000))
@settings(max_examples=25)
def test_every_beat_is_found_once_in_noise(first, gap, seed):
    places = np.arange(first, 4900, gap)
    noise = np.random.default_rng(seed).normal(0, 0.02, (12, 5000))
    found = beats.find(spikes(places) + noise, FS)
    assert len(found) == len(places)
    assert np.abs(found - places).max() <= 0.03 * FS


def test_tall_t_waves_are_no_beats():
    places = np.arange(300, 4700, 450)
    time = np.arange(5000)
    t_waves = sum(0.8 * np.exp(-(((time - place - 140) / 30) ** 2)) for place in places)
    assert len(beats.find(spikes(places) + t_waves, FS)) == len(places)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_beats(seed):
    assert len(beats.find(np.random.default_rng(seed).normal(0, 0.1, (12, 5000)), FS)) == 0


@pytest.mark.parametrize("leads", [np.zeros((12, 5000)), np.zeros((12, 0)), np.ones((12, 200)), spikes([100], 250)])
def test_flat_and_short_signals_have_no_beats(leads):
    assert len(beats.find(leads, FS)) == 0


def test_one_disturbed_lead_neither_hides_nor_adds_beats():
    places = np.arange(300, 4700, 450)
    leads = spikes(places)
    leads[3] += np.random.default_rng(0).normal(0, 5, 5000)
    assert len(beats.find(leads, FS)) == len(places)


def test_beats_of_two_shapes_are_told_apart_and_the_frequent_shape_comes_first():
    normal, other = np.array([300, 700, 1100, 1900, 2300, 2700]), np.array([1500, 3100])
    wide = spikes(other, width=25)
    wide[::2] *= -1
    leads = spikes(normal, samples=3600) + wide[:, :3600]
    found = beats.shapes(leads, np.sort(np.concatenate([normal, other])), FS)
    assert [len(shape.centres) for shape in found] == [6, 2]
    assert np.abs(found[0].centres - normal).max() <= 2


def test_shifted_centres_are_moved_so_that_beats_coincide():
    places = np.arange(400, 4500, 400)
    shifted = places + np.random.default_rng(1).integers(-10, 11, len(places))
    (shape,) = beats.shapes(spikes(places), shifted, FS)
    assert np.ptp(shape.centres - places) <= 2


def test_the_median_beat_is_numpys_and_its_error_that_of_the_mean():
    leads = np.random.default_rng(2).normal(size=(12, 5000))
    centres = np.array([500, 1500, 2500, 3500])
    shape = beats.median_beat(leads, centres, FS)
    before, after = round(beats.BEFORE * FS), round(beats.AFTER * FS)
    cut = np.stack([leads[:, c - before : c + after] for c in centres])
    cut = cut - np.median(cut[:, :, before - 50 : before - 30], axis=2, keepdims=True)
    np.testing.assert_allclose(shape.beat, np.median(cut, axis=0))
    np.testing.assert_allclose(shape.error, cut.std(axis=0) / 2)


def test_a_single_beat_proves_nothing_about_its_waves():
    assert np.isinf(beats.median_beat(spikes([500], 1000), np.array([500]), FS).error).all()
