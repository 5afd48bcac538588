"""Calibration: Platt's sigmoid as scikit-learn fits it, Brier score, calibration error, another prevalence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import _SigmoidCalibration
from sklearn.metrics import brier_score_loss

from cgdmer.probing import calibration
from cgdmer.probing.solver import sigmoid


def drawn(n=300, seed=0, slope=0.4, offset=-1.0):
    draw = np.random.default_rng(seed)
    logits = draw.normal(scale=3.0, size=n)
    return logits, (draw.random(n) < sigmoid(slope * logits + offset)).astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_the_sigmoid_is_scikit_learns(seed):
    logits, labels = drawn(seed=seed)
    other = _SigmoidCalibration().fit(logits, labels)
    assert calibration.platt(logits, labels) == pytest.approx((-other.a_, -other.b_), abs=2e-3)


def test_a_known_sigmoid_is_recovered():
    assert calibration.platt(*drawn(n=40_000)) == pytest.approx((0.4, -1.0), abs=0.05)


def test_separated_labels_have_a_finite_slope_and_equal_logits_none():
    slope, _ = calibration.platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert 0 < slope < 5
    labels = np.array([0.0] * 8 + [1.0] * 2)
    slope, offset = calibration.platt(np.full(10, 3.0), labels)
    assert slope == 0
    assert sigmoid(offset) == pytest.approx((8 / 10 + 2 * 3 / 4) / 10)


def test_brier_and_calibration_error_against_loops():
    logits, labels = drawn()
    chances = sigmoid(logits)
    assert calibration.brier(chances, labels) == pytest.approx(brier_score_loss(labels, chances))
    order, total = np.argsort(chances), 0.0
    for begin in range(0, 300, 30):
        rows = order[begin : begin + 30]
        total += abs(chances[rows].mean() - labels[rows].mean()) * 30 / 300
    assert calibration.calibration_error(chances, labels) == pytest.approx(total)
    assert calibration.calibration_error(labels, labels) == 0
    assert calibration.calibration_error(np.array([0.1, 0.5, 0.6]), np.array([0.0, 1.0, 1.0])) == pytest.approx(1 / 3)
    assert calibration.calibration_error(np.array([0.5, 0.5, 0.5]), np.array([0.0, 1.0, 1.0])) == pytest.approx(1 / 6)


def test_the_calibration_error_of_tied_probabilities_does_not_depend_on_the_order_of_the_rows():
    draw = np.random.default_rng(3)
    labels = np.repeat([1.0, 0.0], [16, 34])
    assert calibration.calibration_error(np.full(50, 0.32), labels) == pytest.approx(0)
    probabilities = draw.choice([0.1, 0.4, 0.9], 50)
    orders = [draw.permutation(50) for _ in range(5)]
    errors = [calibration.calibration_error(probabilities[rows], labels[rows]) for rows in orders]
    by_value = [abs((probabilities - labels)[probabilities == value].sum()) / 50 for value in (0.1, 0.4, 0.9)]
    assert errors == pytest.approx([sum(by_value)] * 5)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 20.0))
def test_another_prevalence_is_bayes_rule(fitted, known, ratio):
    """The odds at a prevalence are the likelihood ratio of the recording times the odds of the prevalence."""
    at_fitted = np.log(ratio) + calibration.log_odds(fitted)
    expected = ratio * known / (ratio * known + 1 - known)
    assert sigmoid(at_fitted + calibration.prevalence_shift(fitted, known)) == pytest.approx(expected)
