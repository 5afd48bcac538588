"""The page of a cross-validation states the verdict of each comparison."""

import pytest

from cgdmer.report import cross_validation


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.01, 0.1, "better than"), (-0.1, -0.01, "worse than"), (-0.1, 0.1, "distinguishable")]
)
def test_the_page_says_which_way_it_went(low, high, word):
    row = {"mean": 0.8, "low": 0.7, "high": 0.9, "per_class": {"a": 0.8, "b": 0.8}}
    result = {
        "task": "t", "folds": 5, "records": 10, "patients": 9, "positives": {"a": 3, "b": 4},
        "left_out": {"quarantined": 0, "same recording as another": 2}, "bootstrap": 50,
        "training": {"begins_from": "x", "params": {"epochs": 2}, "simulated_records": 4, "real_records": [8, 9]},
        "encoders": {"ours": {"pooled": row}, "other": {"pooled": row}},
        "differences": {"other": {"mean": (low + high) / 2, "low": low, "high": high}},
    }  # fmt: skip
    page = cross_validation.markdown(result)
    assert f"{word}" in page.splitlines()[-1]
    assert "2 same recording as another" in page
    assert "| ours | pooled | 0.800 | 0.700 to 0.900 | 0.800 | 0.800 |" in page
