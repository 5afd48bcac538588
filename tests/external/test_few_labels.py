"""Few labels and none: planted knowledge is found, draws hold whole patients, and foreign probes are left out."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from cgdmer.evaluation.cross_validation import comparable
from cgdmer.external import few_labels, scoring
from cgdmer.external.external_set import Labels
from cgdmer.probing import linear_probe_io
from cgdmer.probing.linear_probe_io import FittedLayer, FittedProbe
from cgdmer.probing.patients import FOLDS, deal

N = 200


@pytest.fixture(scope="module")
def planted():
    """Return a task of two classes, and an encoder that knows them in its first features beside one of noise."""
    draw = np.random.default_rng(3)
    matrix = (draw.random((N, 2)) < [0.5, 0.3]).astype(np.uint8)
    good = draw.normal(size=(N, 5)).astype(np.float32)
    good[:, :2] += 2 * matrix
    labels = Labels(["a", "b"], matrix, np.ones(N, bool))
    task = scoring.members(labels, [f"p{i // 2}" for i in range(N)], 50)
    noise = [draw.normal(size=(N, 5)).astype(np.float32) for _ in range(2)]
    return task, {"cgdmer": [{"pooled": good}], "random": [{"pooled": one} for one in noise]}


def test_a_draw_holds_whole_patients_of_the_allowed_rows_and_changes_with_its_number(planted):
    task, _ = planted
    allowed = np.arange(N) % 10 > 1  # whole patients
    rows = few_labels.draw(task.patients, allowed, 20, 0)
    assert len(rows) == 20
    assert allowed[rows].all()
    owners = [task.patients[row] for row in rows]
    assert all(owners.count(owner) == 2 for owner in owners)
    assert list(rows) == list(few_labels.draw(task.patients, allowed, 20, 0))
    assert list(rows) != list(few_labels.draw(task.patients, allowed, 20, 1))
    assert set(rows) < set(few_labels.draw(task.patients, allowed, 50, 0).tolist())


def test_the_learning_curve_rises_and_stops_at_half_of_the_records(planted):
    task, encoders = planted
    curve = few_labels.learning_curve(task, encoders, [0.01, 1.0], "cgdmer")
    assert list(curve) == ["20", "50", "100"]
    assert all(len(one.encoders["cgdmer"].by_weights) == few_labels.DRAWS for one in curve.values())
    assert curve["100"].encoders["cgdmer"].mean > curve["20"].encoders["cgdmer"].mean > 0.7
    assert curve["100"].differences["random"].low > 0.2
    assert "cgdmer" not in curve["100"].differences


def test_probes_are_fitted_on_the_drawn_records_alone(planted):
    task, encoders = planted
    curve = few_labels.learning_curve(task, {"cgdmer": encoders["cgdmer"]}, [0.1], "cgdmer")
    folds = deal(task.patients, task.matrix)
    features = encoders["cgdmer"][0]["pooled"].astype(np.float64)
    expected = []
    for number in range(few_labels.DRAWS):
        logits = np.zeros((N, 2))
        for fold in range(FOLDS):
            rows = few_labels.draw(task.patients, folds != fold, 20, number)
            mean, scale = features[rows].mean(0), features[rows].std(0)
            for c in range(2):
                probe = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000)
                probe.fit((features[rows] - mean) / scale, task.matrix[rows, c])
                logits[folds == fold, c] = probe.decision_function((features[folds == fold] - mean) / scale)
        scores = comparable(logits, folds)
        expected.append(np.mean([roc_auc_score(task.matrix[:, c], scores[:, c]) for c in range(2)]))
    assert curve["20"].encoders["cgdmer"].by_weights == pytest.approx(expected, abs=2e-4)


def test_patients_with_so_many_records_that_one_fold_has_all_drawn_ones_are_scored_with_the_middle_c():
    random = np.random.default_rng(0)
    folds = np.repeat(np.arange(FOLDS), 20)
    patients, features = [f"p{fold}" for fold in folds], random.normal(size=(100, 4)).astype(np.float32)
    labels = (features[:, :1] > 0).astype(np.uint8)
    drawn = [few_labels.draw(patients, folds != fold, 20, 0) for fold in range(FOLDS)]
    assert all(len(set(folds[rows])) == 1 for rows in drawn)
    grid = [1e-4, 1.0, 1e4]
    scores = few_labels._out_of_fold((scoring.FoldJob(features, labels, folds, grid), drawn))
    middle = few_labels._out_of_fold((scoring.FoldJob(features, labels, folds, grid[1:2]), drawn))
    np.testing.assert_allclose(scores, middle, rtol=1e-4, atol=1e-5)
    assert roc_auc_score(labels, scores) > 0.9


def test_zero_shot_is_the_cosine_with_the_prompt_of_each_class(planted):
    task, encoders = planted
    aligned, prompts = encoders["cgdmer"][0]["pooled"], np.eye(5)[:2]
    told = few_labels.by_prompts(task, {"cgdmer": aligned}, {"cgdmer": prompts}, "cgdmer")
    cosines = aligned / np.linalg.norm(aligned, axis=1, keepdims=True)
    expected = [roc_auc_score(task.matrix[:, c], cosines[:, c]) for c in range(2)]
    assert list(told.encoders["cgdmer"].per_class.values()) == pytest.approx(expected, abs=1e-5)
    assert told.differences == {}
    assert few_labels.by_prompts(task, {}, {}, "cgdmer") is None


def test_a_probe_of_simulated_labels_is_applied_by_the_names_of_its_classes(planted):
    task, encoders = planted
    layer = FittedLayer(np.eye(5)[:, [4, 1, 0]], np.array([9.0, 5.0, 1.0]))
    probe = FittedProbe("t", ["other", "b", "a"], "cgdmer", "", {"pooled": layer})
    told = few_labels.by_simulated_labels(task, encoders, {"cgdmer": probe, "random": probe}, "cgdmer")
    features = encoders["cgdmer"][0]["pooled"]
    expected = {name: roc_auc_score(task.matrix[:, c], features[:, c]) for c, name in enumerate("ab")}
    assert told.encoders["cgdmer"].per_class == pytest.approx(expected, abs=1e-5)
    assert told.differences["random"].low > 0.2
    without = FittedProbe("t", ["other", "b", "c"], "cgdmer", "", {"pooled": layer})
    assert few_labels.by_simulated_labels(task, encoders, {"cgdmer": without}, "cgdmer") is None


def test_probes_of_other_weights_or_features_are_left_out_with_a_warning(tmp_path, caplog):
    layer = FittedLayer(np.zeros((5, 1)), np.zeros(1))
    digests = {"cgdmer": "new", "old": "old", "handcrafted": "", "narrow": ""}
    for name, digest in digests.items():
        probe = FittedProbe("t", ["a"], name, digest, {"pooled": layer})
        linear_probe_io.save(tmp_path / f"{name}.probe.safetensors", probe)
    files = {name: tmp_path / f"{name}.probe.safetensors" for name in digests}
    dims = {"cgdmer": 5, "old": 5, "handcrafted": 5, "narrow": 4}
    probes = few_labels.read_probes(files, {"cgdmer": "new", "old": "newer"}, dims)
    assert list(probes) == ["cgdmer", "handcrafted"]
    assert "fitted for other weights of old; dvc repro probe" in caplog.text
    assert "fitted for other features of narrow; dvc repro probe" in caplog.text
