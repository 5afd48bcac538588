"""Folds and replicates: the recordings of one patient stay together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from cgdmer.errors import DataError
from cgdmer.probing.patients import FOLDS, deal, deal_one_label, resampled


def cohort(records=120, seed=0):
    draw = np.random.default_rng(seed)
    patients = [f"p{number}" for number in draw.integers(0, records * 3 // 4, records)]
    return patients, draw.integers(0, 2, (records, 2)).astype(np.uint8)


@limits(max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_patients_stay_together_and_folds_are_alike(seed):
    patients, labels = cohort(seed=seed)
    dealt = deal(patients, labels)
    assert len({(patient, fold) for patient, fold in zip(patients, dealt, strict=True)}) == len(set(patients))
    kinds = {patient: tuple(labels[[p == patient for p in patients]].max(0)) for patient in patients}
    for kind in set(kinds.values()):
        each = [sum(kinds[p] == kind for p in set(patients) if dealt[patients.index(p)] == f) for f in range(5)]
        assert max(each) - min(each) <= 1
    assert np.array_equal(dealt[::-1], deal(patients[::-1], labels[::-1]))


def test_too_few_patients_are_refused():
    with pytest.raises(DataError, match="4 patients for 5 folds"):
        deal(["a", "b", "c", "d", "d"], np.ones((5, 1), np.uint8))


@given(st.integers(0, 1000), st.integers(20, 120), st.integers(2, 6))
def test_no_patient_is_in_two_folds_and_each_fold_has_its_share(seed, n, folds):
    draw = np.random.default_rng(seed)
    patients = [f"p{number}" for number in draw.integers(0, n // 2, n)]
    labels = draw.integers(0, 2, n).astype(float)
    chosen = deal_one_label(patients, labels, folds)
    for patient in set(patients):
        assert len({fold for fold, one in zip(chosen, patients, strict=True) if one == patient}) == 1
    alone = deal_one_label([str(number) for number in range(n)], labels, folds)
    for value in (0, 1):
        sizes = np.bincount(alone[labels == value], minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_folds_do_not_depend_on_the_order_of_the_rows():
    names, matrix = cohort()
    patients, labels = np.array(names), matrix[:, 0].astype(float)
    order = np.random.default_rng(1).permutation(len(labels))
    np.testing.assert_array_equal(
        deal_one_label(patients, labels, FOLDS)[order], deal_one_label(patients[order], labels[order], FOLDS)
    )


def test_a_patient_s_records_are_resampled_together():
    patients = ["x", "y", "x", "z", "y", "x"]
    counts = resampled(patients, 300)
    assert np.array_equal(counts[0], counts[2])
    assert np.array_equal(counts[1], counts[4])
    assert (counts[[0, 1, 3]].sum(0) == 3).all()
