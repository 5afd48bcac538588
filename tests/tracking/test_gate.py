"""The gate's rule by simulation: how far can quality fall over many candidates that are each slightly worse?"""

import numpy as np
import polars as pl
import pytest

from cgdmer.probing import comparison
from cgdmer.publishing import gate
from cgdmer.results import Interval

RECORDS, CANDIDATES, STEP = 400, 100, 0.02
"""Test records; candidates in a row; how much each separates the classes worse than the champion before."""


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        (0.0, 0.0, ""),
        (-0.019, 0.1, ""),
        (-0.021, 0.1, "not shown to be less than 0.02 worse"),
        (-0.01, -0.001, "worse"),
        (0.01, 0.02, ""),
    ],
)
def test_an_interval_decides(low, high, reason):
    assert gate.objection(Interval((low + high) / 2, low, high)) == reason


def predictions(separation: float, noise: np.ndarray) -> pl.DataFrame:
    """Predictions of one class whose scores separate positives from negatives by `separation` deviations."""
    positive = np.arange(RECORDS) % 2
    return pl.DataFrame(
        {
            "seed": 0,
            "id": [f"{i:04d}" for i in range(RECORDS)],
            "label/a": positive,
            "score/a": separation * positive + noise,
        }
    )


def promoted(*, with_reference: bool) -> float:
    """Return the separation of the champion after all candidates; the first champion has 2.0."""
    shared = np.random.default_rng(0).normal(size=RECORDS)  # what is hard about a record is so for every candidate
    separation, champion = 2.0, predictions(2.0, shared)
    reference = champion
    for number in range(1, CANDIDATES + 1):
        own = np.random.default_rng(number).normal(size=RECORDS)
        new = predictions(separation - STEP, 0.95 * shared + np.sqrt(1 - 0.95**2) * own)
        against = [champion, reference] if with_reference else [champion]
        drawn = [comparison.compare(new, other, 100) for other in against]
        accepted = not any(gate.objection(one) for one in drawn) if with_reference else not drawn[0].high < 0
        if accepted:
            separation, champion = separation - STEP, new
    return separation


def true_auroc(separation: float) -> float:
    """Area under the curve of two normal distributions that lie `separation` standard deviations apart."""
    from scipy.stats import norm

    return float(norm.cdf(separation / np.sqrt(2)))


def test_a_hundred_slightly_worse_candidates_cannot_sink_the_quality_far():
    # Beyond the margin each candidate still has a chance of 2.5 % at most, so the bound is not the margin itself.
    fall = true_auroc(2.0) - true_auroc(promoted(with_reference=True))
    unbounded = true_auroc(2.0) - true_auroc(promoted(with_reference=False))
    assert fall <= 1.5 * gate.MARGIN
    assert unbounded > 5 * gate.MARGIN  # what "not worse than the champion" alone lets through
