"""Delivery of a journal: every point once, whatever happens to the server in between."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from mlflow.exceptions import MlflowException

from cgdmer.errors import ConfigError
from cgdmer.tracking import delivery, journal, server

pytestmark = [pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]


def write_curve(path, steps, begin=0):
    lines = [json.dumps({"step": i, "time": 1000 + i, "metrics": {"loss": 1 / (i + 1)}}) for i in range(begin, steps)]
    with path.open("a") as stream:
        stream.write("".join(f"{line}\n" for line in lines))
    return path


def history(run, name="loss"):
    return server.connect().get_metric_history(run, name)


def test_a_curve_arrives_once_and_a_torn_line_waits(here):
    path = write_curve(here / "abc.jsonl", 700)
    whole = path.read_text()
    path.write_text(whole + '{"step": 700, "ti')
    run = delivery.deliver(path)
    assert len(history(run)) == 700
    path.write_text(whole + '{"step": 700, "time": 9999, "metrics": {"loss": 5.0}}\n')
    assert delivery.deliver(path) == run
    assert [point.step for point in history(run)] == list(range(701))
    assert history(run)[-1].value == 5.0


def test_status_and_params_follow_the_journal(here):
    path = here / "abc.jsonl"
    for event in ({"params": {"train.lr": "0.1"}}, {"status": "RUNNING"}, {"step": 1, "metrics": {"loss": 1.0}}):
        journal.append(path, event)
    run = delivery.deliver(path)
    entry = server.connect().get_run(run)
    assert (entry.info.status, entry.data.params, entry.data.tags["kind"]) == (
        "RUNNING",
        {"train.lr": "0.1"},
        "pretrain",
    )
    for status in ("KILLED", "RUNNING", "FINISHED"):
        journal.append(path, {"status": status})
        delivery.deliver(path)
        assert server.connect().get_run(run).info.status == status


@pytest.mark.parametrize("between", [True, False])
def test_a_training_that_began_twice_before_its_first_metric_is_delivered(here, between):
    path = here / "abc.jsonl"
    for accumulate in ("1", "4"):
        journal.append(path, {"params": {"train.lr": "0.1", "train.accumulate": accumulate}})
        journal.append(path, {"status": "RUNNING"})
        if between:
            delivery.deliver(path)
    run = delivery.deliver(write_curve(path, 3))
    assert server.connect().get_run(run).data.params == {"train.lr": "0.1", "train.accumulate": "1"}
    assert len(history(run)) == 3


def test_another_server_and_a_deleted_run_get_the_whole_curve(here, monkeypatch):
    path = write_curve(here / "abc.jsonl", 30)
    first = delivery.deliver(path)
    server.connect().delete_run(first)
    second = delivery.deliver(path)
    assert second != first
    assert len(history(second)) == 30
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/other.db")
    assert len(history(delivery.deliver(path))) == 30


def test_a_server_killed_and_started_again_gets_every_point_once(here, real_server):
    path = write_curve(here / "killed.jsonl", 40)
    run = delivery.deliver(path)
    real_server.tell("kill")
    write_curve(path, 90, begin=40)
    with pytest.raises(MlflowException):
        delivery.deliver(path)
    real_server.tell("start")
    assert delivery.deliver(path) == run
    assert [point.step for point in history(run)] == list(range(90))


def test_an_answer_lost_after_the_work_was_done_makes_no_second_point(here, real_server):
    path = write_curve(here / "lost.jsonl", 40)
    real_server.tell("lose 1")
    with pytest.raises(MlflowException):
        delivery.deliver(path)
    assert real_server.tell("lose 0") == "lose done, 0 to lose"
    assert not path.with_suffix(".delivered.json").exists()
    assert [point.step for point in history(delivery.deliver(path))] == list(range(40))


def test_a_server_that_refuses_loses_nothing(here, monkeypatch):
    class Broken(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(400)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_):
            pass

    broken = HTTPServer(("127.0.0.1", 0), Broken)
    Thread(target=broken.serve_forever, daemon=True).start()
    path = write_curve(here / "abc.jsonl", 50)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{broken.server_port}")
    with pytest.raises(MlflowException):
        delivery.deliver(path)
    broken.shutdown()
    broken.server_close()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/mlflow.db")
    assert len(history(delivery.deliver(path))) == 50


def test_the_retired_file_store_is_explained(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:./mlruns")
    with pytest.raises(ConfigError, match="sqlite:///FILE"):
        server.uri()


def test_secrets_are_taken_out_of_what_is_said(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter22")
    text = server.redact("cannot reach http://ann:pa55@host:5000/x with hunter22")
    assert text == "cannot reach http://***@host:5000/x with ***"
