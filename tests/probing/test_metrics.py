"""AUROC, average precision and F1 against scikit-learn, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from cgdmer.probing import metrics


@given(st.integers(0, 10**6), st.integers(4, 60), st.booleans())
@settings(max_examples=40)
def test_auroc_and_auprc_equal_scikit_learn(seed, n, ties):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 3)).astype(np.float32)
    if ties:
        scores = np.round(scores)
    labels = (rng.random((n, 3)) < 0.4).astype(np.uint8)
    labels[0], labels[1] = 1, 0
    for c in range(3):
        assert metrics.auroc(scores, labels)[c] == pytest.approx(roc_auc_score(labels[:, c], scores[:, c]), abs=1e-12)
        expected = average_precision_score(labels[:, c], scores[:, c])
        assert metrics.auprc(scores, labels)[c] == pytest.approx(expected, abs=1e-12)


def test_a_class_without_positives_or_negatives_is_nan_and_left_out_of_the_macro():
    scores = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    labels = np.array([[0, 0, 1], [1, 0, 1]], np.uint8)
    values = metrics.auroc(scores, labels)
    assert values[0] == 1.0
    assert np.isnan(values[1:]).all()
    assert metrics.macro(values) == 1.0
    assert np.isnan(metrics.macro(values[1:]))


def test_threshold_gives_the_best_f1_there_is():
    rng = np.random.default_rng(3)
    labels = (rng.random((80, 2)) < 0.3).astype(np.uint8)
    scores = rng.normal(size=(80, 2)) + labels
    thresholds = metrics.best_thresholds(scores, labels)
    values = metrics.f1(scores, labels, thresholds)
    for c in range(2):
        every = [f1_score(labels[:, c], scores[:, c] >= threshold) for threshold in scores[:, c]]
        assert values[c] == pytest.approx(max(every), abs=1e-12)


def test_a_class_without_validation_positive_is_never_called():
    thresholds = metrics.best_thresholds(np.zeros((4, 1)), np.zeros((4, 1), np.uint8))
    assert metrics.f1(np.ones((2, 1)), np.ones((2, 1), np.uint8), thresholds)[0] == 0.0
