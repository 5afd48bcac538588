"""Shards are correct, the same on any executor, and survive a kill; bad records are quarantined with their reasons."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.small_corpus import FAULTS, write_corpus

from cgdmer import preprocessing, tables
from cgdmer.archives import open_archive
from cgdmer.errors import DataError
from cgdmer.preprocessing import preprocess
from cgdmer.settings import Signal
from cgdmer.shards import open_shards
from cgdmer.signals import LEADS, canonical
from cgdmer.validation import frames
from cgdmer.waveforms import read_record

SETTINGS = Signal(shard_records=8, seconds=4.0)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return folder, write_corpus(folder, 30, faults={9: "is missing"})


def make(corpus, at: Path, settings: Signal = SETTINGS) -> Path:
    folder, index = corpus
    preprocess(index, open_archive(folder), at / "shards/ptb_xl", at / "scratch", settings, 10.0)
    return at / "shards/ptb_xl"


def content(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def once(corpus, tmp_path_factory):
    """The shards as this process makes them alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CGDMER_EXECUTOR", "serial")
        return make(corpus, tmp_path_factory.mktemp("once"))


def test_rows_are_the_records_in_index_order(corpus, once):
    folder, index = corpus
    shards = open_shards(once, verify=True)
    usable = index.filter(pl.col("id") != "r009")
    assert shards.rows["id"].to_list() == usable["id"].to_list()
    assert shards.rows.select("patient", "split", "report", "age", "sex").equals(
        usable.select("patient", "split", "report", "age", "sex")
    )
    assert [shards.manifests[0].shards[f"signals-{k:05d}.npy"] for k in range(4)] == [8, 7, 8, 6]
    for row, member in ((0, "r000.hea"), (9, "r010.hea"), (28, "r029.hea")):
        record = read_record(open_archive(folder), member)
        recording = canonical(record.signal, record.fs, record.leads, SETTINGS, 10.0)
        assert (shards.gather(np.array([row]))[0] == recording.signal).all()
        assert shards.rows["signal_digest"][row] == recording.quality["signal_digest"]


def test_columns_are_those_promised(once):
    rows = open_shards(once).rows
    assert dict(zip(rows.columns, rows.dtypes, strict=True)) == {
        "id": pl.String, "patient": pl.String, "split": pl.String, "report": pl.String, "age": pl.Float64,
        "sex": pl.String, "valid": pl.Int32, "missing": pl.UInt16, "flat": pl.UInt16, "clipped": pl.Float32,
        "amplitude_uv": pl.Int32, "identity_uv": pl.Float32, "bridged": pl.Int32, "signal_digest": pl.String,
        "source": pl.String,
    }  # fmt: skip


def test_the_manifest_says_what_was_made(once):
    manifest = open_shards(once).manifests[0]
    assert (manifest.fs, manifest.samples, manifest.leads, manifest.records) == (100.0, 400, LEADS, 29)
    assert manifest.settings["high"] == 40.0
    assert manifest.settings["used_seconds"] == 10.0
    assert manifest.files == {name: digest for name, digest in content(once).items() if name != "manifest.json"}
    assert str(once.parent) not in (once / "manifest.json").read_text()


def test_the_quarantine_says_why(once):
    listed = tables.read(once / "quarantine.parquet")
    assert listed["id"].to_list() == ["r009"]
    assert listed["member"].to_list() == ["r009.hea"]
    assert "r009.dat" in listed["reason"][0]
    assert listed.schema == tables.QUARANTINE_COLUMNS


