"""Paired comparison: narrower than two separate intervals, and only of the same records."""

import numpy as np
import polars as pl
import pytest

from cgdmer.errors import DataError
from cgdmer.probing.comparison import compare, paired, share_above
from cgdmer.probing.seeds import trainings


def predictions(effect, n=200, seeds=2):
    """Return predictions with the same noise for every effect size."""
    rng = np.random.default_rng(0)
    labels = (rng.random((n, 2)) < 0.3).astype(np.uint8)
    noise = rng.normal(size=(seeds, n, 2))
    frames = []
    for seed in range(seeds):
        scores = (noise[seed] + effect * labels).astype(np.float32)
        columns = {f"score/{c}": scores[:, c] for c in range(2)} | {f"label/{c}": labels[:, c] for c in range(2)}
        frames.append(pl.DataFrame({"id": [f"r{i}" for i in range(n)], "seed": [seed] * n, **columns}))
    return pl.concat(frames)


def test_a_better_encoder_is_found_better():
    difference = compare(predictions(1.2), predictions(0.8), replicates=200)
    assert 0 < difference.low < difference.mean < difference.high
    assert difference.share_above == 1.0


def test_an_encoder_does_not_differ_from_itself_whatever_the_row_order():
    same = predictions(1.0)
    difference = compare(same, same.reverse(), replicates=50)
    assert (difference.mean, difference.low, difference.high, difference.share_above) == (0.0, 0.0, 0.0, 0.0)


def test_swapping_turns_the_sign():
    first, second = predictions(1.2), predictions(0.9)
    forth, back = compare(first, second, 100), compare(second, first, 100)
    assert (forth.mean, forth.low) == pytest.approx((-back.mean, -back.high))


def test_predictions_of_other_records_are_refused():
    with pytest.raises(DataError, match="same records, labels and seeds"):
        compare(predictions(1.0), predictions(1.0, n=199))


def test_predictions_with_other_labels_are_refused():
    first, corrected = predictions(1.0), predictions(1.0).with_columns((1 - pl.col("label/1")).alias("label/1"))
    with pytest.raises(DataError, match="same records, labels and seeds"):
        compare(first, corrected)
    with pytest.raises(DataError, match="same records, labels and subset seeds"):
        trainings([first, corrected], 20)
    one, other = trainings([first], 20), trainings([corrected], 20)
    assert one.keys != other.keys


def test_replicates_in_which_a_class_has_no_record_are_no_losses():
    """One positive record of six is absent from a third of the replicates, whose AUROC is not defined."""

    def table(scores):
        columns = {"id": [f"r{i}" for i in range(6)], "seed": [0] * 6, "score/a": np.array(scores, float)}
        return pl.DataFrame(columns | {"label/a": np.array([1, 0, 0, 0, 0, 0], np.uint8)})

    first, second = table([3, 2, 1, 0, -1, -2]), table([-3, 2, 1, 0, -1, -2])
    drawn = paired(first, second, 200)[1]
    assert 0.2 < np.isnan(drawn).mean() < 0.5
    assert compare(first, second, 200).share_above == 1.0
    assert compare(second, first, 200).share_above == 0.0
    assert share_above(np.full(3, np.nan)) == 0.0
    assert share_above(np.array([1.0, np.nan, -1.0, 2.0, 0.0])) == 0.5
