"""Preprocessing on a Dask cluster: its worker processes write the same bytes."""

import os
import time

import pytest
from support.small_corpus import write_corpus

from cgdmer import datasets, executor, paths, tables
from cgdmer.archives import open_archive
from cgdmer.settings import Corpus, Signal
from cgdmer.stages.shards import shards

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.xdist_group("topology")]


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", dashboard_address=None) as running:
        yield running.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables.write(write_corpus(tmp_path / "raw", 12, faults={3: "zero gain"}), paths.index("ptb_xl"))
    monkeypatch.setattr(datasets, "open_raw", lambda source, corpus: open_archive(tmp_path / "raw"))
    return tmp_path


def made(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_shards_are_the_same_bytes_as_on_one_machine(cluster, project, monkeypatch):
    kinds = {}
    for kind in ("serial", cluster):
        monkeypatch.setenv("CGDMER_EXECUTOR", kind)
        shards("ptb_xl", corpus=Corpus(), signal=Signal(max_quarantined=0.1, shard_records=3))
        kinds[kind] = made(paths.shards("ptb_xl"))
    assert len([name for name in kinds[cluster] if name.startswith("signals-")]) == 4
    assert kinds["serial"] == kinds[cluster]


def test_both_workers_work(cluster, monkeypatch):
    def busy(_number):
        time.sleep(0.3)
        return os.getpid()

    monkeypatch.setenv("CGDMER_EXECUTOR", cluster)
    with executor.open_executor() as opened:
        asked = [opened.submit(busy, number) for number in range(8)]
        pids = {future.result(timeout=60) for future in asked}
    assert os.getpid() not in pids
    assert len(pids) == 2
