"""Paired comparison: narrower than the two intervals apart, and only of like with like."""

import numpy as np
import polars as pl
import pytest

from cgdmer.errors import DataError
from cgdmer.probing.comparison import compare


def predictions(strength, n=200, seeds=2):
    """Return predictions with the same noise for every strength of signal."""
    rng = np.random.default_rng(0)
    labels = (rng.random((n, 2)) < 0.3).astype(np.uint8)
    noise = rng.normal(size=(seeds, n, 2))
    frames = []
    for seed in range(seeds):
        scores = (noise[seed] + strength * labels).astype(np.float32)
        columns = {f"score/{c}": scores[:, c] for c in range(2)} | {f"label/{c}": labels[:, c] for c in range(2)}
        frames.append(pl.DataFrame({"id": [f"r{i}" for i in range(n)], "seed": [seed] * n, **columns}))
    return pl.concat(frames)


def test_a_better_encoder_is_found_better():
    found = compare(predictions(1.2), predictions(0.8), replicates=200)
    assert 0 < found.low < found.mean < found.high
    assert found.share_above == 1.0


def test_an_encoder_does_not_differ_from_itself_whatever_the_row_order():
    same = predictions(1.0)
    found = compare(same, same.reverse(), replicates=50)
    assert (found.mean, found.low, found.high, found.share_above) == (0.0, 0.0, 0.0, 0.0)


def test_swapping_turns_the_sign():
    first, second = predictions(1.2), predictions(0.9)
    forth, back = compare(first, second, 100), compare(second, first, 100)
    assert (forth.mean, forth.low) == pytest.approx((-back.mean, -back.high))


def test_predictions_of_other_records_are_refused():
    with pytest.raises(DataError, match="same records and seeds"):
        compare(predictions(1.0), predictions(1.0, n=199))
