"""Stage index: three files, the same bytes on every run, and an error if too many records cannot be used."""

import pytest

from cgdmer import paths, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json, write_json
from cgdmer.settings import Corpus, Index
from cgdmer.stages.index import index, published

HEADER = """JS{0:05d} 2 500 10
JS{0:05d}.mat 16 1000/mV 16 0 0 0 0 I
JS{0:05d}.mat 16 1000/mV 16 0 0 0 0 II
#Dx: 426783006
"""


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A CSN corpus of 40 records, 2 of them without a signal file; the working directory is an empty project."""
    root = tmp_path / "csn"
    folder = root / "WFDBRecords" / "01" / "010"
    folder.mkdir(parents=True)
    (root / "ConditionNames_SNOMED-CT.csv").write_text("AcronymName,FullName,Snomed_CT\nSR,sinus,426783006\n")
    for number in range(40):
        (folder / f"JS{number:05d}.hea").write_text(HEADER.format(number))
        if number >= 2:
            (folder / f"JS{number:05d}.mat").write_bytes(bytes(40))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Corpus(root=str(root))


def written():
    files = (paths.index("csn"), paths.index_quarantine("csn"), paths.index_facts("csn"))
    return [file.read_bytes() for file in files]


def test_index_quarantine_and_facts_are_written_and_repeat_to_the_byte(corpus, caplog):
    index("csn", corpus=corpus, index=Index())
    first = written()
    frame, facts = tables.read(paths.index("csn")), read_json(paths.index_facts("csn"))
    assert frame.height == facts["records"] == 38
    assert tables.read(paths.index_quarantine("csn"))["reason"][0] == "signal file missing: JS00000.mat"
    assert (facts["source"], facts["quarantined"], facts["split"]["kind"]) == ("csn", 2, "hash")
    assert "2 of 40 records cannot be used, most often: signal file missing" in caplog.text
    index("csn", corpus=corpus, index=Index())
    assert written() == first


def test_too_large_a_share_stops_and_names_the_reason(corpus):
    with pytest.raises(DataError) as caught:
        index("csn", corpus=corpus, index=Index(max_quarantined=0.04))
    assert "2 of 40 records cannot be used, most often: signal file missing" in str(caught.value)
    assert "index.max_quarantined" in str(caught.value)
    assert tables.read(paths.index_quarantine("csn")).height == 2
    assert not paths.index("csn").exists()


def test_a_repeated_id_is_quarantined(corpus, tmp_path):
    copy = tmp_path / "csn" / "WFDBRecords" / "02"
    copy.mkdir()
    for suffix in ("hea", "mat"):
        (copy / f"JS00009.{suffix}").write_bytes((tmp_path / f"csn/WFDBRecords/01/010/JS00009.{suffix}").read_bytes())
    index("csn", corpus=corpus, index=Index(max_quarantined=0.1))
    assert tables.read(paths.index("csn")).height == 38
    refused = tables.read(paths.index_quarantine("csn")).row(-1, named=True)
    assert refused["member"].endswith("JS00009.hea")
    assert "its id occurs more than once" in refused["reason"]


def test_a_broken_invariant_writes_no_index(corpus, monkeypatch):
    monkeypatch.setattr(tables, "SPLITS", ("test",))
    with pytest.raises(DataError, match="unknown split"):
        index("csn", corpus=corpus, index=Index())
    assert not paths.index("csn").exists()


def test_without_raw_files_the_error_says_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        index("ptb_xl", corpus=Corpus(), index=Index())
    assert "physionet.org" in str(caught.value)
    assert "dvc repro acquire@ptb_xl" in str(caught.value)


def test_a_root_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no_such_folder"):
        index("ptb_xl", corpus=Corpus(root=str(tmp_path / "no_such_folder")), index=Index())


def test_published_tables_do_not_apply_to_simulated_records(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert published("csn") is None
    paths.PROTOCOL.parent.mkdir(parents=True)
    paths.PROTOCOL.symlink_to(protocol)
    assert published("csn") == paths.PROTOCOL
    write_json(paths.raw("csn") / "manifest.json", {"way": "local"})
    assert published("csn") == paths.PROTOCOL
    write_json(paths.raw("csn") / "manifest.json", {"way": "simulate"})
    assert published("csn") is None
