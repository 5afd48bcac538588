"""Runs of operations in MLflow: one per operation, however often it is tried."""

import pytest
from mlflow.tracking import MlflowClient

from cgdmer.tracking import operation_runs, server

pytestmark = [pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]


def record(key):
    return operation_runs.record(
        operation_runs.INFERENCE,
        "embed 3 recordings",
        {"kind": "embed"},
        {"written": 3},
        texts={"rejects.json": {}},
        key=key,
    )


@pytest.fixture
def failing_store(monkeypatch):
    """A store that fails after the metrics of a run are in it, at the first call."""
    plain = MlflowClient.log_text

    def fail(*words):
        monkeypatch.setattr(MlflowClient, "log_text", plain)
        raise ConnectionError("the store is gone")

    monkeypatch.setattr(MlflowClient, "log_text", fail)


def test_an_operation_that_was_tried_again_is_one_run(failing_store):
    with pytest.raises(ConnectionError):
        record("task")
    run, other = record("task"), record("another")
    client = server.connect()
    runs = client.search_runs([server.experiment(client, operation_runs.INFERENCE)])
    assert {one.info.run_id for one in runs} == {run, other}
    assert {one.info.status for one in runs} == {"FINISHED"}
    assert client.get_run(run).data.metrics == {"written": 3}
