"""The matrix bootstrap against resampling records one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.probing import bootstrap, metrics


@given(st.integers(0, 10**6), st.integers(5, 50), st.sampled_from([0.1, 0.5, 0.9]), st.booleans())
@settings(max_examples=30)
def test_replicates_equal_auroc_of_the_resampled_records(seed, n, share, ties):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(n, 2)).astype(np.float32), (rng.random((n, 2)) < share).astype(np.uint8)
    if ties:
        scores = np.round(scores)
    counts = bootstrap.draws(n, 6)
    assert (counts.sum(axis=0) == n).all()
    computed = bootstrap.auroc(scores, labels, counts)
    for replicate in range(6):
        rows = np.repeat(np.arange(n), counts[:, replicate].astype(int))
        np.testing.assert_allclose(computed[replicate], metrics.auroc(scores[rows], labels[rows]), atol=1e-12)


def test_kept_draws_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        bootstrap.draws(12, 3)[0, 0] = 1.0


def test_replicates_without_a_class_are_skipped_not_scored():
    labels = np.zeros((30, 2), np.uint8)
    labels[0, 0], labels[::2, 1] = 1, 1
    computed = bootstrap.auroc(np.random.default_rng(0).normal(size=(30, 2)), labels, bootstrap.draws(30, 200))
    missing = np.isnan(computed[:, 0])
    assert 0.2 < missing.mean() < 0.5
    np.testing.assert_array_equal(bootstrap.macro(computed)[missing], computed[missing, 1])
    assert np.isnan(bootstrap.macro(np.full((3, 2), np.nan))).all()


def test_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels = (rng.random((150, 1)) < 0.4).astype(np.uint8)
        scores = rng.normal(size=(150, 1)) + labels  # the true AUROC is P(N(1, 2) > 0)
        drawn = bootstrap.auroc(scores, labels, bootstrap.draws(150, 200))
        computed = bootstrap.interval(metrics.auroc(scores, labels)[0], bootstrap.macro(drawn))
        hits += computed.low <= 0.7602 <= computed.high
    assert 51 <= hits <= 60


def test_sets_of_weights_widen_the_interval_and_keep_their_seeds_together():
    replicated = np.random.default_rng(1).normal(0.8, 0.01, size=(1, 3, 400))
    np.testing.assert_array_equal(bootstrap.over_seeds(replicated), bootstrap.over_seeds(replicated[0]))
    shifted = np.concatenate([replicated - 0.1, replicated + 0.1])
    assert bootstrap.over_seeds(shifted).std() > 4 * bootstrap.over_seeds(replicated[0]).std()
    assert bootstrap.over_seeds(shifted).mean() == pytest.approx(0.8, abs=0.02)


def test_seeds_widen_the_interval_and_one_seed_is_the_plain_bootstrap():
    replicated = np.random.default_rng(1).normal(0.8, 0.01, size=(1, 500))
    np.testing.assert_array_equal(bootstrap.over_seeds(replicated), replicated[0])
    shifted = np.concatenate([replicated - 0.1, replicated + 0.1])
    assert bootstrap.over_seeds(shifted).std() > 4 * replicated.std()
    assert bootstrap.over_seeds(shifted).mean() == pytest.approx(0.8, abs=0.02)


def test_no_replicate_left_says_that_nothing_is_known():
    computed = bootstrap.interval(0.7, np.full(10, np.nan))
    assert (computed.mean, computed.low, computed.high) == (0.7, 0.0, 1.0)
