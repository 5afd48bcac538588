"""Parse SHA256SUMS.txt."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.acquisition import listing
from cgdmer.errors import DataError

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "line", [f"{A} x/y.dat", f"{A}  x/y.dat", f"{A} *x/y.dat", f"{A.upper()} ./x/y.dat\r", f"\n{A} x/y.dat"]
)
def test_the_forms_that_sha256sum_and_physionet_write(line):
    assert listing.parse(line + "\n", "list") == {"x/y.dat": A}


def test_paths_are_sorted_and_filtered():
    text = f"{A} b/2 x.dat\n{B} a/1.dat\n{A} c.csv\n"
    assert list(listing.parse(text, "list")) == ["a/1.dat", "b/2 x.dat", "c.csv"]
    assert list(listing.parse(text, "list", r"\.dat$")) == ["a/1.dat", "b/2 x.dat"]


def test_one_path_with_two_sums_is_refused():
    with pytest.raises(DataError, match="line 2: x is listed with two checksums"):
        listing.parse(f"{A} x\n{B} x\n", "list")


@given(st.text(max_size=80))
def test_whatever_is_listed_stays_inside(path):
    try:
        names = listing.parse(f"{A} {path}\n", "list")
    except DataError:
        return
    for name in names:
        assert not name.startswith("/")
        assert ".." not in name.split("/")
        assert "\\" not in name


def test_the_list_of_the_real_corpus_fits_its_files(real):
    text = (real / "ptbxl/SHA256SUMS.txt").read_text()
    sums = listing.parse(text, "SHA256SUMS.txt", "^records")
    there = {path: digest for path, digest in sums.items() if (real / "ptbxl" / path).is_file()}
    assert len(there) > 300
    for path in list(there)[::40]:
        assert hashlib.sha256((real / "ptbxl" / path).read_bytes()).hexdigest() == there[path]
