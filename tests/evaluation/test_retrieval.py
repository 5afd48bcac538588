"""Ranks against the naive double loop, in every block size, and inputs that could inflate the result."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.errors import DataError
from cgdmer.evaluation import retrieval


def unit(rng, *shape):
    vectors = rng.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def naive(ecg, report, group):
    """Rank by sorting every candidate of every query."""
    scores = ecg.astype(np.float64) @ report.astype(np.float64).T
    to_report, to_ecg = [], []
    for i, own in enumerate(group):
        texts, ecgs = scores[i, group], scores[:, own]
        same = group == own
        to_report.append(1 + (texts[~same] >= texts[same].max() - retrieval.TIE).sum())
        to_ecg.append(1 + (ecgs[~same] >= ecgs[same].max() - retrieval.TIE).sum())
    return to_report, to_ecg


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 12), st.integers(1, 50))
@settings(max_examples=40)
def test_blocks_equal_the_naive_way(seed, n, texts, block):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, texts, n)
    ecg, report = unit(rng, n, 8), unit(rng, texts, 8)
    computed = retrieval.ranks(ecg, report, group, block)
    to_report, to_ecg = naive(ecg, report, group)
    assert computed.ecg_to_report.tolist() == to_report
    assert computed.report_to_ecg.tolist() == to_ecg


def test_identical_reports_are_all_right():
    report = np.eye(3, dtype=np.float32)
    group = np.array([0, 0, 0, 1, 2])
    computed = retrieval.ranks(report[group], report, group)
    assert computed.ecg_to_report.tolist() == computed.report_to_ecg.tolist() == [1] * 5


def test_a_constant_encoder_ranks_last():
    ecg, report = np.tile(unit(np.random.default_rng(0), 1, 8), (30, 1)), unit(np.random.default_rng(1), 1, 8)
    computed = retrieval.ranks(ecg, np.tile(report, (30, 1)), np.arange(30), block=7)
    assert set(computed.ecg_to_report) == set(computed.report_to_ecg) == {30}


def test_summary_counts_recall_median_and_chance():
    group = np.array([0, 0, 1, 2])
    ranks = retrieval.Ranks(np.array([1, 3, 6, 11]), np.array([1, 1, 2, 2]))
    computed = retrieval.summarise(ranks, group, [1, 5, 10])
    assert computed["ecg_to_report"] == {"recall": {"1": 0.25, "5": 0.5, "10": 0.75}, "median_rank": 4.5}
    assert computed["report_to_ecg"] == {"recall": {"1": 0.5, "5": 1.0, "10": 1.0}, "median_rank": 1.5}
    assert (computed["n"], computed["distinct_reports"], computed["chance_recall_at_1"]) == (4, 3, 0.375)


def test_nearest_reports_come_best_first():
    order, scores = retrieval.nearest(np.array([[0.6, 0.8]]), np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), 2)
    assert order.tolist() == [[1, 0]]
    np.testing.assert_allclose(scores, [[0.8, 0.6]])


def test_one_report_for_all_records_cannot_be_ranked():
    with pytest.raises(DataError, match="different reports"):
        retrieval.ranks(np.ones((5, 2)), np.ones((1, 2)), np.zeros(5, int))


def test_vectors_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="not finite"):
        retrieval.ranks(np.full((3, 2), np.nan), np.ones((2, 2)), np.array([0, 1, 1]))


def test_memory_grows_with_the_records_and_not_with_their_square():
    """A matrix of all similarities would take 1.6 GB here."""
    rng, n = np.random.default_rng(0), 20_000
    ecg, report = unit(rng, n, 4), unit(rng, n, 4)
    tracemalloc.start()
    computed = retrieval.ranks(ecg, report, np.arange(n))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert np.median(computed.ecg_to_report) == pytest.approx(n / 2, rel=0.1)
