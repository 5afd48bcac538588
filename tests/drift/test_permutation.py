"""The drift statistics against naive versions, and the error rate of the family of tests."""

import numpy as np
import pytest

from cgdmer.drift import permutation, statistics


def test_psi_is_the_divergence_of_the_shares():
    codes = np.array([0, 0, 1, 2, 0, 1, 1, 2])
    members = np.array([[1, 1, 1, 1, 0, 0, 0, 0]], float)
    first, second = np.array([2.5, 1.5, 1.5]) / 5.5, np.array([1.5, 2.5, 1.5]) / 5.5
    expected = sum((a - b) * np.log(a / b) for a, b in zip(first, second, strict=True))
    np.testing.assert_allclose(statistics.psi(codes, members), [expected])


def test_mmd_equals_the_mean_over_all_pairs():
    draw = np.random.default_rng(0)
    features = draw.normal(size=(7, 3))
    squared = ((features[:, None] - features) ** 2).sum(-1)
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(7, 1)]))
    expected = kernel[:3, :3].mean() + kernel[3:, 3:].mean() - 2 * kernel[:3, 3:].mean()
    members = np.array([[1, 1, 1, 0, 0, 0, 0]], float)
    np.testing.assert_allclose(statistics.mmd(features, members), [expected])


def test_cramer_von_mises_equals_the_definition_with_ties_and_nan():
    values = np.array([1.0, 2.0, 2.0, np.nan, 0.0, 2.0, 5.0])
    members = np.array([[1, 1, 0, 0, 1, 0, 0], [0, 1, 1, 1, 0, 0, 0]], float)
    numbers = np.where(np.isnan(values), np.inf, values)
    for row, found in zip(members.astype(bool), statistics.cramer_von_mises(values, members), strict=True):
        distance = [(np.mean(numbers[row] <= x) - np.mean(numbers[~row] <= x)) ** 2 for x in numbers]
        assert found == pytest.approx(np.mean(distance))


def test_the_index_by_chance_is_what_random_divisions_give():
    codes = statistics.numeric_codes(np.random.default_rng(0).normal(size=900))
    random = statistics.psi(codes, permutation.divisions(300, 600, 400, 0)[1:])
    assert statistics.chance(codes, 300) == pytest.approx(random.mean(), rel=0.1)


def test_numbers_fall_into_tenths_and_nan_into_a_bin_of_its_own():
    codes = statistics.numeric_codes(np.append(np.arange(100.0), [np.nan, np.nan]))
    assert np.bincount(codes).tolist() == [10] * 10 + [2]
    assert statistics.numeric_codes(np.full(4, np.nan)).tolist() == [0, 0, 0, 0]
    assert statistics.numeric_codes(np.full(4, 3.0)).tolist() == [0, 0, 0, 0]


def test_rare_categories_share_a_bin():
    names = [f"c{number}" for number in range(30)] + ["c3"] * 5
    codes = statistics.category_codes(names)
    assert codes.max() == statistics.MOST_CATEGORIES
    assert len(set(codes[30:])) == 1


def test_p_values_count_the_divisions_that_are_at_least_as_large():
    values = np.array([[3.0, 0.0], [1.0, 0.0], [3.0, 0.0], [4.0, 3.0]])
    found = permutation.compare({"a": lambda _: values[:, 0], "b": lambda _: values[:, 1]}, 2, 2, permutations=3)
    assert [(one.p, one.adjusted) for one in found.values()] == [(0.75, 0.75), (1.0, 1.0)]
    assert found["a"].excess == pytest.approx(3.0 - 8.0 / 3.0)


def distance_of(values):
    return lambda members: statistics.cramer_von_mises(values, members)


def family(draw, shift=0.0, variables=15, incoming=60, reference=120):
    shared = draw.normal(size=(incoming + reference, 1))
    numbers = shared + draw.normal(size=(incoming + reference, variables))
    numbers[:incoming, 0] += shift
    tests = {str(column): distance_of(numbers[:, column]) for column in range(variables)}
    tests["embedding"] = lambda members: statistics.mmd(numbers, members)
    return permutation.compare(tests, incoming, reference, permutations=199)


def test_a_shift_of_one_variable_is_found_in_that_variable():
    found = family(np.random.default_rng(1), shift=2.5)
    assert found["0"].adjusted <= 0.01
    assert found["0"].statistic > found["0"].upper > found["0"].lower
    assert min(found[str(column)].adjusted for column in range(1, 15)) > 0.05


def test_without_drift_the_whole_family_errs_as_often_as_stated():
    draw = np.random.default_rng(2)
    alarms = [min(one.adjusted for one in family(draw).values()) <= 0.1 for _ in range(100)]
    assert 2 <= sum(alarms) <= 19  # 10 expected, binomial standard deviation 3


@pytest.mark.parametrize("size", [1, 2])
def test_tiny_samples_give_no_alarm(size):
    found = permutation.compare({"a": lambda members: members[:, 0]}, size, 3, permutations=99)
    assert found["a"].adjusted > 0.01
