"""The rehearsal at size: its mirror is found, its faults are quarantined, its numbers are fitted and merged."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.rehearsal import corpora, faults, meter
from benchmarks.rehearsal.__main__ import text
from benchmarks.rehearsal.growth import exponent, extrapolated, growth, merged
from benchmarks.rehearsal.project import KILLED_IN, MEASURED, Project, calls, killed
from cgdmer import datasets, paths, preprocessing, tables
from cgdmer.report.rehearsal import Call, Fault, Kill, Rehearsal, Run
from cgdmer.settings import Corpus, Index, Signal
from cgdmer.stages.index import index as index_stage

pytestmark = pytest.mark.xdist_group("rehearsal")

SIZES = {"mimic_iv_ecg": 20, "ptb_xl": 20, "cpsc2018": 20, "csn": 20}
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("rehearsal")
    corpora.write(root, SIZES)
    return root


@pytest.fixture
def project(tmp_path, monkeypatch, mirror) -> Path:
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(mirror))
    monkeypatch.setenv("CGDMER_WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("source", datasets.SOURCES)
def test_every_source_finds_its_records_in_the_mirror(project, mirror, source):
    root = datasets.local_root(source, Corpus())
    expected = corpora.folder(mirror, source)
    assert root == (expected / "training/cpsc_2018" if source == "cpsc2018" else expected)
    with datasets.open_raw(source, Corpus()) as archive:
        read = datasets.module(source).read_index(archive, corpus=Corpus(), index=Index(), protocol=None)
    assert read.facts["rows" if source in ("mimic_iv_ecg", "ptb_xl") else "files"] == SIZES[source]
    assert set(read.frame["fs"]) == {500.0}
    assert read.quarantine.height == 0 or source == "mimic_iv_ecg"
    checked = subprocess.run(["sha256sum", "--check", "--quiet", corpora.SUMS], cwd=expected, check=False)
    assert checked.returncode == 0, "SHA256SUMS.txt describes the files"


def test_a_corpus_has_every_record_two_tables_and_a_note(mirror):
    top = corpora.folder(mirror, "ptb_xl")
    names = {path.name for path in top.rglob("*") if path.is_file()} - {"index.html"}
    added = {corpora.SUMS, "LICENSE.txt", "RECORDS"}
    assert added < names
    assert len(names - added) == 2 * SIZES["ptb_xl"] + 3, "header and signal of each record, two tables and a note"


def test_every_planted_fault_is_in_quarantine_with_its_reason(project, tmp_path, monkeypatch):
    root = tmp_path / "faulty"
    corpora.write(root, {"mimic_iv_ecg": 40})
    planted = faults.plant(root)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(root))
    index_stage("mimic_iv_ecg", corpus=Corpus(), index=Index(max_quarantined=0.5))
    index = tables.read(paths.index("mimic_iv_ecg"))
    with datasets.open_raw("mimic_iv_ecg", Corpus()) as archive:
        signal = Signal(verify_checksums=True, max_quarantined=0.5)
        preprocessing.preprocess(index, archive, paths.shards("mimic_iv_ecg"), tmp_path / "work", signal, 10.0)
    found = {fault.kind: fault.reason for fault in faults.quarantined(planted, project)}
    words = {
        "truncated": "holds 3,000 of the 5,000 samples",
        "wrong checksum": "contradict the checksums",
        "NaN": "1.00 s of signal are missing",
        "25 mV": "amplitude of",
        "unknown lead": "X7",
        "empty report": "report is empty",
        "duplicate id": "more than once",
    }
    assert set(found) == set(words)
    assert {kind: reason for kind, reason in found.items() if words[kind] not in reason} == {}
    rows = tables.read(paths.shards("mimic_iv_ecg") / "rows.parquet")
    used = {fault.kind for fault in planted if fault.id in set(rows["id"])}
    assert used == {"duplicate id"}, "the first of two equal rows is used"


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_of_a_power_is_its_power(power):
    sizes = [1000, 10_000, 100_000]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([15.0, 105.0], 8005.35), ([5.0, 5.0], 5.0), ([6.0, 5.0], 6.0 - 1.0), ([1.0, 100.0], 100 * 80.0035**2)],
    ids=["start and cost per record", "constant", "noise", "quadratic"],
)
def test_extrapolation_is_a_line_or_a_power_if_growth_is_faster(values, expected):
    assert extrapolated([1000, 10_000], values, 800_035) == pytest.approx(expected, rel=1e-3)


def run_of(records: int, seconds: float) -> Run:
    call = Call("index mimic_iv_ecg", records, seconds, seconds, 100.0, 100.0, 1.0, 1.0)
    short = Call("probe cgdmer csn", 300, 9.0, 9.0, 100.0, 100.0, 1.0, 1.0)
    return Run(
        records, {"mimic_iv_ecg": records}, "2026-01-01", "abc", "a machine", {"python": "3"}, ["a: 1, not 2"],
        raw_gb=1.0, write_s=1.0, repro_s=seconds, again_s=1.0, calls=[call, short], faults=[Fault("NaN", "1", "why")],
    )  # fmt: skip


def test_runs_are_merged_by_size_and_survive_json():
    merged_runs = merged(merged(merged(Rehearsal(), run_of(10_000, 50.0)), run_of(1000, 9.0)), run_of(1000, 5.0))
    assert [(run.records, run.repro_s) for run in merged_runs.runs] == [(1000, 5.0), (10_000, 50.0)]
    (grown,) = merged_runs.growth
    assert (grown.name, grown.smallest, grown.largest, grown.real) == ("index mimic_iv_ecg", 1000, 10_000, 800_035)
    assert (grown.wall, grown.memory, grown.memory_mb) == (1.0, 0.0, 100)
    assert grown.hours == pytest.approx(800_035 * 0.005 / 3600, rel=0.01)
    assert Rehearsal.from_json(json.loads(json.dumps(merged_runs.to_json()))) == merged_runs
    assert "index mimic_iv_ecg" in text(merged_runs.runs[0], merged_runs)


def test_a_killed_call_is_not_part_of_the_growth():
    runs = [run_of(1000, 5.0), run_of(10_000, 50.0), replace(run_of(3000, 90.0), kills=[Kill("index mimic_iv_ecg", 2)])]
    (killed,) = growth(runs)
    assert killed == growth(runs[:2])[0]


def test_the_meter_counts_child_processes_and_orphans(tmp_path):
    log, file = tmp_path / "log.jsonl", tmp_path / "file"
    file.write_bytes(b"\0" * 20_000_000)
    child = f"import time; held = bytearray(150_000_000); open({str(file)!r}, 'rb').read(); time.sleep(0.6)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(0.4)"
    words = [sys.executable, meter.__file__, str(log), "a stage", sys.executable, "-c", parent]
    assert subprocess.run(words, check=False).returncode == 0
    begin, *progress, end = (json.loads(line) for line in log.read_text().splitlines())
    assert (begin["event"], end["event"], end["label"], end["code"]) == ("begin", "end", "a stage", 0)
    assert end["read_mb"] > 20
    assert end["process_mb"] > 150
    assert {one["event"] for one in progress} == {"progress"}
    assert set(MEASURED) <= progress[0].keys(), "a killed command leaves the same measurements"


def test_what_dvc_needs_is_the_rest_of_the_whole():
    shared = {"memory_mb": 9.0, "process_mb": 8.0, "command_mb": 7.0, "read_mb": 1.0, "written_mb": 1.0}
    entries = [
        {"event": "begin", "label": "repro"},
        {"event": "begin", "label": "embed cgdmer csn"},
        {"event": "progress", "label": "embed cgdmer csn", "wall_s": 1.0, "cpu_s": 1.0, **shared},
        {"event": "progress", "label": "embed cgdmer csn", "wall_s": 2.0, "cpu_s": 2.0, **shared, "memory_mb": 12.0},
        {"event": "progress", "label": "repro", "wall_s": 3.0, "cpu_s": 3.0, **shared},  # and here all were killed
        {"event": "begin", "label": "repro"},
        {"event": "begin", "label": "embed cgdmer csn"},
        {"event": "end", "label": "embed cgdmer csn", "wall_s": 3.0, "cpu_s": 2.0, **shared},
        {"event": "end", "label": "repro", "wall_s": 10.0, "cpu_s": 6.0, **shared},
    ]
    measured = calls(entries, "repro", {"mimic_iv_ecg": 5, "csn": 2})
    assert [(call.name, call.records, call.wall_s, call.cpu_s, call.memory_mb) for call in measured] == [
        ("embed cgdmer csn", 2, 5.0, 4.0, 12.0),
        ("dvc", 7, 8.0, 5.0, 7.0),
    ]


WORKING = """
import json, sys, time
from pathlib import Path
folder, log, name, file = sys.argv[1:]
def say(event, label):
    with open(log, "a") as stream:
        stream.write(json.dumps({"event": event, "label": label, "time": time.time()}) + chr(10))
