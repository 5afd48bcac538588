"""The invariants of the index table."""

import numpy as np
import polars as pl
import pytest

from cgdmer import tables
from cgdmer.errors import DataError


def make_index(**changes) -> pl.DataFrame:
    content = {
        "id": ["1", "2", "3", "4"],
        "patient": ["a", "a", "b", "c"],
        "member": ["1.hea", "2.hea", "3.hea", "4.hea"],
        "fs": [500.0] * 4,
        "samples": [5000] * 4,
        "leads": [["I", "II"]] * 4,
        "report": ["", "x", "y", ""],
        "age": [50.0, None, 1.0, 2.0],
        "sex": ["male", None, "female", "male"],
        "split": ["train", "train", "test", ""],
    } | changes
    frame = pl.DataFrame(content, schema=tables.INDEX_COLUMNS)
    return frame.with_columns(
        pl.Series("csn/AF", [1, 0, None, 1], dtype=pl.UInt8), pl.Series("csn/SR", [0, 1, None, 1], dtype=pl.UInt8)
    )


def test_a_lawful_index_passes():
    tables.check_invariants(make_index(), "csn")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ["1", "1", "3", "4"]}, "1 ids occur more than once"),
        ({"patient": ["a", "a", "a", "c"]}, "1 patients are in more than one split"),
        ({"split": ["dev", "dev", "test", ""]}, "unknown split.*dev"),
    ],
)
def test_a_violated_invariant_is_named(changes, message):
    with pytest.raises(DataError, match=message):
        tables.check_invariants(make_index(**changes), "csn")


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="column 'age' is missing"):
        tables.check_invariants(make_index().drop("age"), "csn")


def test_labels_come_by_name_and_only_for_members():
    index = make_index()
    classes, matrix = tables.labels(tables.members(index, "csn"), "csn")
    assert classes == ["AF", "SR"]
    np.testing.assert_array_equal(matrix, [[1, 0], [0, 1]])
    with pytest.raises(DataError, match="not members of the task"):
        tables.labels(index, "csn")
    with pytest.raises(DataError, match="no label column of task 'cpsc2018'"):
        tables.labels(index, "cpsc2018")


def test_parquet_is_byte_stable_and_damage_is_named(tmp_path):
    path, again = tmp_path / "a.parquet", tmp_path / "b.parquet"
    tables.write(make_index(), path)
    tables.write(make_index(), again)
    assert path.read_bytes() == again.read_bytes()
    assert tables.read(path).equals(make_index())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.parquet is damaged"):
        tables.read(path)
    with pytest.raises(DataError, match="missing"):
        tables.read(tmp_path / "c.parquet")
