"""Which events the tasks send, and what a flow run counts of the validation."""

import json
import logging
from types import SimpleNamespace

import pytest

from cgdmer import paths, publishing, settings
from cgdmer.commands import costs
from cgdmer.errors import Unavailable
from cgdmer.publishing.gate import Decision
from flows import artifacts, daily, dvc, notifications, quality_trend, remote, tasks


@pytest.fixture
def sent(monkeypatch):
    """The events that were sent: name, resource and summary."""
    events = []
    monkeypatch.setattr(
        notifications, "emit_event",
        lambda event, resource, payload: events.append((event, resource["prefect.resource.name"], payload["summary"])),
    )  # fmt: skip
    monkeypatch.setattr(tasks, "get_run_logger", lambda: logging.getLogger("test"))
    return events


@pytest.mark.parametrize(
    ("stage", "code", "expected"),
    [("validate@csn", 4, 1), ("validate@csn", 3, 0), ("shards@csn", 4, 0)],
)
def test_only_a_failed_validation_is_told_as_one(sent, monkeypatch, stage, code, expected):
    def fail(*_):
        raise dvc.StageError(f"stage {stage} ended with code {code}\nthe log", fix="")

    monkeypatch.setattr(remote, "reproduce", fail)
    with pytest.raises(dvc.StageError):
        tasks._reproduce(stage, 1.0, tasks.plain)
    assert [(event, what) for event, what, _ in sent] == [(notifications.INVALID, stage)] * expected


@pytest.mark.parametrize(("passed", "asked", "expected"), [(False, True, 1), (True, True, 0), (False, False, 0)])
def test_a_refused_candidate_is_told(sent, monkeypatch, passed, asked, expected):
    monkeypatch.setattr(settings, "load", lambda: None)
    monkeypatch.setattr(costs, "of_results", lambda _: [])
    monkeypatch.setattr(publishing, "publish", lambda *_, **__: SimpleNamespace(run="r", versions={}))
    monkeypatch.setattr(publishing, "decide", lambda: Decision(passed, "worse on csn"))
    monkeypatch.setattr(artifacts, "mlflow_run", lambda _: None)
    recorded = tasks.publish.fn(promote=asked, checked=True)
    assert recorded.verdict == ("worse on csn" if asked else "")
    assert sent == [(notifications.REFUSED, "gate", "worse on csn")] * expected


@pytest.mark.parametrize("drifted", [["heart_rate"], []])
def test_a_drift_event_is_sent_although_mlflow_does_not_answer(monkeypatch, drifted):
    sent = []

    def no_answer(*_):
        raise Unavailable("MLflow does not answer")

    monkeypatch.setattr(daily, "comparison", lambda _: SimpleNamespace(drifted=drifted))
    monkeypatch.setattr(daily, "log_comparison", no_answer)
    monkeypatch.setattr(
        daily, "emit_event", lambda event, resource, payload: sent.append((event, payload["variables"]))
    )
    with pytest.raises(Unavailable):
        daily.monitor.fn("s3://recordings/2026")
    assert sent == [(notifications.DRIFT, drifted)] * bool(drifted)


def test_a_long_reason_is_cut(sent):
    notifications.gate_refused("x" * 10_000)
    assert len(sent[0][2]) == notifications.LONGEST


def test_validation_is_counted_for_the_corpora_that_have_a_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = paths.validation("csn")
    folder.mkdir(parents=True)
    result = {"records": 9, "quarantined": {"short": 2, "flat": 1}, "warnings": ["w"], "critical_failed": []}
    (folder / "result.json").write_text(json.dumps(result))
    assert quality_trend.counts(["csn", "ptb_xl"]) == {
        "records/csn": 9.0, "quarantined/csn": 3.0, "warnings/csn": 1.0, "failed/csn": 0.0,
    }  # fmt: skip
