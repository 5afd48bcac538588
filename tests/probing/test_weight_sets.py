"""Several sets of weights of one encoder: each probed like an encoder of its own, and their mean with its interval."""

import numpy as np
import polars as pl
import pytest

from cgdmer import settings
from cgdmer.probing import linear_probe, metrics, weight_sets
from cgdmer.probing.cohort import cohort
from cgdmer.results import WEIGHTS

SETTINGS = settings.Probe(fractions=[0.1, 1.0], seeds=3, C=[1e-3, 0.1, 10.0], bootstrap=50)


@pytest.fixture
def joined(index):
    return cohort("cpsc2018", index, index["id"].to_list())


@pytest.fixture
def sets(features):
    """Three encoders of different quality: features with more and more noise."""
    rng = np.random.default_rng(5)
    return [{"pooled": features + noise * rng.normal(size=features.shape).astype(np.float32)} for noise in (0, 1, 3)]


@pytest.fixture
def evaluated(joined, sets):
    return weight_sets.evaluate(joined, sets, SETTINGS)


def test_each_set_has_the_numbers_of_an_encoder_of_its_own(joined, sets, evaluated):
    for number, features in enumerate(sets):
        alone, predictions = linear_probe.evaluate(joined, features, SETTINGS)
        own = evaluated[1].filter(pl.col(WEIGHTS) == number).drop(WEIGHTS)
        assert own.equals(predictions)
        for fraction, kinds in alone.results.items():
            cell, row = kinds["pooled"], evaluated[0].results[fraction]["pooled"].by_weights[number]
            assert (row.mean, row.low, row.high) == (cell.mean, cell.low, cell.high)


def test_the_row_of_the_encoder_is_the_mean_and_its_interval_contains_the_weights(evaluated):
    for fraction in ("0.1", "1.0"):
        cell = evaluated[0].results[fraction]["pooled"]
        means = [row.mean for row in cell.by_weights]
        assert means[0] > means[2] + 0.05
        assert cell.mean == pytest.approx(np.mean(means), abs=1e-6)
        assert cell.high - cell.low > max(row.high - row.low for row in cell.by_weights)
        assert cell.seeds == [0, 1, 2]
        assert cell.mean == pytest.approx(np.mean(cell.by_seed), abs=1e-6)
        assert cell.cell("canonical").by_weights == means
        assert [row.mean for row in cell.cells_by_weights("canonical")] == means
    assert evaluated[0].results["1.0"]["pooled"].distinct_subsets == 1
    assert evaluated[0].results["0.1"]["pooled"].distinct_subsets == 3


def test_classes_are_means_over_the_sets_with_intervals_around_them(joined, evaluated):
    cell = evaluated[0].results["1.0"]["pooled"]
    tables = evaluated[1].filter(pl.col("fraction") == 1.0).partition_by(WEIGHTS, maintain_order=True)
    scores = [table.select(pl.col("^score/.*$")).to_numpy() for table in tables]
    expected = np.mean([metrics.auroc(score, joined.test.labels) for score in scores], axis=0)
    np.testing.assert_allclose(list(cell.per_class.values()), expected, atol=1e-6)
    assert all(low < cell.per_class[name] < high for name, (low, high) in cell.per_class_interval.items())


def test_equal_sets_are_as_certain_as_one(joined, features):
    same = weight_sets.evaluate(joined, [{"pooled": features}] * 3, SETTINGS)[0].results["1.0"]["pooled"]
    alone = linear_probe.evaluate(joined, {"pooled": features}, SETTINGS)[0].results["1.0"]["pooled"]
    assert (same.mean, same.C) == (alone.mean, alone.C * 3)
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high), abs=0.01)
