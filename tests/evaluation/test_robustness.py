"""Twelve clean leads give the number of the canonical probe; changes are paired."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from cgdmer.evaluation import robustness
from cgdmer.probing import linear_probe
from cgdmer.probing.cohort import Split, cohort
from cgdmer.settings import Probe

SETTINGS = Probe(fractions=[1.0], seeds=2, C=[0.01, 1.0], bootstrap=50)


@pytest.fixture
def evaluated(index, features):
    joined = cohort("cpsc2018", index, index["id"].to_list())
    noisy = features + np.random.default_rng(5).normal(scale=2.0, size=features.shape).astype(np.float32)
    by_leads = {robustness.CLEAN: features, "1 lead (I)": features[:, :3]}
    (result,) = robustness.evaluate([joined], by_leads, {"noise": noisy, "nothing": features}, SETTINGS)
    return joined, features, result


def figures(result):
    return {one["condition"]: one for one in result["leads"] + result["disturbances"]}


def test_twelve_clean_leads_are_the_canonical_probe(evaluated):
    joined, features, (result, _) = evaluated
    canonical, _ = linear_probe.evaluate(joined, {"pooled": features}, SETTINGS)
    expected, actual = canonical.results["1.0"]["pooled"].to_json(), figures(result)[robustness.CLEAN]
    assert {name: actual[name] for name in ("mean", "low", "high", "per_class")} == {
        name: expected[name] for name in ("mean", "low", "high", "per_class")
    }


def test_changes_are_paired_with_twelve_clean_leads(evaluated):
    _, _, (result, _) = evaluated
    clean, noisy = figures(result)[robustness.CLEAN], figures(result)["noise"]
    assert noisy["change"]["mean"] == pytest.approx(noisy["mean"] - clean["mean"], abs=2e-6)
    assert noisy["change"]["low"] <= noisy["change"]["mean"] <= noisy["change"]["high"] < 0
    nothing = figures(result)["nothing"]
    assert nothing["change"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_every_condition_has_its_predictions(evaluated):
    joined, _, (result, predictions) = evaluated
    assert set(predictions["condition"]) == {robustness.CLEAN, "1 lead (I)", "noise", "nothing"}
    assert predictions.height == 4 * len(joined.test.ids)
    assert figures(result)["1 lead (I)"]["n_test"] == len(joined.test.ids)


def test_tasks_side_by_side_have_the_numbers_of_each_alone(index, features):
    cohorts = [cohort(name, index, index["id"].to_list()) for name in ("cpsc2018", "cpsc2018")]
    cohorts[1] = replace(cohorts[1], task="fewer", train=Split(*[x[::2] for x in astuple(cohorts[1].train)]))
    by_leads, disturbed = {robustness.CLEAN: features, "1 lead (I)": features[:, :3]}, {"nothing": features}
    together = list(robustness.evaluate(cohorts, by_leads, disturbed, SETTINGS))
    alone = [next(robustness.evaluate([one], by_leads, disturbed, SETTINGS)) for one in cohorts]
    assert [result for result, _ in together] == [result for result, _ in alone]
    assert together[0][0]["leads"] != together[1][0]["leads"]
    assert all(one[1].equals(other[1]) for one, other in zip(together, alone, strict=True))
