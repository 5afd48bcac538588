"""Preprocessing and batch inference on a Dask cluster: its worker processes give the same bytes and features."""

import os
import time

import polars as pl
import pytest
from support import example_recordings as example
from support.small_corpus import write_corpus

from cgdmer import datasets, executor, paths, tables
from cgdmer.archives import open_archive
from cgdmer.operations import batch
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


def test_new_recordings_are_decoded_on_the_cluster_with_the_same_features(cluster, tmp_path, monkeypatch):
    for number in range(5):
        example.wfdb(tmp_path / "in", f"rec{number}", number)
    features = {}
    for kind in ("serial", cluster):
        monkeypatch.setenv("CGDMER_EXECUTOR", kind)
        output = tmp_path / ("one" if kind == "serial" else "many")
        done = batch.run(batch.Request("embed", str(tmp_path / "in"), output, str(example.model())))
        assert (done.found, done.written) == (5, 5)
        features[kind] = pl.read_parquet(done.folder / "part-000001.parquet").sort("id")
    assert features["serial"].equals(features[cluster])


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
