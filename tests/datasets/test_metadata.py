"""Metadata tables: text by name, and the words of age and sex."""

import polars as pl
import pytest

from cgdmer.archives import open_archive
from cgdmer.datasets import metadata
from cgdmer.errors import DataError


@pytest.mark.parametrize(
    ("text", "years"),
    [("61", 61.0), (" 61.5 ", 61.5), ("-1", None), ("NaN", None), ("Unknown", None), (None, None), ("inf", None)],
)
def test_age(text, years):
    assert pl.select(metadata.age(pl.lit(text, pl.String))).item() == years


@pytest.mark.parametrize(("text", "word"), [("Male", "male"), (" F ", "female"), ("Unknown", None), (None, None)])
def test_sex(text, word):
    assert pl.select(metadata.sex(pl.lit(text, pl.String))).item() == word


@pytest.mark.parametrize(("text", "whole"), [("15709.0", "15709"), ("15709", "15709"), ("1.5", "1.5"), ("10", "10")])
def test_integer(text, whole):
    assert pl.select(metadata.integer(pl.lit(text))).item() == whole


def test_a_table_is_text_by_name_in_its_own_order(tmp_path):
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbfb,a,r_1,x\n01,"q\xe4",,9\n')
    table = metadata.table(open_archive(tmp_path), "t.csv", ("a", "b"), also=r"r_\d")
    assert table.row(0, named=True) == {"b": "01", "a": "q\ufffd", "r_1": None}


def test_a_marker_that_lies_here_twice_is_not_chosen_between(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.csv").write_text("")
    with pytest.raises(DataError, match="more than once"):
        metadata.rooted(open_archive(tmp_path), "list.csv", "A corpus")
    assert metadata.rooted(open_archive(tmp_path / "one"), "list.csv", "A corpus").prefix == ""
