"""WFDB annotation files: the same samples and codes as `wfdb` reads, and damage that is told."""

import numpy as np
import pytest
import wfdb

from cgdmer.archives import open_archive
from cgdmer.errors import RecordError
from cgdmer.external.annotations import OFFSET, ONSET, Wave, read_annotations, waves
from cgdmer.external.ludb import delineation


def test_what_wfdb_writes_is_read(tmp_path):
    """Long and negative intervals, notes and subtypes included."""
    samples = np.array([7, 12, 1100, 1100, 400_000, 400_001])
    symbols = ["(", "N", ")", "p", "t", "V"]
    notes = ["", "note", "", "odd", "", ""]
    wfdb.wrann("a", "x", samples, symbols, aux_note=notes, subtype=np.array([0, 1, 0, 2, 0, 0]), fs=500,
               write_dir=str(tmp_path))  # fmt: skip
    found = read_annotations((tmp_path / "a.x").read_bytes(), "a.x")
    assert [sample for sample, _ in found if sample] == samples.tolist()
    assert [code for _, code in found][-6:] == [39, 1, 40, 24, 27, 5]


def test_a_file_without_end_is_refused(tmp_path):
    wfdb.wrann("a", "x", np.array([7, 2000]), ["(", "N"], fs=500, write_dir=str(tmp_path))
    data = (tmp_path / "a.x").read_bytes()
    for length in range(len(data) - 2):
        with pytest.raises(RecordError, match="no end mark"):
            read_annotations(data[:length], "a.x")


def test_only_whole_waves_are_waves():
    peak_alone = [(5, 24), (9, ONSET), (11, 1), (15, OFFSET), (20, ONSET), (25, 27)]
    assert list(waves(peak_alone)) == [Wave("qrs", 9, 11, 15)]


def test_real_annotations_are_those_of_wfdb(real):
    folder = real / "ludb"
    archive = open_archive(folder)
    for name in ("1", "77", "140"):
        for lead in ("i", "avf", "v6"):
            expected = wfdb.rdann(str(folder / "data" / name), lead)
            found = read_annotations(archive.read(f"data/{name}.{lead}"), lead)
            assert [sample for sample, _ in found] == expected.sample.tolist()
            known = {"(": 39, ")": 40, "N": 1, "p": 24, "t": 27}
            assert [code for _, code in found] == [known[symbol] for symbol in expected.symbol]
        assert all(each for each in delineation(archive, name).values())
