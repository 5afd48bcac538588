"""Every source passes the same contract tests; a new module with a NAME is included automatically."""

import json
import pkgutil
import re
from importlib import import_module

import numpy as np
import polars as pl
import pytest

from cgdmer import datasets, tables
from cgdmer.archives import open_archive
from cgdmer.errors import ConfigError, DataError
from cgdmer.settings import Corpus, Index
from cgdmer.signals import LEADS
from cgdmer.waveforms import read_record

MODULES = [import_module(f"cgdmer.datasets.{entry.name}") for entry in pkgutil.iter_modules(datasets.__path__)]
FOUND = sorted(module.__name__.rsplit(".", 1)[-1] for module in MODULES if hasattr(module, "NAME"))

source = pytest.mark.parametrize("source", FOUND)


def read(source, path, **settings):
    module = datasets.module(source)
    with open_archive(path) as archive:
        return module.read_index(module.find(archive), corpus=Corpus(**settings), index=Index(), protocol=None)


def test_the_modules_are_the_sources():
    assert set(datasets.SOURCES) == set(FOUND)


@source
def test_constants(source):
    module = datasets.module(source)
    assert source == module.NAME
    assert module.URL.startswith("https://physionet.org/files/")
    assert module.URL.endswith("/")
    assert module.LICENCE
    assert module.TITLE in datasets.where_to_get(source)
    assert set(module.TASKS) == {task for task, owner in tables.TASKS.items() if owner == source}
    for classes in module.TASKS.values():
        assert len(set(classes)) == len(classes)


@source
def test_a_download_brings_every_file_that_is_read(source, tiny):
    folder = tiny(source)
    names = open_archive(folder).names()
    assert all(re.search(datasets.module(source).WANTED, name) for name in names)
    assert not re.search(datasets.module(source).WANTED, "index.html")


@source
def test_the_index_keeps_the_laws(source, tiny):
    indexed = read(source, tiny(source))
    tables.check_invariants(indexed.frame, source)
    assert indexed.frame.height
    assert indexed.quarantine.is_empty()
    assert indexed.quarantine.schema == pl.Schema(tables.QUARANTINE_COLUMNS)
    assert list(indexed.frame.columns[: len(tables.INDEX_COLUMNS)]) == list(tables.INDEX_COLUMNS)
    for task, classes in datasets.module(source).TASKS.items():
        assert tables.label_columns(indexed.frame, task) == [f"{task}/{name}" for name in classes]
        members = tables.members(indexed.frame, task)
        names, matrix = tables.labels(members, task)
        assert names == list(classes)
        assert set(np.unique(matrix)) <= {0, 1}
    assert all(dtype == pl.UInt8 for name, dtype in indexed.frame.schema.items() if "/" in name)
    assert indexed.facts["records"] == indexed.frame.height
    json.dumps(indexed.facts, allow_nan=False)


@source
def test_folder_zip_and_nested_folder_give_the_same(source, tiny, zipped, tmp_path):
    folder = tiny(source)
    first = read(source, folder)
    again = read(source, folder)
    packed = read(source, zipped(folder))
    outer = tmp_path / "outer"
    outer.mkdir()
    folder.rename(outer / "inner")
    nested = read(source, outer)
    for other in (again, packed, nested):
        assert other.frame.equals(first.frame)
        assert other.facts == first.facts


@source
def test_the_files_that_macos_adds_to_a_copy_are_no_records(source, tiny):
    folder = tiny(source)
    first = read(source, folder)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    again = read(source, folder)
    assert again.frame.equals(first.frame)
    assert again.facts == first.facts


@source
def test_every_member_is_read_by_the_decoder(source, tiny):
    folder = tiny(source)
    indexed = read(source, folder)
    with datasets.module(source).find(open_archive(folder)) as archive:
        for row in indexed.frame.iter_rows(named=True):
            record = read_record(archive, row["member"])
            assert record.signal.shape == (len(row["leads"]), row["samples"])
            assert record.fs == row["fs"]
            assert set(row["leads"]) <= set(LEADS)


@source
def test_another_corpus_is_refused_with_what_was_looked_for_and_found(source, tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        read(source, tmp_path)
    assert datasets.module(source).TITLE in str(caught.value)
    assert "holiday" in str(caught.value)


@source
def test_bad_headers_are_quarantined_with_a_reason_and_the_rest_goes_on(source, tiny):
    folder = tiny(source)
    good = read(source, folder).frame
    first, second = (datasets.module(source).find(open_archive(folder)).prefix + m for m in good["member"].head(2))
    header = folder / first
    header.write_text(header.read_text().replace(" 500 ", " 5 ", 1))
    for signal in (folder / second).parent.glob((folder / second).stem + ".[dm]at"):
        signal.unlink()
    indexed = read(source, folder)
    reasons = dict(indexed.quarantine.select("id", "reason").iter_rows())
    assert reasons[good["id"][0]].endswith("sampling rate of 5 Hz")
    assert reasons[good["id"][1]].startswith("signal file missing")
    assert indexed.frame["id"].to_list() == good["id"].to_list()[2:]


@source
def test_a_fifteen_lead_record_keeps_its_twelve_and_unknown_leads_alone_are_refused(source, tiny, write_record):
    folder = tiny(source)
    good = read(source, folder).frame
    prefix = datasets.module(source).find(open_archive(folder)).prefix
    three = [prefix + member.removesuffix(".hea") for member in good["member"].head(3)]
    comments = [line[1:] for line in (folder / f"{three[0]}.hea").read_text().splitlines() if line.startswith("#")]
    suffix = next(path.suffix for path in (folder / three[0]).parent.iterdir() if path.suffix in (".dat", ".mat"))
    write_record(folder, three[0], leads=(*LEADS, "V7", "V8", "V9"), comments=comments, suffix=suffix)
    write_record(folder, three[1], leads=("MLII", "V17"), comments=comments, suffix=suffix)
    write_record(folder, three[2], leads=("v2", "i"), comments=comments, suffix=suffix)
    indexed = read(source, folder)
    rows = {row["id"]: row for row in indexed.frame.iter_rows(named=True)}
    assert rows[good["id"][0]]["leads"] == list(LEADS)
    assert rows[good["id"][2]]["leads"] == ["V2", "I"]
    assert indexed.facts["records_with_other_leads"] == {"records": 1, "first": [good["id"][0]]}
    assert indexed.facts["records_with_missing_leads"] == {"records": 1, "first": [good["id"][2]]}
    assert indexed.quarantine["reason"].to_list() == ["no standard lead: MLII, V17"]


@source
def test_hash_splits_do_not_depend_on_the_other_records(source, tiny):
    folder = tiny(source)
    whole = read(source, folder, splits="hash").frame
    prefix = datasets.module(source).find(open_archive(folder)).prefix
    (folder / (prefix + whole["member"][0])).unlink()
    for signal in (folder / prefix / whole["member"][0]).parent.glob("*.mat"):
        if not signal.with_suffix(".hea").exists():
            signal.unlink()
    rest = read(source, folder, splits="hash").frame
    assert rest.select("id", "split").equals(whole.slice(1).select("id", "split"))


def test_an_unknown_source_names_the_near_miss():
    with pytest.raises(ConfigError, match="did you mean 'ptb_xl'"):
        datasets.module("ptb-xl")
