"""A worker that the kernel kills while it writes a shard: the error names the shard, and the same command resumes."""

import os
import signal
from pathlib import Path

import pytest
from support.small_corpus import write_corpus

from cgdmer import preprocessing
from cgdmer.archives import open_archive
from cgdmer.errors import CgdmerError
from cgdmer.settings import Signal

SETTINGS = Signal(seconds=4.0, shard_records=4)


def dies_once(job: preprocessing.Job) -> int:
    """Write a shard, but kill the first worker that reaches the third shard, as the kernel does when memory is full."""
    mark = job.shard.parent.parent / "died"
    if job.shard.name == "signals-00002.npy" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return preprocessing.write_shard(job)


def test_the_shard_under_way_is_named_and_a_second_run_ends_well(tmp_path: Path, monkeypatch):
    index = write_corpus(tmp_path / "corpus", 16)
    archive = open_archive(tmp_path / "corpus")
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    (tmp_path / "scratch").mkdir()
    jobs = list(preprocessing._jobs(index, archive, tmp_path / "scratch/key", SETTINGS, 4.0))
    (tmp_path / "scratch/key").mkdir()
    with pytest.raises(CgdmerError, match=r"worker process was killed.*in progress:.*signals-00002\.npy"):
        list(preprocessing.executor.map_unordered(dies_once, jobs))
    assert not (tmp_path / "scratch/key/signals-00002.json").exists()
    assert len(list(preprocessing.executor.map_unordered(dies_once, jobs))) == 4
    assert (tmp_path / "scratch/key/signals-00002.json").is_file()
