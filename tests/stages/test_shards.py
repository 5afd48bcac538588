"""Stage shards: index and raw files of a source become a complete shard folder, or a clear error."""

import numpy as np
import polars as pl
import pytest
from support.small_corpus import write_corpus

from cgdmer import datasets, paths, tables
from cgdmer.archives import open_archive
from cgdmer.errors import DataError
from cgdmer.settings import Corpus, Signal
from cgdmer.shards import open_shards
from cgdmer.stages.shards import shards


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with a small indexed corpus; raw files are where the test says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    index = write_corpus(tmp_path / "raw", 12, faults={3: "zero gain"})
    tables.write(index, paths.index("ptb_xl"))
    monkeypatch.setattr(datasets, "open_raw", lambda source, corpus: open_archive(tmp_path / "raw"))
    return index


def test_shards_and_quarantine_are_written(project):
    shards("ptb_xl", corpus=Corpus(), signal=Signal(max_quarantined=0.1))
    written = open_shards(paths.shards("ptb_xl"), verify=True)
    assert len(written) == 11
    assert written.gather(np.arange(11)).any(axis=(1, 2)).all()
    assert tables.read(paths.shards("ptb_xl") / "quarantine.parquet")["id"].to_list() == ["r003"]
    assert not paths.scratch("shards", "ptb_xl").exists()


def test_the_corpus_says_how_many_seconds_are_used(project):
    shards("ptb_xl", corpus=Corpus(seconds=2.0), signal=Signal(max_quarantined=0.1))
    assert open_shards(paths.shards("ptb_xl")).rows["valid"].unique().to_list() == [200]


def test_a_second_run_gives_the_same_digest(project):
    digests = []
    for _ in range(2):
        shards("ptb_xl", corpus=Corpus(), signal=Signal(max_quarantined=0.1))
        digests.append(open_shards(paths.shards("ptb_xl")).digest)
    assert digests[0] == digests[1]


def test_too_many_bad_records_stop(project):
    with pytest.raises(DataError, match="1 of 12 records cannot be used"):
        shards("ptb_xl", corpus=Corpus(), signal=Signal(max_quarantined=0.05))
    assert not paths.shards("ptb_xl").exists()


def test_an_index_that_breaks_a_law_stops(project):
    tables.write(pl.concat([project, project]), paths.index("ptb_xl"))
    with pytest.raises(DataError, match="12 ids occur more than once"):
        shards("ptb_xl", corpus=Corpus(), signal=Signal())


def test_a_missing_index_is_named(project):
    paths.index("ptb_xl").unlink()
    with pytest.raises(DataError, match=r"ptb_xl\.parquet is missing"):
        shards("ptb_xl", corpus=Corpus(), signal=Signal())
