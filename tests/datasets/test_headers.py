"""Headers: a damaged one never stops the scan, and a missing length is taken from the signal."""

import random

import polars as pl
import pytest

from cgdmer.archives import open_archive
from cgdmer.datasets import headers
from cgdmer.errors import DataError


@pytest.fixture
def archive(tmp_path, write_record):
    write_record(tmp_path, "a/good", comments=("Age: 61",), samples=40)
    return open_archive(tmp_path)


def test_hundreds_of_damaged_headers_give_a_reason_or_a_record_and_never_stop(archive, tmp_path):
    good = (tmp_path / "a/good.hea").read_bytes()
    generator = random.Random(5)
    outcomes = set()
    for _ in range(400):
        damaged = bytearray(good)
        for _ in range(generator.randint(1, 6)):
            start = generator.randrange(len(damaged))
            damaged[start : start + generator.randint(0, 3)] = bytes(
                generator.randrange(256) for _ in range(generator.randint(0, 3))
            )
        (tmp_path / "a/good.hea").write_bytes(damaged)
        result = headers.read_one(archive, "a/good.hea")
        outcomes.add(result.reason is None)
        if result.reason is None:
            assert headers.MIN_FS <= result.fs <= headers.MAX_FS
            assert result.samples > 0
            assert result.leads
        else:
            assert result.reason
    assert outcomes == {True, False}


def test_a_header_without_a_length_takes_it_from_the_signal(archive, tmp_path):
    header = tmp_path / "a/good.hea"
    header.write_text(header.read_text().replace(" 500 40", " 500", 1))
    assert headers.read_one(archive, "a/good.hea").samples == 40


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((" 500 ", " 1e9 "), "sampling rate"),
        ((" 500 ", " 10 "), "sampling rate of 10 Hz"),
        (("1000/mV", "0/mV"), "zero gain"),
        (("0 V6", "0 V5"), "a lead occurs twice"),
        (("good.dat", "../good.dat"), "is not a plain file name"),
    ],
)
def test_reasons(archive, tmp_path, change, reason):
    header = tmp_path / "a/good.hea"
    header.write_text(header.read_text().replace(*change))
    assert reason in headers.read_one(archive, "a/good.hea").reason


def test_a_header_that_is_not_here_is_no_fault(archive):
    rows = pl.DataFrame({"id": ["1", "2"], "member": ["a/good.hea", "a/other.hea"]})
    scan = headers.scan(archive, rows, "csn")
    assert scan.frame["id"].to_list() == ["1"]
    assert scan.quarantine.is_empty()
    assert scan.facts["rows_without_signal"] == 1


def test_comments_are_found_by_key_whatever_their_spelling():
    lines = [["Age: 61", "Sex: Female", "Dx: 1,2 "], ["# dx:3"], ["Age:", "Prognosis Dx: 4"], []]
    frame = pl.DataFrame({"comments": lines}, schema={"comments": pl.List(pl.String)})
    assert frame.select(headers.comment("Dx")).to_series().to_list() == ["1,2", "3", None, None]
    assert frame.select(headers.comment("Age")).to_series().to_list() == ["61", None, "", None]


def test_a_table_that_names_no_file_says_so(archive):
    rows = pl.DataFrame({"id": ["1"], "member": [None]}, schema={"id": pl.String, "member": pl.String})
    with pytest.raises(DataError, match="no record of csn can be used: the table names no file"):
        headers.usable(headers.scan(archive, rows, "csn"), "csn", "records")
