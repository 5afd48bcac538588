"""Which finished jobs a later run of preprocessing goes on with: those of the same corpus, settings and code."""

import hashlib
from pathlib import Path

import polars as pl
import pytest
from support.edited_code import edit
from support.small_corpus import write_corpus

from cgdmer import preprocessing, tables
from cgdmer.archives import open_archive
from cgdmer.errors import DataError
from cgdmer.preprocessing import preprocess
from cgdmer.settings import Signal
from cgdmer.shards import open_shards

SETTINGS = Signal(shard_records=8, seconds=4.0, max_quarantined=0.1)
usable = preprocessing._usable


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Run all jobs in this process."""
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")


def make(at: Path, index: pl.DataFrame, settings: Signal = SETTINGS) -> Path:
    preprocess(index, open_archive(at / "corpus"), at / "shards/ptb_xl", at / "scratch", settings, 10.0)
    return at / "shards/ptb_xl"


def content(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def killed_before_the_end(at: Path, index: pl.DataFrame) -> None:
    """Finish all jobs and end before they are assembled."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(preprocessing, "_assemble", interrupt)
        make(at, index)


def without_record(folder: Path) -> None:
    (folder / "r002.dat").unlink()


def other_signal(folder: Path) -> None:
    (folder / "r002.dat").write_bytes((folder / "r003.dat").read_bytes())


@pytest.mark.parametrize("before", [without_record, other_signal])
def test_a_record_that_is_repaired_after_a_kill_is_read_again(tmp_path, before):
    index = write_corpus(tmp_path / "corpus", 10)
    whole = content(make(tmp_path, index))
    signal = (tmp_path / "corpus/r002.dat").read_bytes()
    before(tmp_path / "corpus")
    killed_before_the_end(tmp_path, index)
    (tmp_path / "corpus/r002.dat").write_bytes(signal)
    assert content(make(tmp_path, index)) == whole


@pytest.mark.parametrize(
    ("file", "again"),
    [
        (None, 0),
        ("cgdmer/preprocessing.py", 2),
        ("cgdmer/archives/folder.py", 2),
        ("cgdmer/signals/filters.py", 2),
        ("cgdmer/waveforms/formats.py", 2),
        ("cgdmer/executor.py", 0),
    ],
)
def test_finished_jobs_are_done_again_if_code_that_they_run_changed(tmp_path, monkeypatch, file, again):
    index = write_corpus(tmp_path / "corpus", 10)
    killed_before_the_end(tmp_path, index)
    edit(monkeypatch, *filter(None, [file]))
    written = []
    monkeypatch.setattr(preprocessing, "_usable", lambda job, member: written.append(job.shard) or usable(job, member))
    make(tmp_path, index)
    assert len(set(written)) == again


def test_both_remedies_for_too_many_bad_records_work(tmp_path, monkeypatch):
    faults, settings = {1: "zero gain", 4: "zero gain"}, SETTINGS.model_copy(update={"shard_records": 2})
    index = write_corpus(tmp_path / "corpus", 6, faults)
    read = []
    monkeypatch.setattr(preprocessing, "_usable", lambda job, member: read.append(member) or usable(job, member))
    for _ in range(2):
        with pytest.raises(DataError, match=r"records cannot be used"):
            make(tmp_path, index, settings)
    assert read == ["r000.hea", "r001.hea"]
    raised = make(tmp_path, index, settings.model_copy(update={"max_quarantined": 0.5}))
    assert tables.read(raised / "quarantine.parquet")["id"].to_list() == ["r001", "r004"]
    assert read == [f"r{number:03d}.hea" for number in range(6)], "the finished job is not done again"
    assert not (tmp_path / "scratch").exists()
    with pytest.raises(DataError, match=r"records cannot be used"):
        make(tmp_path, index, settings)
    write_corpus(tmp_path / "corpus", 6)
    assert open_shards(make(tmp_path, index, settings), verify=True).rows["id"].len() == 6
    assert not (tmp_path / "scratch").exists()
