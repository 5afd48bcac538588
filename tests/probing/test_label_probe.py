"""The probe of one label: folds by patient, nested choice of C, and scikit-learn's numbers."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cgdmer.probing import label_probe
from cgdmer.probing.label_probe import FOLDS, Unfit, fit_label
from cgdmer.probing.patients import deal_one_label
from cgdmer.probing.solver import sigmoid

GRID = [0.001, 0.1, 10.0]


def cohort(n=160, width=12, seed=0, strength=1.0):
    """Return features, labels and patients with one to three recordings each."""
    draw = np.random.default_rng(seed)
    patients = np.array([f"p{number}" for number in draw.integers(0, n // 2, n)])
    features = draw.normal(size=(n, width)).astype(np.float32) * draw.uniform(0.1, 10, width).astype(np.float32)
    labels = (draw.random(n) < sigmoid(strength * features[:, 0] / features[:, 0].std() - 1)).astype(float)
    return features, labels, patients


def model(c):
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, tol=1e-10, max_iter=10_000))


def predicted(features, labels, folds, c):
    return cross_val_predict(model(c), features, labels, cv=PredefinedSplit(folds), method="decision_function")


@pytest.mark.parametrize("seed", range(2))
def test_scores_and_choice_of_strength_are_those_of_nested_cross_validation_in_scikit_learn(seed):
    features, labels, patients = cohort(seed=seed)
    fitted = fit_label(features, labels, patients, GRID, replicates=20)
    for fold in range(FOLDS):
        train = fitted.folds != fold
        inner = deal_one_label(patients[train], labels[train], FOLDS)
        losses = [log_loss(labels[train], sigmoid(predicted(features[train], labels[train], inner, c))) for c in GRID]
        own = model(GRID[int(np.argmin(losses))]).fit(features[train], labels[train])
        np.testing.assert_allclose(fitted.scores[~train], own.decision_function(features[~train]), atol=2e-3)
    assert fitted.numbers.auroc.mean == pytest.approx(roc_auc_score(labels, fitted.scores), abs=1e-6)
    outer = [log_loss(labels, sigmoid(predicted(features, labels, fitted.folds, c))) for c in GRID]
    assert GRID[int(np.argmin(outer))] == fitted.numbers.C


def test_the_kept_layer_is_scikit_learns_calibrated_classifier():
    features, labels, patients = cohort()
    fitted = fit_label(features, labels, patients, [0.1], replicates=20)
    calibrated = CalibratedClassifierCV(model(0.1), method="sigmoid", cv=PredefinedSplit(fitted.folds), ensemble=False)
    expected = calibrated.fit(features, labels).predict_proba(features)[:, 1]
    np.testing.assert_allclose(sigmoid(features @ fitted.coef + fitted.intercept), expected, atol=2e-3)


def test_the_interval_draws_patients():
    """Copies of every recording, in the name of the same patient, leave the interval as it is."""
    draw = np.random.default_rng(0)
    scores, labels = draw.normal(size=60), draw.integers(0, 2, 60).astype(float)
    patients = np.array([f"p{number:02}" for number in range(60)])
    once = label_probe.over_patients(scores, labels, patients, 50)
    thrice = label_probe.over_patients(np.tile(scores, 3), np.tile(labels, 3), np.tile(patients, 3), 50)
    np.testing.assert_allclose(thrice, once)


def test_a_rare_label_is_unfit_and_so_is_one_that_features_do_not_show():
    features, labels, patients = cohort()
    rare = np.where(np.arange(len(labels)) < 9, 1.0, 0.0)
    with pytest.raises(Unfit, match="9 patients with a yes"):
        fit_label(features, rare, [str(row) for row in range(len(labels))])
    with pytest.raises(Unfit, match="0 with a no"):
        fit_label(features, np.ones(len(labels)), patients)
    with pytest.raises(Unfit, match="do not tell it apart"):
        fit_label(np.zeros_like(features), labels, patients, GRID, replicates=20)


def test_calibration_helps_where_probabilities_are_too_sure():
    features, labels, patients = cohort(n=400, width=60)
    numbers = fit_label(features, labels, patients, [1000.0], replicates=20).numbers
    assert numbers.brier_calibrated < numbers.brier
    assert numbers.calibration_error_calibrated < numbers.calibration_error
    assert numbers.brier_calibrated < numbers.brier_constant
    assert numbers.auroc.low < numbers.auroc.mean < numbers.auroc.high


def test_patients_who_share_a_recording_are_one_also_through_others():
    patients = np.array(["c", "a", "b", "b", "d", "e", "d"])
    contents = np.array(["1", "1", "2", "1", "3", "4", "5"])
    assert label_probe.joined(patients, contents).tolist() == ["a", "a", "a", "a", "d", "e", "d"]
    assert label_probe.joined(patients, np.arange(7)).tolist() == patients.tolist()
