"""Locate the raw files of a source: the acquired zip, a root, or a usual name under CGDMER_RAW_ROOT."""

import shutil

import pytest

from cgdmer import datasets, paths
from cgdmer.errors import DataError
from cgdmer.settings import Corpus


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_zip_that_acquire_made_comes_first(project, tiny, zipped):
    made = paths.raw("csn") / "csn.zip"
    made.parent.mkdir(parents=True)
    shutil.copyfile(zipped(tiny("csn")), made)
    with datasets.open_raw("csn", Corpus(way="simulate")) as archive:
        assert "WFDBRecords/01/010/JS00001.hea" in archive


@pytest.mark.parametrize("name", ["ptbxl", "PTB-XL", "ptb_xl", "ptb-xl-a-large-something-1.0.3"])
def test_a_usual_name_below_the_raw_root_is_found(project, tiny, monkeypatch, name):
    folder = tiny("ptb_xl")
    root = folder.parent / "corpora"
    root.mkdir()
    folder.rename(root / name)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(root))
    with datasets.open_raw("ptb_xl", Corpus()) as archive:
        assert "ptbxl_database.csv" in archive
    assert datasets.local_root("ptb_xl", Corpus(way="simulate")) is None
    with pytest.raises(DataError, match="no raw files of csn"):
        datasets.open_raw("csn", Corpus())


def test_recognising_a_corpus(tiny, tmp_path):
    folder = tiny("csn")
    assert datasets.recognises("csn", folder)
    assert not datasets.recognises("ptb_xl", folder)
    assert not datasets.recognises("csn", tmp_path / "nowhere")
