"""Holm's procedure against a worked example and its definition, its error under the null, and power."""

import numpy as np
import pytest
from scipy import stats

from cgdmer.probing import multiplicity


def test_the_worked_example_of_holm():
    """Four p-values at 0.05: the two smallest are rejected, and 0.03 is not although it is below 0.05."""
    assert multiplicity.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_naive_step_down_rejects_the_same():
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        p = rng.random(size) ** 3
        rejected, alpha = set(), 0.05
        for step, place in enumerate(sorted(range(size), key=lambda i: p[i])):
            if p[place] > alpha / (size - step):
                break
            rejected.add(place)
        assert {i for i, value in enumerate(multiplicity.holm(p)) if value <= alpha} == rejected


def test_adjusted_values_keep_the_order_and_stay_between_p_and_one():
    p = np.random.default_rng(1).random(30)
    adjusted = np.array(multiplicity.holm(p))
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_equal_p_values_get_equal_values_and_none_gives_none():
    assert multiplicity.holm([0.02, 0.02]) == [0.04, 0.04]
    assert multiplicity.holm([]) == []


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_under_the_null_a_family_has_a_wrong_rejection_no_more_often_than_alpha(correlation):
    rng, runs, size = np.random.default_rng(3), 2000, 21
    wrong = plain = 0
    for _ in range(runs):
        z = np.sqrt(correlation) * rng.normal() + np.sqrt(1 - correlation) * rng.normal(size=size)
        p = [multiplicity.p_value(value, 1.0, np.inf) for value in z]
        wrong += min(multiplicity.holm(p)) <= 0.05
        plain += min(p) <= 0.05
    assert wrong / runs <= 0.065
    assert plain / runs > 0.15


def test_p_values_are_those_of_normal_and_t():
    assert multiplicity.p_value(1.96, 1.0, np.inf) == pytest.approx(2 * stats.norm.sf(1.96))
    assert multiplicity.p_value(-0.03, 0.01, 4.0) == pytest.approx(2 * stats.t.sf(3.0, 4.0))
    assert (multiplicity.p_value(0.0, 0.0, np.inf), multiplicity.p_value(0.1, 0.0, np.inf)) == (1.0, 0.0)


@pytest.mark.parametrize("df", [4.0, np.inf])
def test_a_detectable_difference_has_the_stated_power(df):
    """Textbook factor 2.80 for the normal distribution; with few degrees of freedom, draws of the t statistic."""
    size = multiplicity.detectable(0.01, df)
    rng = np.random.default_rng(4)
    if np.isinf(df):
        assert size == pytest.approx(0.0280, abs=1e-4)
        found = np.abs(rng.normal(size, 0.01, 20000)) / 0.01 > stats.norm.ppf(0.975)
    else:
        noise = 0.01 * np.sqrt(rng.chisquare(df, 20000) / df)
        found = np.abs(rng.normal(size, 0.01, 20000)) / noise > stats.t.ppf(0.975, df)
    assert found.mean() == pytest.approx(0.8, abs=0.05)
