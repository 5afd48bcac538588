"""The canonical probe: how C is selected, what is stored, and that saved predictions reproduce the numbers."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.probing import linear_probe, metrics, subsets
from cgdmer.probing.cohort import cohort

SETTINGS = settings.Probe(fractions=[0.1, 1.0], seeds=3, C=[1e-3, 0.1, 10.0], bootstrap=50)


def evaluate(*arguments):
    """Return the result as it is stored, and the predictions."""
    result, predictions = linear_probe.evaluate(*arguments)
    return result.to_json(), predictions


@pytest.fixture
def joined(index):
    return cohort("cpsc2018", index, index["id"].to_list())


@pytest.fixture
def evaluated(joined, features):
    return evaluate(joined, {"pooled": features}, SETTINGS)


def test_full_fraction_equals_scikit_learn_with_the_strength_chosen_on_validation(joined, features, evaluated):
    scaler = StandardScaler().fit(features[joined.train.rows])
    train, val, test = (scaler.transform(features[p.rows]) for p in (joined.train, joined.val, joined.test))
    macros_by_c = []
    for c_value in SETTINGS.C:
        models = [LogisticRegression(C=c_value, tol=1e-8).fit(train, joined.train.labels[:, c]) for c in range(4)]
        macros = [
            np.mean([roc_auc_score(part.labels[:, c], model.decision_function(X)) for c, model in enumerate(models)])
            for part, X in ((joined.val, val), (joined.test, test))
        ]
        macros_by_c.append(macros)
    best = int(np.argmax([on_val for on_val, _ in macros_by_c]))
    result = evaluated[0]["results"]["1.0"]["pooled"]
    assert result["C"] == [SETTINGS.C[best]]
    assert result["mean"] == pytest.approx(macros_by_c[best][1], abs=1e-4)


def test_result_says_how_it_came_about(evaluated):
    result = evaluated[0]
    assert (result["task"], result["protocol"], result["n_test"]) == ("cpsc2018", "canonical", 50)
    ten = result["results"]["0.1"]["pooled"]
    assert ten["seeds"] == [0, 1, 2]
    assert (ten["n_train"], ten["distinct_subsets"]) == (16, 3)
    full = result["results"]["1.0"]["pooled"]
    assert (len(full["by_seed"]), len(set(full["by_seed"])), full["distinct_subsets"]) == (3, 1, 1)
    assert ten["mean"] == pytest.approx(np.mean(ten["by_seed"]), abs=1e-6)
    assert ten["low"] < ten["mean"] < ten["high"]
    assert set(ten["per_class"]) == set(result["classes"])
    assert all(low <= ten["per_class"][name] <= high for name, (low, high) in ten["per_class_interval"].items())
    assert 0 < ten["auprc"] <= 1
    assert 0 < ten["f1"] <= 1
    json.dumps(result, allow_nan=False)


def test_more_labels_help(evaluated):
    results = evaluated[0]["results"]
    assert results["1.0"]["pooled"]["mean"] > results["0.1"]["pooled"]["mean"] > 0.6


def test_every_reported_number_can_be_recomputed_from_the_predictions(evaluated):
    result, predictions = evaluated
    for fraction in SETTINGS.fractions:
        macros = []
        for part in predictions.filter(pl.col("fraction") == fraction).partition_by("seed", maintain_order=True):
            scores, labels = (part.select(pl.col(f"^{kind}/.*$")).to_numpy() for kind in ("score", "label"))
            macros.append(metrics.macro(metrics.auroc(scores, labels)))
        by_seed = result["results"][str(fraction)]["pooled"]["by_seed"]
        assert by_seed == pytest.approx(macros if fraction < 1 else macros * SETTINGS.seeds, abs=1e-6)


def test_a_second_run_is_identical(joined, features, evaluated):
    again = evaluate(joined, {"pooled": features}, SETTINGS)
    assert json.dumps(again[0]) == json.dumps(evaluated[0])
    assert again[1].equals(evaluated[1])


def test_classes_nobody_trained_on_score_one_half_and_are_listed(joined, features):
    joined.train.labels[:, 3] = 0
    cell = evaluate(joined, {"pooled": features}, SETTINGS)[0]["results"]["0.1"]["pooled"]
    assert "STE" in cell["classes_without_train_positive"]
    assert cell["per_class"]["STE"] == 0.5
    assert min(cell["untrained_by_seed"]) >= 1


def test_classes_that_the_test_split_lacks_are_left_out_and_listed(joined, features):
    joined.test.labels[:, 3] = 0
    result = evaluate(joined, {"pooled": features}, SETTINGS)[0]
    full = result["results"]["1.0"]["pooled"]
    assert result["classes_left_out"] == ["STE"]
    assert set(full["per_class"]) == {"AFIB", "VPC", "NORM"}
    assert full["mean"] == pytest.approx(np.mean(list(full["per_class"].values())), abs=1e-6)


def test_features_are_standardised_on_the_subset_alone(joined, features):
    spoiled = features.copy()
    subset = subsets.nested(joined.train.ids, 0.1, 0)
    others = np.setdiff1d(np.arange(len(joined.train.ids)), subset)
    spoiled[joined.train.rows[others]] = 1e4
    one = settings.Probe(fractions=[0.1], seeds=1, bootstrap=10)
    first, second = (evaluate(joined, {"x": matrix}, one)[1] for matrix in (features, spoiled))
    assert first.equals(second)


def test_without_a_scorable_validation_class_the_middle_strength_is_used():
    assert linear_probe.choose([np.zeros((4, 1))] * 5, np.zeros((4, 1), np.uint8)) == 2


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'merl'") as caught:
        linear_probe.check_protocol("mrel")
    assert "probe.protocol" in caught.value.fix


def test_the_shipped_settings_probe_all_shares_with_five_seeds_and_every_representation():
    shipped = settings.load(Path(__file__).resolve().parents[2] / "params/demo.yaml").probe
    assert (shipped.protocol, shipped.fractions, shipped.bootstrap) == ("canonical", [0.01, 0.1, 1.0], 1000)
    assert shipped.seeds >= 5
    assert len(shipped.C) == 8
    assert set(shipped.representations) == {"shared", "specific", "pooled"}
