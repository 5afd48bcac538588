"""Tracking: one state is one run, whatever happens to the server in between."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from cgdmer.errors import ConfigError, DataError
from cgdmer.tracking import journal, record, server, state

METRICS = {
    "auroc": {"csn": {"1.0": {"cgdmer": {"pooled": {"mean": 0.8, "low": 0.7, "high": 0.9}}}}},
    "zero_shot": {"csn": {"mean": 0.6}},
    "retrieval": {"report_to_ecg": {"recall_at_1": 0.1}},
    "data": {"csn": {"records": 3}},
}
STATE = state.PipelineState("0123456789abcdef", "c0ffee", True, {"train.lr": "0.001"}, {"torch": "2.13.0"})


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """A migrated, empty database; migrating one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, empty_database) -> Path:
    for name in ("mlflow.db", "other.db"):
        shutil.copy(empty_database, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path


def write_curve(folder: Path, steps: int) -> Path:
    lines = [json.dumps({"step": i, "time": 1000 + i, "metrics": {"loss": 1 / (i + 1)}}) for i in range(steps)]
    path = folder / "abc.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_recording_twice_adds_nothing(here):
    results = record.Results(METRICS, [record.Corpus("csn", "d1", {"train": 3}, "simulate")], [], write_curve(here, 20))
    first = record.record(STATE, results)
    client = server.connect()
    before = len(client.search_runs([server.experiment(client)]))
    assert record.record(STATE, results) == first
    assert len(client.search_runs([server.experiment(client)])) == before == 3
    run = client.get_run(first)
    assert run.data.metrics["auroc/csn/1.0"] == 0.8
    assert run.data.params == {"train.lr": "0.001"}
    assert run.data.tags["dvc_lock"] == STATE.lock
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == ["d1"]


def test_a_half_written_run_is_written_anew():
    results = record.Results(METRICS)
    first = record.record(STATE, results)
    client = server.connect()
    client.set_tag(first, "complete", "false")
    second = record.record(STATE, results)
    assert second != first
    assert len(client.search_runs([server.experiment(client)])) == 2


def test_live_curve_reaches_the_server_once_and_a_torn_line_waits(here):
    path = write_curve(here, 700)
    whole = path.read_text()
    path.write_text(whole + '{"step": 700, "ti')
    progress = here / "p.json"
    run = journal.deliver(path, progress, "abc")
    path.write_text(whole + '{"step": 700, "time": 9999, "metrics": {"loss": 5.0}}\n')
    assert journal.deliver(path, progress, "abc") == run
    history = server.connect().get_metric_history(run, "loss")
    assert len(history) == 701
    assert history[-1].value == 5.0


def test_a_new_server_gets_the_whole_curve(here, monkeypatch):
    path, progress = write_curve(here, 30), here / "p.json"
    journal.deliver(path, progress, "abc")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/other.db")
    run = journal.deliver(path, progress, "abc")
    assert len(server.connect().get_metric_history(run, "loss")) == 30


def test_a_broken_server_stops_nobody_and_loses_nothing(here, monkeypatch):
    class Broken(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(400)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_):
            pass

    broken = HTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=broken.serve_forever, daemon=True).start()
    monkeypatch.setattr(journal, "PAUSE", 0.05)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{broken.server_port}")
    with journal.Journal(here / "live", "run1") as log:
        for step in range(50):
            log(step, {"loss": float(step)})
    broken.shutdown()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/mlflow.db")
    run = journal.deliver(log.path, log.progress, "run1")
    assert len(server.connect().get_metric_history(run, "loss")) == 50


def test_the_retired_file_store_is_explained(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:./mlruns")
    with pytest.raises(ConfigError, match="sqlite:///FILE"):
        server.uri()


def test_a_state_needs_results_and_changes_with_them(here):
    with pytest.raises(DataError, match="dvc repro"):
        state.current({})
    (here / "dvc.lock").write_text("a")
    first = state.current({"train": {"lr": 0.1}, "fan": [1]})
    (here / "dvc.lock").write_text("b")
    assert state.current({}).lock != first.lock
    assert first.params == {"train.lr": "0.1", "fan": "[1]"}
    assert first.commit == ""
