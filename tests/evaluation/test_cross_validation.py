"""Cross-validation: patients stay in one fold, no record trains its own probe, intervals resample patients."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from cgdmer.evaluation import cross_validation
from cgdmer.probing import bootstrap
from cgdmer.probing.patients import deal, resampled

CLASSES = ["a", "b"]


def cohort(records=120, seed=0):
    draw = np.random.default_rng(seed)
    patients = [f"p{number}" for number in draw.integers(0, records * 3 // 4, records)]
    labels = draw.integers(0, 2, (records, 2)).astype(np.uint8)
    features = (labels @ draw.normal(size=(2, 6)) + draw.normal(size=(records, 6))).astype(np.float32)
    return patients, labels, features


def test_scores_are_those_of_scikit_learn_and_of_the_fold_s_own_encoder():
    patients, labels, features = cohort()
    dealt = deal(patients, labels)
    own = [features + fold for fold in range(5)]  # an encoder a fold; a shift is no information
    scores = cross_validation.out_of_fold(own, labels, dealt, [0.1])
    assert scores.C == [0.1] * 5
    for fold in range(5):
        rest, scale = dealt != fold, StandardScaler()
        scale.fit(features[rest])
        for c in range(2):
            head = LogisticRegression(C=0.1, tol=1e-8).fit(scale.transform(features[rest]), labels[rest, c])
            expected = head.decision_function(scale.transform(features[~rest]))
            assert np.allclose(scores.logits[~rest, c], expected, atol=2e-3)
    again = cross_validation.out_of_fold([features] * 5, labels, dealt, [0.1])
    assert np.allclose(again.logits, scores.logits, atol=1e-3)


def test_labels_of_a_fold_do_not_touch_its_scores_nor_its_strength():
    patients, labels, features = cohort()
    dealt = deal(patients, labels)
    C = [1e-4, 1e-2, 1.0]
    before = cross_validation.out_of_fold([features] * 5, labels, dealt, C)
    changed = labels.copy()
    changed[dealt == 2] = 1 - changed[dealt == 2]
    after = cross_validation.out_of_fold([features] * 5, changed, dealt, C)
    assert np.array_equal(before.logits[dealt == 2], after.logits[dealt == 2])
    assert before.C[2] == after.C[2]
    assert not np.array_equal(before.logits[dealt != 2], after.logits[dealt != 2])


def test_summary_and_difference_are_those_of_a_plain_bootstrap_of_patients():
    patients, labels, features = cohort()
    dealt = deal(patients, labels)
    good = cross_validation.out_of_fold([features] * 5, labels, dealt, [1.0])
    poor = cross_validation.out_of_fold([features[:, :1]] * 5, labels, dealt, [1.0])
    counts = resampled(patients, 200)
    summary, gap = (
        cross_validation.summary(good, labels, dealt, CLASSES, counts),
        cross_validation.difference(good, poor, labels, counts),
    )

    def plain(scores, weight):
        return np.mean([roc_auc_score(labels[:, c], scores.pooled[:, c], sample_weight=weight) for c in range(2)])

    assert summary["mean"] == pytest.approx(plain(good, None), abs=1e-6)
    assert gap["mean"] == pytest.approx(plain(good, None) - plain(poor, None), abs=2e-6)
    drawn = [(plain(good, w), plain(poor, w)) for w in counts.T]
    assert [summary["low"], summary["high"]] == pytest.approx(
        np.percentile([a for a, _ in drawn], [2.5, 97.5]), abs=1e-5
    )
    assert [gap["low"], gap["high"]] == pytest.approx(np.percentile([a - b for a, b in drawn], [2.5, 97.5]), abs=1e-5)
    assert len(summary["by_fold"]) == 5


def test_replicates_without_an_auroc_are_no_losses():
    labels = (np.arange(60) == 0)[:, None].astype(np.uint8)
    good, poor = (cross_validation.Scores(x, np.arange(60) % 5, [1.0] * 5) for x in (1.0 * labels, -1.0 * labels))
    counts = bootstrap.draws(60, 100)
    assert 0 < (counts[0] == 0).mean() < 1
    assert cross_validation.difference(good, poor, labels, counts)["share_above"] == 1.0


def test_the_c_of_a_fold_is_chosen_without_it_by_the_probes_of_the_other_folds():
    """A probe without two folds serves both; the choice is that of fitting each of them anew."""
    patients, labels, features = cohort(seed=3)
    dealt, grid = deal(patients, labels), [1e-4, 0.01, 1.0]
    chosen = cross_validation.out_of_fold([features] * 5, labels, dealt, grid).C
    for fold in range(5):
        train = np.flatnonzero(dealt != fold)
        auroc = []
        for c in grid:
            scores = np.zeros((len(train), 2))
            for other in set(dealt[train].tolist()):
                held_out, rest = dealt[train] == other, dealt[train] != other
                scale = StandardScaler().fit(features[train][rest])
                for k in range(2):
                    head = LogisticRegression(C=c, tol=1e-8).fit(
                        scale.transform(features[train][rest]), labels[train][rest, k]
                    )
                    scores[held_out, k] = head.decision_function(scale.transform(features[train][held_out]))
            auroc.append(np.mean([roc_auc_score(labels[train][:, k], scores[:, k]) for k in range(2)]))
        assert auroc[grid.index(chosen[fold])] == pytest.approx(max(auroc), abs=1e-4)


def test_scores_of_folds_whose_probes_differ_in_spread_are_comparable():
    """Logits of a fold may be a hundred times as large as those of another, or all equal."""
    draw = np.random.default_rng(5)
    folds, truth = np.arange(500) % 5, draw.integers(0, 2, (500, 1)).astype(np.uint8)
    logits = (truth + draw.normal(size=(500, 1))) * np.array([0.01, 1, 1, 1, 100.0])[folds][:, None]
    shifted = logits + 50 * (folds == 4)[:, None]
    fair = roc_auc_score(truth, cross_validation.comparable(logits, folds))
    each = np.mean([roc_auc_score(truth[folds == f], logits[folds == f]) for f in range(5)])
    assert fair == pytest.approx(each, abs=0.02)
    assert roc_auc_score(truth, shifted) < fair - 0.05
    assert roc_auc_score(truth, cross_validation.comparable(shifted, folds)) == pytest.approx(fair, abs=1e-9)
    assert not cross_validation.comparable(np.full((500, 1), 0.1, np.float32), folds).any()
