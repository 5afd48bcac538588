"""Percentiles: monotone, uniform on the reference itself, with ties and constants, and files that are checked."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cgdmer.errors import DataError
from cgdmer.probing import reference
from cgdmer.probing.solver import sigmoid

COUNTS = st.integers(1, 400)
SCORES = COUNTS.flatmap(lambda n: arrays(np.float64, n, elements=st.floats(-12, 12)))
TIED = COUNTS.flatmap(lambda n: arrays(np.float64, n, elements=st.sampled_from([-3.0, -1.0, 0.0, 2.0])))


def of(scores):
    return reference.of_scores("records", "0" * 64, ["a"], [scores])


def among(scores, others, shift=0.0):
    """Return the percentiles of log odds `scores` among the recordings with log odds `others`."""
    given_ = sigmoid(scores + shift).astype(np.float32)
    return reference.percentiles(given_, of(others).probabilities("a", shift))


def naive(scores, others):
    """Return the share of recordings with a lower score, and half of those with an equal one, in percent."""
    return np.array([100 * (np.mean(others < one) + np.mean(others == one) / 2) for one in scores])


@given(SCORES, arrays(np.float64, 50, elements=st.floats(-20, 20)))
@settings(max_examples=60)
def test_a_higher_score_never_has_a_lower_percentile(others, scores):
    found = among(np.sort(scores), others)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 100


@given(TIED)
@settings(max_examples=60)
def test_the_percentile_is_the_share_below_plus_half_of_the_ties(others):
    scores = np.array([-5.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0])
    error = np.abs(among(scores, others) - naive(scores, others))
    assert error.max() <= 1.1 + 50 / len(others)


@given(TIED)
@settings(max_examples=60)
def test_the_reference_recordings_have_the_stated_percentiles_with_ties_at_both_ends_too(others):
    assert np.abs(among(others, others) - naive(others, others)).max() <= 1.1


@pytest.mark.parametrize("count", [1, 2, 30, 49])
def test_the_lowest_and_the_highest_of_few_recordings_have_half_a_share(count):
    others = np.linspace(-3.0, 3.0, count)
    lowest, highest = among(others[[0, -1]], others)
    assert (lowest, highest) == (pytest.approx(50 / count, abs=0.05), pytest.approx(100 - 50 / count, abs=0.05))
    assert reference.text(lowest) == f"{50 / count:.0f}"


@pytest.mark.parametrize("count", [20, 85, 197, 2000])
def test_the_reference_recordings_themselves_are_uniform(count):
    scores = np.random.default_rng(count).normal(-3, 4, count)
    found = np.sort(among(scores, scores))
    exact = 100 * (np.arange(count) + 0.5) / count
    assert np.abs(found - exact).max() <= 1.1


def test_a_constant_class_has_no_order_and_others_lie_outside():
    assert among(np.array([-2.0, -1.0, 0.0]), np.full(30, -1.0)).tolist() == [0.0, 50.0, 100.0]
    one = float(np.float32(0.1))
    assert among(np.array([0.1]), np.full(30, one)).tolist() == [50.0], "equal but for rounding"


@given(SCORES, st.floats(-3, 3))
@settings(max_examples=30)
def test_another_prevalence_leaves_percentiles_as_they_are(others, shift):
    scores = np.linspace(-8, 8, 33)
    distinct = np.abs(scores[:, None] - others).min(axis=1) > 0.05
    np.testing.assert_allclose(among(scores, others, shift)[distinct], among(scores, others)[distinct], atol=1.2)


@pytest.mark.parametrize(
    ("percentile", "said"), [(0.0, "<1"), (0.9, "<1"), (1.0, "1"), (49.6, "50"), (99.0, "99"), (99.1, ">99")]
)
def test_what_few_recordings_cannot_resolve_is_not_said(percentile, said):
    assert reference.text(percentile) == said


def test_a_file_gives_back_what_was_saved_and_the_same_bytes(tmp_path):
    made = reference.of_scores("records", "0" * 64, ["a", "b/c"], [np.arange(5.0), np.zeros(1)])
    for name in ("one", "two"):
        reference.save(tmp_path / name, made)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read = reference.load(tmp_path / "one", "0" * 64, ["a", "b/c"], "fix it")
    np.testing.assert_array_equal(read.quantiles, made.quantiles)
    assert (read.recordings, read.counts) == ("records", [5, 1])


def test_damage_and_references_of_other_probes_are_named(tmp_path):
    path, made = tmp_path / "x", of(np.arange(9.0))
    reference.save(path, made)
    for probe, classes in (("1" * 64, ["a"]), ("0" * 64, ["b"])):
        with pytest.raises(DataError, match="it was made for another one") as caught:
            reference.load(path, probe, classes, "fix it")
        assert caught.value.fix == "fix it"
    for changed in ({"counts": [0]}, {"recordings": "\x1b[2J"}, {"counts": ["9"]}):
        reference.save(path, replace(made, **changed))
        with pytest.raises(DataError, match="does not name its recordings"):
            reference.load(path, "0" * 64, ["a"], "")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="is no reference of this probe"):
        reference.load(path, "0" * 64, ["a"], "")


@pytest.mark.parametrize("quantiles", [np.zeros((1, 100)), np.full((1, 101), np.nan), np.arange(101.0)[None, ::-1]])
def test_quantiles_of_another_shape_or_order_are_refused(quantiles):
    with pytest.raises(ValueError, match="quantiles"):
        reference.Reference("records", "", ["a"], [1], quantiles)
