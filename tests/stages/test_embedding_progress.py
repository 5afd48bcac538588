"""Progress of stage embed: read from the stored chunks, in a log and after a kill too."""

import contextlib
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support import example_pool as example

from cgdmer import paths, progress, settings, stages
from cgdmer.errors import DataError
from cgdmer.stages import embedding_progress
from cgdmer.stages.embedding_progress import stored, watched

ROOT = Path(__file__).resolve().parents[2]
SOURCE, RECORDS = "ptb_xl", 40


def chunk(folder, first, name="pooled"):
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{first}.{name}.npy", np.zeros(1))


def test_records_of_the_weights_that_are_being_written_are_counted(tmp_path):
    assert stored(tmp_path, RECORDS, 16) == 0
    chunk(tmp_path / "key-0", 0)
    chunk(tmp_path / "key-0", 0, "shared")
    assert stored(tmp_path, RECORDS, 16) == 16
    for first in (16, 32):
        chunk(tmp_path / "key-0", first)
    assert stored(tmp_path, RECORDS, 16) == RECORDS  # the last chunk is a short one
    chunk(tmp_path / "key-1", 0)
    assert stored(tmp_path, RECORDS, 16) == RECORDS + 16


def test_what_a_kill_left_half_written_does_not_count(tmp_path):
    chunk(tmp_path / "key-0", 0)
    np.save(tmp_path / "key-0" / ".16.pooled.123.tmp.npy", np.zeros(1))
    assert stored(tmp_path, RECORDS, 16) == 16


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A corpus in shards, and the folder in which stage embed would store its chunks; the disk is looked at often."""
    example.write(tmp_path, SOURCE, records=RECORDS)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    monkeypatch.setattr(embedding_progress, "SECONDS", 0.02)
    monkeypatch.chdir(tmp_path)
    return tmp_path / paths.scratch("embed", "random", SOURCE)


def watchers():
    return [thread for thread in threading.enumerate() if thread.name == "embed progress"]


def shown(capsys, count):
    """Wait until a line tells `count` records; return all lines so far."""
    text, deadline = "", time.monotonic() + 60
    while f" {count}/80 records" not in text:
        assert time.monotonic() < deadline, text
        time.sleep(0.02)
        text += capsys.readouterr().err
    return text.splitlines()


def test_the_lines_follow_the_chunks_of_all_sets_of_weights(scratch, capsys):
    chunk(scratch / "key-0", 0)  # by an earlier run, which was killed
    with watched("random", SOURCE, settings.Embed(batch=16, control_seeds={"random": 2})):
        assert shown(capsys, 16)[0].startswith("random on ptb_xl: 16/80 records, 20 %")
        chunk(scratch / "key-0", 16)
        shown(capsys, 32)
        chunk(scratch / "key-0", 32)
        shown(capsys, 40)
        chunk(scratch / "key-1", 0)
        shown(capsys, 56)
    assert not watchers()


def test_a_quick_corpus_says_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with watched("random", SOURCE, settings.Embed()):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_corpus_that_cannot_be_read_is_left_to_the_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(embedding_progress, "SECONDS", 0.02)
    monkeypatch.chdir(tmp_path)
    with watched("random", SOURCE, settings.Embed()):
        for watcher in watchers():
            watcher.join(60)
        assert not watchers()
    assert capsys.readouterr().err == ""


def test_an_error_of_the_stage_passes_through(scratch):
    with pytest.raises(DataError, match="a damaged shard"), watched("random", SOURCE, settings.Embed()):
        raise DataError("a damaged shard")


@pytest.mark.parametrize(("rank", "called"), [("0", ["watched", "stage"]), ("1", ["stage"])])
def test_the_first_process_of_a_call_is_watched(tmp_path, monkeypatch, rank, called):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", rank)
    seen = []

    @contextlib.contextmanager
    def recorder(encoder, source, embed):
        assert (encoder, source, embed) == ("handcrafted", SOURCE, chosen.embed)
        seen.append("watched")
        yield

    def stage(encoder, source, *, embed):
        seen.append("stage")

    chosen = settings.load(ROOT / "params/demo.yaml")
    monkeypatch.setattr(embedding_progress, "watched", recorder)
    monkeypatch.setattr(stages, "find", lambda name: stage)
    stages.call("embed", ["handcrafted", SOURCE], chosen)
    assert seen == called
