"""The journal of a training and the process beside it: training never waits for a server, and no step is repeated."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import chdir

import pytest
from mlflow.system_metrics.metrics import gpu_monitor
from support import example_pool

from cgdmer import paths, settings
from cgdmer.errors import Preempted
from cgdmer.stages.pretrain import pretrain
from cgdmer.tracking import delivery, follower, journal, server

pytestmark = [pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]


def events(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def points(path, name="loss"):
    return [(e["step"], e["metrics"][name]) for e in events(path) if name in e.get("metrics", {})]


@pytest.fixture
def alone(monkeypatch):
    """No process beside the journal."""
    monkeypatch.setattr(journal, "follow", lambda path: None)


def fill(path, steps, window=1):
    with journal.Journal(path, {"lr": "1"}, window) as live_run:
        for step in steps:
            live_run(step, {"loss": float(step)})
            if step % 5 == 0:
                live_run(step, {"held_out/loss": float(-step)})


def test_training_metrics_are_means_of_a_window_and_held_out_ones_are_not(here, alone):
    fill(here / "a.jsonl", range(1, 13), window=5)
    assert points(here / "a.jsonl") == [(5, 3.0), (10, 8.0), (12, 11.5)]
    assert points(here / "a.jsonl", "held_out/loss") == [(5, -5.0), (10, -10.0)]
    assert [e["status"] for e in events(here / "a.jsonl") if "status" in e] == ["RUNNING", "FINISHED"]


def test_a_resumed_training_repeats_no_step_and_mends_a_torn_line(here, alone):
    path = here / "a.jsonl"
    fill(path, range(1, 8))
    with path.open("a") as stream:
        stream.write('{"step": 8, "metr')
    fill(path, range(4, 11))
    assert [step for step, _ in points(path)] == list(range(1, 11))
    assert len([e for e in events(path) if "params" in e]) == 1


@pytest.mark.parametrize("damage", [b"\0" * 40, b'{"step": 8, "metr{"step": 9, "time": 9}', b"[8]", b"\xff"])
def test_a_damaged_line_costs_no_other_point_and_no_training(here, alone, damage):
    path = here / "a.jsonl"
    fill(path, range(1, 4))
    with path.open("ab") as stream:
        stream.write(damage + b"\n")
    fill(path, range(3, 7))
    assert follower.next_step(path) == 0
    run = delivery.deliver(path)
    points = server.connect().get_metric_history(run, "loss")
    assert [point.step for point in points] == list(range(1, 7))


@pytest.mark.parametrize(("error", "status"), [(Preempted("stopped"), "KILLED"), (ValueError("x"), "FAILED")])
def test_the_end_of_a_training_is_told(here, alone, error, status):
    with pytest.raises(type(error)), journal.Journal(here / "a.jsonl", {}):
        raise error
    assert events(here / "a.jsonl")[-1]["status"] == status


def test_a_killed_training_keeps_its_journal_and_one_done_anew_gets_another(here, alone, monkeypatch):
    monkeypatch.setenv("CGDMER_TRACKING", "on")
    for folder in ("s1", "s1", "s2"):
        with journal.live("key", here / folder, {"train": settings.Train()}, 1) as live_run:
            live_run(1, {"loss": 1.0})
    journals = sorted(journal.FOLDER.glob("key-*.jsonl"))
    assert len(journals) == 2
    assert journal.newest("key") in journals
    assert journal.newest("other") is None
    assert all(len(points(path)) == 1 for path in journals)


def test_it_can_be_turned_off(here):
    with journal.live("key", here / "s", {}, 1) as live_run:
        live_run(1, {"loss": 1.0})
    assert not journal.FOLDER.exists()


def test_the_process_beside_a_training_delivers_and_leaves(here):
    path = here / "a.jsonl"
    with journal.Journal(path, {}) as live_run:
        beside = live_run.follower
        for step in range(30):
            live_run(step, {"loss": 1.0})
    assert beside.wait(timeout=240) == 0, path.with_suffix(".log").read_text()
    client = server.connect()
    [run] = client.search_runs([server.experiment(client)])
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 30
    assert run.info.status == "FINISHED"


KILLED = """
import os, signal, sys
from pathlib import Path
from cgdmer.tracking import journal
live_run = journal.Journal(Path(sys.argv[1]), {}).__enter__()
live_run(1, {"loss": 1.0})
print(live_run.follower.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_training_that_is_killed_is_marked_and_its_companion_leaves(here):
    path = here / "a.jsonl"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == -9
    beside = int(done.stdout)
    deadline = time.monotonic() + 240
    while os.path.exists(f"/proc/{beside}"):
        assert time.monotonic() < deadline, path.with_suffix(".log").read_text()
        time.sleep(0.1)
    assert events(path)[-1]["status"] == "KILLED"
    assert server.connect().get_run(delivery.deliver(path)).info.status == "KILLED"


@pytest.mark.parametrize("address", ["silent", "http://127.0.0.1:9"])
def test_no_server_stops_a_training_or_changes_its_weights(here, monkeypatch, silent_server, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent_server if address == "silent" else address)
    started = []
    real = journal.follow
    monkeypatch.setattr(journal, "follow", lambda path: started.append(real(path)) or started[-1])
    weights = []
    for switch in ("on", "off"):
        monkeypatch.setenv("CGDMER_TRACKING", switch)
        (here / switch).mkdir()
        example_pool.write(here / switch)
        with chdir(here / switch):
            pretrain(
                model=example_pool.MODEL, masking=settings.Masking(), objective=settings.Objective(),
                augmentation=settings.Augmentation(),
                train=settings.Train(epochs=1, batch=24, held_out=8, log_steps=1), signal=example_pool.SIGNAL,
            )  # fmt: skip
            weights.append((paths.MODEL / "weights.safetensors").read_bytes())
    [beside] = started
    beside.kill()
    beside.wait()
    assert weights[0] == weights[1]
    [path] = (here / "on" / journal.FOLDER).glob("*.jsonl")
    assert [step for step, _ in points(path)] == [1, 2, 3]
    assert not path.with_suffix(".delivered.json").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/mlflow.db")
    assert len(server.connect().get_metric_history(delivery.deliver(path), "loss")) == 3


def test_tracking_a_training_imports_no_mlflow(here):
    code = "import sys, cgdmer.stages.pretrain; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_samples_of_the_machine_go_on_where_they_stopped(here, monkeypatch):
    sampler = follower.Sampler()
    metrics = sampler()
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(metrics)
    assert 0 < metrics["system/system_memory_usage_percentage"] <= 100
    for step in range(3):
        journal.append(here / "a.jsonl", {"step": step, "metrics": metrics})
    assert follower.next_step(here / "a.jsonl") == 3


def test_the_machine_is_sampled_while_no_server_answers(here, monkeypatch):
    """MLflow's own `SystemMetricsMonitor` would end at the first request that fails."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(follower, "SAMPLE", 0.01)
    path, ended = here / "a.jsonl", threading.Event()
    journal.append(path, {"status": "RUNNING"})
    sampling = threading.Thread(target=follower.sample, args=(path, follower.Sampler(), ended))
    sampling.start()
    deadline = time.monotonic() + 120
    while follower.next_step(path) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ended.set()
    sampling.join()
    assert [step for step, _ in points(path, "system/cpu_utilization_percentage")][:3] == [0, 1, 2]


def test_gpus_are_sampled_where_nvml_answers(monkeypatch):
    class NvmlError(Exception):
        pass

    def of_the_first_alone(gpu):
        if gpu:
            raise NvmlError("not supported")
        return 300_000

    class Nvml:
        NVMLError = NvmlError
        nvmlInit = staticmethod(lambda: None)
        nvmlDeviceGetCount = staticmethod(lambda: 2)
        nvmlDeviceGetHandleByIndex = staticmethod(lambda number: number)
        nvmlDeviceGetMemoryInfo = staticmethod(lambda gpu: type("M", (), {"used": (gpu + 1) * 1e9, "total": 4e9}))
        nvmlDeviceGetUtilizationRates = staticmethod(lambda gpu: type("U", (), {"gpu": 50 + gpu}))
        nvmlDeviceGetPowerUsage = staticmethod(of_the_first_alone)
        nvmlDeviceGetEnforcedPowerLimit = staticmethod(lambda gpu: 600_000)

    monkeypatch.setattr(gpu_monitor, "pynvml", Nvml)
    metrics = follower.Sampler()()
    assert [metrics[f"system/gpu_{gpu}_utilization_percentage"] for gpu in (0, 1)] == [50.0, 51.0]
    assert metrics["system/gpu_1_memory_usage_percentage"] == 50.0
    assert metrics["system/gpu_0_power_usage_watts"] == 300.0
    assert "system/gpu_1_power_usage_watts" not in metrics
