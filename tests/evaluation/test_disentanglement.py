"""Information planted in one kind of features is measured there and nowhere else."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from cgdmer.evaluation import disentanglement
from cgdmer.results import Interval

TEXTS = ["sinus rhythm. lvh. abnormal ecg.", "sinus rhythm. normal ecg.", "atrial fibrillation. abnormal ecg."]


def planted(n, seed):
    """Features whose shared part shows the statement and whose specific part shows nothing."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, (n, 2)).astype(np.int8)
    shared = np.hstack([labels + random.normal(0, 0.7, (n, 2)), random.normal(size=(n, 3))]).astype(np.float32)
    return {"shared": shared, "specific": random.normal(size=(n, 5)).astype(np.float32)}, labels


def test_statements_are_cut_at_periods():
    assert disentanglement.statements(TEXTS)[0] == {"sinus rhythm", "lvh", "abnormal ecg"}
    assert disentanglement.statements([""]) == [set()]


def test_labels_keep_what_both_groups_say_often_enough_but_not_always():
    names, first, second = disentanglement.labels(TEXTS * 2, TEXTS, 1)
    assert names == ["abnormal ecg", "atrial fibrillation", "lvh", "normal ecg", "sinus rhythm"]
    assert first[:3].tolist() == second.tolist() == [[1, 0, 1, 0, 1], [0, 0, 0, 1, 1], [1, 1, 0, 0, 0]]
    assert disentanglement.labels(TEXTS * 2, TEXTS, 2)[0] == []
    assert disentanglement.labels(["sinus rhythm."] * 9, ["sinus rhythm."] * 9, 1)[0] == []


def test_content_is_found_where_it_was_planted_and_equals_scikit_learn():
    fitted, labels = planted(400, 1)
    measured, other = planted(300, 2)
    intervals = disentanglement.content(fitted, measured, (labels, other), 200)
    assert intervals["shared"].mean > 0.8
    assert intervals["specific"].low < 0.5 < intervals["specific"].high
    assert intervals["shared minus specific"].low > 0.1
    x, y = (group["shared"].astype(float) for group in (fitted, measured))
    x, y = (x - x.mean(0)) / x.std(0), (y - x.mean(0)) / x.std(0)
    models = [LogisticRegression(C=disentanglement.C, tol=1e-8).fit(x, labels[:, k]) for k in range(2)]
    expected = np.mean([roc_auc_score(other[:, k], m.decision_function(y)) for k, m in enumerate(models)])
    assert intervals["shared"].mean == pytest.approx(expected, abs=1e-4)


def test_rebuilt_is_the_mean_over_records_with_a_paired_difference():
    shared, specific = np.array([1.0, 0.8, 0.9]), np.array([0.4, 0.2, 0.3])
    intervals = disentanglement.rebuilt(
        {"both": specific / 2, "shared": shared, "specific": specific, "neither": shared}, 100
    )
    assert intervals["shared"].mean == pytest.approx(0.9)
    assert intervals["shared minus specific"] == Interval(0.6, 0.6, 0.6)
    assert disentanglement.rebuilt({}, 100) == {}
