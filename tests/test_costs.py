"""What stage calls cost: measured with their workers, kept in a ledger, and matched to the present settings."""

import contextlib
import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cgdmer import costs, settings, stages
from cgdmer.commands import costs as command
from cgdmer.costs import usage
from cgdmer.errors import DataError, Preempted

ROOT = Path(__file__).resolve().parents[1]
SPIN = "import time\nwhile time.process_time() < 0.5: pass\nopen('out', 'wb').write(bytes(5_000_000))"
"""A program that takes at least half a second of CPU time and writes 5 MB."""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_finished_child_and_one_that_still_runs_count(here):
    with usage.Meter() as meter:
        subprocess.run([sys.executable, "-c", SPIN], check=True)
        living = subprocess.Popen(
            [sys.executable, "-c", f"{SPIN}\nprint('ready', flush=True)\ninput()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        living.stdout.readline()
        used = meter.read()
        living.communicate(b"\n")
    assert used.cpu_s >= 1.0
    assert used.written_bytes >= 10_000_000
    assert used.wall_s > 0


def test_memory_is_that_of_this_process_without_what_it_maps(here):
    (here / "mapped").write_bytes(bytes(50_000_000))
    before = usage.anonymous_bytes(os.getpid())
    block = bytearray(os.urandom(1000) * 60_000)
    with usage.Meter() as meter:
        meter._sample()
        assert meter.read().memory_bytes >= before + 40_000_000
    grown = usage.anonymous_bytes(os.getpid())
    with (here / "mapped").open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[::4096]) == 0
        assert usage.anonymous_bytes(os.getpid()) < grown + 40_000_000
    del block


def test_a_gpu_counts_while_a_process_holds_it(tmp_path, monkeypatch):
    for process, name in ((1, usage.CUDA), (2, "/dev/nvidiactl"), (3, "/dev/null")):
        (tmp_path / str(process) / "fd").mkdir(parents=True)
        (tmp_path / str(process) / "fd/7").symlink_to(name)
    monkeypatch.setattr(usage, "PROC", tmp_path)
    assert [usage.holds_gpu(process) for process in (1, 2, 3, 4)] == [True, False, False, False]
    monkeypatch.setattr(usage, "tree", lambda: iter((1, 1, 1, 2)))
    monkeypatch.setattr(usage, "gpu_count", lambda: 2)
    now = iter((10.0, 10.0, 13.0, 17.0, 17.0))
    meter = usage.Meter()
    meter.sampled, meter.memory, meter.gpu_s = 10.0, 0, 0.0
    monkeypatch.setattr(usage.time, "monotonic", lambda: next(now))
    for _ in range(4):
        meter._sample()
    assert meter.gpu_s == 2 * 7.0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "finished"), (Preempted("SIGTERM"), "stopped"), (KeyboardInterrupt(), "stopped"), (ValueError(), "failed")],
)
def test_a_call_is_recorded_however_it_ends(here, error, outcome):
    with contextlib.suppress(Preempted, KeyboardInterrupt, ValueError), costs.measured("index csn", "a1"):
        if error:
            raise error
    [cost] = costs.ledger()
    assert (cost.call, cost.settings, cost.outcome, cost.stage) == ("index csn", "a1", outcome, "index")


def test_a_ledger_that_cannot_be_written_stops_no_stage(here, caplog):
    (here / ".cgdmer").write_text("a file")
    with costs.measured("index csn", "a1"):
        pass
    assert "the cost of index csn is not recorded" in caplog.text


def cost(call: str, digest: str, wall: float, outcome: str = "finished", memory: int = 1) -> costs.Cost:
    return costs.Cost(call, digest, "2026-01-01T00:00:00+00:00", outcome, wall, 2 * wall, 0.0, memory, 10, 20)


def test_a_result_costs_all_parts_of_the_last_call_that_finished():
    known = [
        cost("pretrain", "new", 1.0),
        cost("pretrain", "new", 10.0, "stopped", memory=7),
        cost("pretrain", "old", 1000.0),
        cost("pretrain", "new", 30.0, memory=5),
        cost("index csn", "x", 3.0, "failed"),
        cost("report", "r", 2.0),
        cost("report", "r", 9.0, "stopped"),
    ]
    present = costs.of_results(known, {"index csn": "x", "pretrain": "new", "report": "r", "probe": "p"})
    assert [(one.call, one.wall_s, one.memory_bytes) for one in present] == [("pretrain", 40.0, 7), ("report", 2.0, 1)]
    numbers = costs.numbers(present)
    assert numbers["cost/total/wall_s"] == 42.0
    assert numbers["cost/pretrain/cpu_s"] == 80.0
    assert numbers["cost/total/memory_bytes"] == 7.0
    assert costs.numbers([]) == {}


def test_damaged_lines_are_skipped_with_a_warning(here, caplog):
    costs._append(cost("index csn", "x", 3.0))
    good = costs.LEDGER.read_text()
    bad = ["{", "[]", "7", json.dumps({"call": "x"}), good.strip().replace('"wall_s": 3.0', '"wall_s": "3"')]
    costs.LEDGER.write_bytes("\n".join([*bad, "\xff", good]).encode("latin-1"))
    assert costs.ledger() == [cost("index csn", "x", 3.0)]
    assert caplog.text.count("not the cost of a stage") == 6


def test_the_settings_of_a_call_are_the_same_from_dvc_yaml_and_from_its_function(monkeypatch):
    monkeypatch.chdir(ROOT)
    chosen = settings.load(ROOT / "params/demo.yaml")
    known = command.digests(chosen)
    assert len(known) > 40
    for call, digest in known.items():
        name, *items = call.split()
        stage = stages.find(name)
        values = dict(zip(stages.item_names(stage), items, strict=True))
        sections = {one: stages._section(one, values, chosen) for one in stages.section_names(stage)}
        assert stages._digest(sections) == digest, call


def test_a_stage_call_is_measured_and_shown(here, monkeypatch):
    chosen = settings.load(ROOT / "params/demo.yaml")
    monkeypatch.setattr(command, "PIPELINE", ROOT / "dvc.yaml")
    with pytest.raises(DataError, match="no stage call yet"):
        command.describe(chosen, every=True)
    stages.call("protocol", [], chosen)
    assert [one.call for one in command.of_results(chosen)] == ["protocol"]
    text = command.describe(chosen)
    assert [line.split()[0] for line in text.splitlines()[2:4]] == ["protocol", "total"]
    assert "Not measured on this machine with these settings: code, acquire mimic_iv_ecg, " in text
    assert "finished" in command.describe(chosen, every=True)
    other = chosen.model_copy(update={"protocol": chosen.protocol.model_copy(update={"way": "local"})})
    with pytest.raises(DataError, match="no call with the present settings"):
        command.describe(other)


def test_outside_a_project_the_pipeline_is_missed(here):
    with pytest.raises(DataError, match=r"dvc\.yaml is missing"):
        command.describe(settings.load(ROOT / "params/demo.yaml"), calls=True)