def test_two_worker_processes_make_the_same_bytes(corpus, once, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    assert content(make(corpus, tmp_path)) == content(once)


@pytest.mark.server
def test_a_dask_cluster_makes_the_same_bytes(corpus, once, tmp_path, monkeypatch):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", dashboard_address=None) as cluster:
        monkeypatch.setenv("CGDMER_EXECUTOR", cluster.scheduler_address.replace("tcp://", "dask://"))
        assert content(make(corpus, tmp_path)) == content(once)


def test_scratch_is_gone_and_an_old_result_is_replaced(corpus, once, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    (tmp_path / "shards/ptb_xl").mkdir(parents=True)
    (tmp_path / "shards/ptb_xl/stale.npy").touch()
    (tmp_path / "scratch/of_other_settings").mkdir(parents=True)
    assert content(make(corpus, tmp_path)) == content(once)
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["ptb_xl"]


KILLED = """
import sys
from pathlib import Path
import polars as pl
from cgdmer.preprocessing import preprocess
from cgdmer.settings import Signal
from cgdmer.archives import open_archive
corpus, at = map(Path, sys.argv[1:])
if __name__ == "__main__":
    index = pl.read_parquet(at / "index.parquet")
    preprocess(index, open_archive(corpus), at / "shards/ptb_xl", at / "scratch", Signal(shard_records=1), 10.0)
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_run_goes_on_where_it_was(corpus, tmp_path, monkeypatch, workers):
    folder, index = corpus
    long = pl.concat([index.with_columns(id=pl.format(f"{turn}-{{}}", "id")) for turn in range(3)])
    tables.write(long, tmp_path / "index.parquet")
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    settings = {
        "CGDMER_EXECUTOR": "processes",
        "CGDMER_WORKERS": workers,
        "PYTHONPATH": str(ROOT),
        "MARK": str(tmp_path),
    }
    process = subprocess.Popen([sys.executable, script, folder, tmp_path], env=os.environ | settings)
    while len(notes := sorted((tmp_path / "scratch").glob("*/signals-*.json"))) < 12 and process.poll() is None:
        time.sleep(0.002)
    assert len(marked(tmp_path)) >= int(workers)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed: give it more records"
    wait_for_workers_of(tmp_path)
    finished = {note.with_suffix(".npy").name: note.with_suffix(".npy").stat().st_ino for note in notes}
    assert not (tmp_path / "shards/ptb_xl").exists()

    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    again = make((folder, long), tmp_path, Signal(shard_records=1))
    assert {name: (again / name).stat().st_ino for name in finished} == finished
    whole = make((folder, long), tmp_path / "whole", Signal(shard_records=1))
    assert content(again) == content(whole)


def wait_for_workers_of(folder: Path) -> None:
    """Wait until every process that inherited the mark has ended; fail after 20 s."""
    for _ in range(200):
        if not marked(folder):
            return
        time.sleep(0.1)
    pytest.fail(f"workers outlive their killed parent: {marked(folder)}")


def marked(folder: Path) -> list[str]:
    processes = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MARK={folder}\0".encode() in environ.read_bytes():
                processes.append(environ.parent.name)
        except OSError:
            continue
    return processes


def test_a_finished_shard_that_was_damaged_is_made_again(corpus, once, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(preprocessing, "_assemble", interrupt)
        make(corpus, tmp_path)
    shard = next((tmp_path / "scratch").glob("*/signals-00002.npy"))
    damaged = bytearray(shard.read_bytes())
    damaged[5000] ^= 4
    shard.write_bytes(damaged)
    assert content(make(corpus, tmp_path)) == content(once)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_each_fault_becomes_a_reason_and_the_rest_is_kept(tmp_path, monkeypatch, fault):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    index = write_corpus(tmp_path / "corpus", 4, faults={2: fault})
    folder = make((tmp_path / "corpus", index), tmp_path, Signal(max_quarantined=0.3))
    assert open_shards(folder).rows["id"].to_list() == ["r000", "r001", "r003"]
    listed = tables.read(folder / "quarantine.parquet")
    assert listed["id"].to_list() == ["r002"]
    assert fault in listed["reason"][0]


def test_a_wrong_checksum_is_refused_only_if_checksums_are_verified(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    index = write_corpus(tmp_path / "corpus", 4)
    data = bytearray((tmp_path / "corpus/r002.dat").read_bytes())
    data[100] ^= 1
    (tmp_path / "corpus/r002.dat").write_bytes(data)
    for verify, reasons in ((False, []), (True, ["the samples contradict the checksums of the header"])):
        settings = Signal(max_quarantined=0.3, verify_checksums=verify)
        folder = make((tmp_path / "corpus", index), tmp_path, settings)
        assert tables.read(folder / "quarantine.parquet")["reason"].to_list() == reasons


def test_validation_reads_amplitude_and_flat_leads_from_the_reasons(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    index = write_corpus(tmp_path / "corpus", 6, faults={1: "amplitude of", 2: "flat leads", 3: "zero gain"})
    folder = make((tmp_path / "corpus", index), tmp_path, Signal(max_quarantined=0.6))
    records = frames.records(tables.read(folder / "rows.parquet"), tables.read(folder / "quarantine.parquet"))
    refused = records.filter(pl.col("quarantined") == 1)
    assert refused["flat_leads"].to_list() == [None, 12, None]
    assert refused["amplitude_uv"][0] > 100_000
    assert refused["amplitude_uv"].null_count() == 2


def test_limits_that_only_refuse_records_leave_the_manifest_alone(corpus, once, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    settings = SETTINGS.model_copy(update={"max_amplitude_mv": 30.0, "verify_checksums": True})
    assert content(make(corpus, tmp_path, settings)) == content(once)


def test_too_many_bad_records_stop_the_stage_and_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    index = write_corpus(tmp_path / "corpus", 6, faults={1: "zero gain", 4: "zero gain", 5: "flat leads"})
    with pytest.raises(DataError, match=r"zero gain.*\(2\)(.|\n)*signal\.max_quarantined") as caught:
        make((tmp_path / "corpus", index), tmp_path)
    listing = tmp_path / "scratch/quarantine.parquet"
    assert str(listing) in caught.value.fix
    assert tables.read(listing)["id"].to_list() == ["r001", "r004", "r005"]
    assert not (tmp_path / "shards").exists()


def test_a_shard_of_bad_records_alone_is_empty_and_harmless(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    index = write_corpus(tmp_path / "corpus", 3, faults={1: "zero gain"})
    folder = make((tmp_path / "corpus", index), tmp_path, Signal(shard_records=1, max_quarantined=0.5))
    shards = open_shards(folder, verify=True)
    assert len(shards) == 2
    assert shards.gather(np.array([1, 0, 1])).any(axis=(1, 2)).all()


def test_leads_beside_the_twelve_are_left_out_and_a_foreign_name_is_not():
    signal = np.arange(30.0).reshape(15, 2)
    twelve, leads = preprocessing.drop_extra_leads(signal, ["VX", *LEADS, "VY", "VZ"])
    assert leads == list(LEADS)
    np.testing.assert_array_equal(twelve, signal[1:13])
    assert preprocessing.drop_extra_leads(signal[:12], [*LEADS[:11], "Q"])[1] == [*LEADS[:11], "Q"]
