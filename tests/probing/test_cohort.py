"""Joining by id, and a clear error for each input that would give a meaningless number."""

import numpy as np
import polars as pl
import pytest

from cgdmer.errors import ConfigError, DataError
from cgdmer.probing.cohort import check_finite, cohort, scorable, tasks_of


def test_rows_and_labels_are_joined_by_id_whatever_the_order(index):
    ids = index["id"].to_list()[::-1]
    joined = cohort("cpsc2018", index, ids)
    assert joined.classes == ["AFIB", "VPC", "NORM", "STE"]
    for part, split in ((joined.train, "train"), (joined.val, "val"), (joined.test, "test")):
        expected = index.filter(pl.col("split") == split)
        assert part.ids == expected["id"].to_list() == [ids[row] for row in part.rows]
        np.testing.assert_array_equal(part.labels, expected.select(pl.col("^cpsc2018/.*$")).to_numpy())
    assert joined.without_features == 0


def test_quarantined_records_are_counted(index):
    assert cohort("cpsc2018", index, index["id"].to_list()[:-7]).without_features == 7


def test_a_class_missing_in_the_csv_order_is_found_by_name(index):
    turned = index.select(index.columns[:10] + index.columns[10:][::-1])
    joined = cohort("cpsc2018", turned, index["id"].to_list())
    place = joined.classes.index("AFIB")
    expected = index.filter(pl.col("split") == "test")["cpsc2018/AFIB"]
    np.testing.assert_array_equal(joined.test.labels[:, place], expected)


@pytest.mark.parametrize("ids", [["strange", "r5"], ["r5", "r5"], []], ids=["other records", "an id twice", "empty"])
def test_embeddings_of_other_records_are_refused(index, ids):
    with pytest.raises(DataError, match="other records than the index of cpsc2018") as caught:
        cohort("cpsc2018", index, ids)
    assert "dvc repro --force embed" in caught.value.fix


def test_a_task_whose_classes_are_missing_is_refused(index):
    with pytest.raises(DataError, match="no label column of task 'csn'"):
        cohort("csn", index, index["id"].to_list())


def test_an_unknown_task_is_refused_with_the_nearest(index):
    with pytest.raises(ConfigError, match="did you mean 'cpsc2018'"):
        cohort("cpsc2008", index, index["id"].to_list())


def test_a_test_set_of_one_kind_is_refused(index):
    constant = index.with_columns(
        pl.when(pl.col("split") == "test").then(i % 2).otherwise(pl.col(name)).cast(pl.UInt8).alias(name)
        for i, name in enumerate(index.columns[10:])
    )
    with pytest.raises(DataError, match="every class is all positive or all negative") as caught:
        cohort("cpsc2018", constant, index["id"].to_list())
    assert "corpora.cpsc2018.splits" in caught.value.fix


def test_an_empty_split_is_refused(index):
    held = index.filter(pl.col("split") != "val")
    with pytest.raises(DataError, match="no record of the val split"):
        cohort("cpsc2018", held, held["id"].to_list())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_by_record(index, features, value):
    features[17, 3] = value
    with pytest.raises(DataError, match=r"shared features of 1 records of cpsc2018 .*'r17'"):
        check_finite(features, index["id"].to_list(), "shared", "cpsc2018")


def test_scorable_needs_both_kinds():
    assert scorable(np.array([[0, 1, 1], [0, 1, 0]])).tolist() == [False, False, True]


def test_tasks_of_a_source():
    assert tasks_of("csn") == ["csn", "csn_exact"]
