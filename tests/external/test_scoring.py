"""Scores on a planted set: what is known is found, rare classes are left out, sets of weights are averaged."""

from typing import ClassVar

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer.evaluation import cross_validation
from cgdmer.external import scoring
from cgdmer.external.external_set import ExternalSet, Labels, Origin
from cgdmer.external.results import RealTask
from cgdmer.probing.patients import deal
from cgdmer.probing.seeds import Trainings

N = 150
C = [0.01, 1.0]


@pytest.fixture(scope="module")
def planted():
    draw = np.random.default_rng(2)
    matrix = (draw.random((N, 4)) < [0.5, 0.3, 0.5, 0.02]).astype(np.uint8)
    matrix[:, 2] = 1
    members = np.arange(N) % 10 != 0
    good = draw.normal(size=(N, 6)).astype(np.float32)
    good[:, :2] += 2 * matrix[:, :2]
    noise = [draw.normal(size=(N, 6)).astype(np.float32) for _ in range(3)]
    encoders = {
        "cgdmer": [{"pooled": good, "shared": good[:, :1]}],
        "random": [{"pooled": one} for one in noise],
        "handcrafted": [{"pooled": good + 0.1}],
    }
    return Labels(list("abcd"), matrix, members), [f"p{i // 2}" for i in range(N)], encoders


def test_a_task_is_scored_on_its_members_and_classes_with_enough_records(planted):
    labels, patients, encoders = planted
    task = scoring.score_task(scoring.members(labels, patients, 100), encoders, C)
    assert isinstance(task, RealTask)
    assert (task.records, task.patients) == (135, 75)
    assert list(task.positives) == ["a", "b"]
    assert list(task.left_out) == ["c", "d"]
    cell = task.encoders["cgdmer"]["pooled"]
    assert cell.low > 0.8
    assert cell.mean == pytest.approx(np.mean(list(cell.per_class.values())), abs=1e-5)
    random = task.encoders["random"]["pooled"]
    assert len(random.by_weights) == 3
    assert random.mean == pytest.approx(np.mean(random.by_weights), abs=1e-5)
    assert task.differences["random"].low > 0.2
    same = task.differences["handcrafted"]  # a shift is no information
    assert abs(same.mean) < 1e-3
    assert task.encoders["cgdmer"]["shared"].mean < cell.mean


def test_the_scores_are_out_of_fold(planted):
    labels, patients, encoders = planted
    rows = np.flatnonzero(labels.members)
    task = scoring.score_task(scoring.members(labels, patients, 20), {"cgdmer": encoders["cgdmer"]}, [0.1])
    matrix, owners = labels.matrix[rows][:, :2], [patients[row] for row in rows]
    folds = deal(owners, matrix)
    features = [encoders["cgdmer"][0]["pooled"][rows]] * 5
    logits = cross_validation.out_of_fold(features, matrix, folds, [0.1]).pooled
    expected = [roc_auc_score(matrix[:, c], logits[:, c]) for c in range(2)]
    assert list(task.encoders["cgdmer"]["pooled"].per_class.values()) == pytest.approx(expected, abs=1e-5)


def test_with_too_few_records_there_is_no_task(planted):
    labels, patients, _ = planted
    few = Labels(labels.classes, labels.matrix, np.arange(N) < 8)
    assert scoring.members(few, patients, 10) is None


def test_records_are_encoded_in_batches_with_their_lengths_and_measured():
    class Counting:
        dims: ClassVar = {"pooled": 2, "aligned": 1}

        def encode(self, signal, leads=None, valid=None):
            assert signal.dtype == np.float32
            return {"pooled": np.column_stack([signal[:, 0, 0], valid]), "aligned": valid[:, None]}

    draw = np.random.default_rng(0)
    ages = draw.uniform(20, 90, N)
    signals = np.zeros((N, 12, 8), np.int16)
    signals[:, 0, 0] = np.rint(ages * 100)
    real = ExternalSet(Origin("t", "1", "l", "x"), [str(i) for i in range(N)], signals, np.arange(N),
                       measurements={"age": ages})  # fmt: skip
    features = scoring.encode(Counting(), real, 32)
    assert set(features) == {"pooled", "aligned"}
    np.testing.assert_allclose(features["pooled"][:, 0], ages / 10, atol=0.01)
    np.testing.assert_array_equal(features["pooled"][:, 1], np.arange(N))
    measured = scoring.score_measurements(real, {"cgdmer": [{"pooled": features["pooled"]}]}, 50)
    assert measured["age"].encoders["cgdmer"]["pooled"].r2.low > 0.99
    assert measured["age"].n_test == N


@pytest.mark.parametrize("values", [[0.999, 0.93, 0.999], [0.02, 0.01, 0.2]])
def test_an_interval_of_few_sets_of_weights_stays_between_0_and_1(values):
    points = np.array(values)
    drawn = np.clip(points[:, None] + np.random.default_rng(0).normal(0, 0.01, (3, 1000)), 0, 1)
    cell = scoring.cell(scoring.Scored(points[:, None], Trainings(points, drawn, 25)), ["AFIB"])
    assert 0 <= cell.low < cell.mean < cell.high <= 1
