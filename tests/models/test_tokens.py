"""Tokenizers: trained from scratch, saved, the same bytes each time."""

import subprocess
import sys

import numpy as np
import pytest

from cgdmer.errors import DataError
from cgdmer.models import tokens

REPORTS = ["Sinus rhythm. Normal ECG.", "Atrial fibrillation with rapid response", "Sinusrhythmus. Linkstyp"] * 4


def test_round_trip_through_the_file(tmp_path):
    trained = tokens.train(REPORTS, 200, 12)
    trained.save(tmp_path)
    read = tokens.load(tmp_path, 12)
    assert np.array_equal(trained(REPORTS), read(REPORTS))
    assert len(read) == len(trained) <= 200
    assert (read.pad, read.mask, read.special_ids) == (trained.pad, trained.mask, trained.special_ids)


def test_case_does_not_matter_and_unknown_words_do_not_fail():
    trained = tokens.train(REPORTS, 200, 12)
    assert np.array_equal(trained(["SINUS RHYTHM"]), trained(["sinus rhythm"]))
    assert trained(["心電図", ""]).shape[0] == 2


def test_rows_are_padded_to_eight_and_cut_to_the_length():
    trained = tokens.train(REPORTS, 200, 12)
    assert trained(["sinus"]).shape == (1, 8)
    assert trained(["sinus " * 50]).shape == (1, 12)
    assert trained(["sinus", "rhythm"], width=12).shape == (2, 12)


def test_two_processes_learn_the_same_bytes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from cgdmer.models import tokens;"
        f"tokens.train({REPORTS!r}, 80, 12).save(Path(sys.argv[1]))"
    )
    for name in "abc":
        (tmp_path / name).mkdir()
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    assert len({(tmp_path / name / tokens.FILE).read_bytes() for name in "abc"}) == 1


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / tokens.FILE).write_text("{")
    with pytest.raises(DataError, match=r"tokenizer\.json cannot be read"):
        tokens.load(tmp_path, 8)