say("begin", "repro")
say("begin", name)
path = Path(folder, file)
path.parent.mkdir(parents=True)
time.sleep(0.4)
if "--too-small" not in file:
    path.touch()
    time.sleep(600)
say("end", name)
say("begin", "report")
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("shards mimic_iv_ecg", ".cgdmer/work/shards/mimic_iv_ecg/key/shard-00000.json", {"shards mimic_iv_ecg"}),
        ("pretrain", ".cgdmer/work/pretrain/key/step-000000020.json", {"pretrain"}),
        ("pretrain", "--too-small/nothing", {"report", "dvc"}),
    ],
)
def test_a_stage_is_killed_once_there_is_work_to_go_on_from(tmp_path, monkeypatch, name, file, expected):
    project, started = Project(tmp_path / "project", tmp_path), []

    def repro(self, label):
        words = [sys.executable, "-c", WORKING, self.folder, self.log, name, file]
        started.append(subprocess.Popen(words, start_new_session=True))
        return started[0]

    monkeypatch.setattr(Project, "repro", repro)
    kill = project.killed_in("repro", name, KILLED_IN[name])
    assert started[0].returncode == -9
    assert kill.name in expected
    assert (project.folder / file).is_file() == (kill.name == name)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("begin", "pretrain", 3.0)], Kill("pretrain", 7.0)),
        ([("begin", "pretrain", 3.0), ("progress", "pretrain", 5.0), ("end", "pretrain", 8.0)], Kill("dvc", 9.0)),
        ([("begin", "shards csn", 2.0), ("end", "shards csn", 4.0), ("begin", "pretrain", 6.0)], Kill("pretrain", 4.0)),
    ],
)
def test_what_was_killed_is_what_had_not_ended(events, expected):
    entries = [{"event": event, "label": label, "time": at} for event, label, at in [("begin", "repro", 1.0), *events]]
    assert killed(entries, "repro", 10.0) == expected


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_a_rehearsal_of_1000_records_ends_green(tmp_path):
    words = [
        sys.executable,
        "-m",
        "benchmarks.rehearsal",
        "--records",
        "1000",
        "--faults",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words += ["--folder", str(tmp_path / "work"), "--result", str(tmp_path / "result.json")]
    subprocess.run(words, cwd=ROOT, env=environment, check=True)
    (run,) = Rehearsal.from_json(json.loads((tmp_path / "result.json").read_text())).runs
    assert {"acquire csn", "shards mimic_iv_ecg", "pretrain", "probe cgdmer ptb_xl", "report", "dvc"} <= {
        call.name for call in run.calls
    }
    assert {fault.kind for fault in run.faults} == {*faults.IN_RECORD, *faults.IN_TABLE}
    assert all(fault.reason for fault in run.faults)
    assert not (tmp_path / "work/1000").exists()
