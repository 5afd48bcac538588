"""Invariants of all four simulated corpora: the same bytes each time, readable by the source's reader and by wfdb."""

import hashlib
import os
import re
import zipfile

import numpy as np
import pytest
import wfdb
from support.demo_corpora import RECORDS, SEED, contents, corpus, indexed, recordings

from cgdmer import datasets, tables
from cgdmer import demo_corpora as simulated
from cgdmer.demo_corpora import cpsc2018, csn, drawing, mimic_iv_ecg, ptb_xl
from cgdmer.settings import Corpus
from cgdmer.signals import LEADS

LAYOUTS = {"mimic_iv_ecg": mimic_iv_ecg, "ptb_xl": ptb_xl, "cpsc2018": cpsc2018, "csn": csn}
SIGNALS = {
    "mimic_iv_ecg": r"files/p1\d{3}/p1\d{7}/s4\d{7}/(4\d{7})\.(hea|dat)",
    "ptb_xl": r"records500/00000/(\d{5}_hr)\.(hea|dat)",
    "cpsc2018": r"training/cpsc_2018/g1/(A\d{4})\.(hea|mat)",
    "csn": r"WFDBRecords/01/010/(JS\d{5})\.(hea|mat)",
}
source = pytest.mark.parametrize("source", datasets.SOURCES)


@source
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(source, tmp_path):
    simulated.write(source, tmp_path / "again.zip", Corpus(records=RECORDS, seed=SEED))
    assert (tmp_path / "again.zip").read_bytes() == corpus(source).read_bytes()
    simulated.write(source, tmp_path / "other.zip", Corpus(records=8, seed=SEED + 1))
    other, first = contents(tmp_path / "other.zip"), contents(corpus(source))
    signals = {hashlib.sha256(data).digest() for name, data in first.items() if name.endswith((".dat", ".mat"))}
    assert len(signals) == RECORDS
    assert not signals & {hashlib.sha256(data).digest() for name, data in other.items()}


@source
@pytest.mark.parametrize("workers", [1, 2])
def test_the_bytes_do_not_depend_on_the_number_of_processes(source, workers, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", str(workers))
    monkeypatch.setattr(drawing, "GROUP", 7)  # so that there are several groups, and the last one is smaller
    simulated.write(source, tmp_path / "again.zip", Corpus(records=RECORDS, seed=SEED))
    assert (tmp_path / "again.zip").read_bytes() == corpus(source).read_bytes()


@source
def test_the_zip_is_stored_has_no_clock_and_one_top(source):
    with zipfile.ZipFile(corpus(source)) as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.filename.split("/")[0] for info in infos} == {LAYOUTS[source].TOP}
    assert len({info.filename for info in infos}) == len(infos)
    assert b"simulated" in contents(corpus(source))["SIMULATED.txt"]


@source
def test_a_longer_corpus_begins_like_a_shorter_one(source, tmp_path):
    simulated.write(source, tmp_path / "short.zip", Corpus(records=20, seed=SEED))
    short, long = contents(tmp_path / "short.zip"), contents(corpus(source))
    pattern = SIGNALS[source]
    names = [name for name in short if re.fullmatch(pattern, name)]
    assert len(names) == 40
    assert sum(bool(re.fullmatch(pattern, name)) for name in long) == 2 * RECORDS
    assert all(short[name] == long[name] for name in names)
    for name in ("record_list.csv", "machine_measurements.csv", "ptbxl_database.csv"):
        assert long.get(name, b"").startswith(short.get(name, b""))


@source
def test_the_reader_takes_every_record(source):
    result = indexed(source, corpus(source))
    tables.check_invariants(result.frame, source)
    assert result.quarantine.is_empty()
    without_report = sum(mimic_iv_ecg.has_no_report(SEED, n) for n in range(RECORDS)) if source == "mimic_iv_ecg" else 0
    assert result.frame.height == RECORDS - without_report
    assert result.facts["rows_without_signal"] == 0
    assert result.facts["records_with_missing_leads"]["records"] == 0
    if source in ("mimic_iv_ecg", "ptb_xl"):
        assert result.frame["report"].str.len_chars().min() > 10


@source
def test_identities_hold_and_amplitudes_are_a_hearts(source):
    step = 1 / mimic_iv_ecg.GAIN if source == "mimic_iv_ecg" else 1e-3
    records = recordings(source, corpus(source))
    assert len(records) == RECORDS
    for record in records.values():
        lead = {name.lower(): row for name, row in zip(record.leads, record.signal, strict=True)}
        assert sorted(lead) == sorted(name.lower() for name in LEADS)
        tolerance = 2.001 * step
        np.testing.assert_allclose(lead["iii"], lead["ii"] - lead["i"], atol=tolerance)
        np.testing.assert_allclose(lead["avr"], -(lead["i"] + lead["ii"]) / 2, atol=tolerance)
        np.testing.assert_allclose(lead["avl"], (lead["i"] - lead["iii"]) / 2, atol=tolerance)
        np.testing.assert_allclose(lead["avf"], (lead["ii"] + lead["iii"]) / 2, atol=tolerance)
        assert 0.2 < np.nanmax(np.abs(record.signal)) < 20


@source
def test_wfdb_reads_the_same(source, tmp_path):
    with zipfile.ZipFile(corpus(source)) as archive:
        name = sorted(name for name in archive.namelist() if name.endswith(".hea"))[3]
        for suffix in (".hea", ".dat", ".mat"):
            if name.replace(".hea", suffix) in archive.namelist():
                archive.extract(name.replace(".hea", suffix), tmp_path)
    theirs = wfdb.rdrecord(os.fspath(tmp_path / name.removesuffix(".hea")))
    ours = recordings(source, corpus(source))
    record = next(record for member, record in ours.items() if name.endswith(member))
    assert theirs.fs == 500
    assert theirs.units == ["mV"] * 12
    assert list(theirs.sig_name) == list(record.leads)
    np.testing.assert_allclose(theirs.p_signal.T, record.signal, atol=1e-6)


def test_slips_are_few_and_never_leave_a_record_without_labels():
    codes = [drawing.with_slips(["NORM"], ("A", "B"), "NORM", drawing.stream(1, n, "x")) for n in range(3000)]
    changed = [names for names in codes if names != ["NORM"]]
    assert 50 < len(changed) < 140
    assert {tuple(names) for names in changed} == {("A",), ("B",)}
    pairs = [drawing.with_slips(["A", "C"], ("A", "B"), "NORM", drawing.stream(1, n, "x")) for n in range(3000)]
    assert {tuple(names) for names in pairs} == {("A", "C"), ("A",), ("C",), ("A", "C", "B")}


def test_patients_never_reach_into_the_next_block():
    entries = list(drawing.entries(200, SEED, mimic_iv_ecg.STUDIES))
    blocks = {}
    for entry in entries:
        blocks.setdefault(entry.patient, set()).add(entry.number // drawing.BLOCK)
    assert all(len(block) == 1 for block in blocks.values())
    assert len({mimic_iv_ecg.subject(entry) for entry in entries}) == len(blocks)
    assert [entry.number for entry in entries] == list(range(200))
