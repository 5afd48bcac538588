"""Owns bringing a journal to MLflow: from where the last delivery stopped, one process at a time, no point twice."""

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from cgdmer.files import read_json, write_json
from cgdmer.tracking import server

BATCH = 500
"""Points sent at once; MLflow takes at most 1,000 a call."""
Event = dict[str, Any]


def deliver(path: Path) -> str:
    """Send what was not delivered yet and return the id of the run, which is found by its tag or made.

    What was delivered is remembered beside the journal, so a restarted process goes on where the last one stopped. A
    point that is sent twice, because an answer was lost, is one point: MLflow's key is name, time, value and step.
    """
    client = server.connect()
    with _alone(path.with_suffix(".lock")):
        done = _progress(client, path)
        with path.open("rb") as stream:
            while lines := _whole_lines(stream, done["offset"], BATCH):
                _send(client, done["run"], [json.loads(line) for line in lines])
                done["offset"] += sum(len(line) for line in lines)
                write_json(_memory(path), done)
    return str(done["run"])


def _memory(path: Path) -> Path:
    return path.with_suffix(".delivered.json")


def _progress(client: MlflowClient, path: Path) -> dict[str, Any]:
    """Return run and offset; another server, or a run that was deleted there, gets the whole journal."""
    here = hashlib.sha256(server.uri().encode()).hexdigest()
    if _memory(path).is_file():
        done: dict[str, Any] = read_json(_memory(path))
        if done["server"] == here and _exists(client, done["run"]):
            return done
    return {"offset": 0, "run": _find_or_create(client, path.stem), "server": here}


def _exists(client: MlflowClient, run: str) -> bool:
    try:
        return bool(client.get_run(run).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _find_or_create(client: MlflowClient, name: str) -> str:
    """Return the run that carries the tag `journal` = `name`."""
    experiment = server.experiment(client)
    found = client.search_runs([experiment], f"tags.journal = '{name}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    tags = {"journal": name, "kind": "pretrain"}
    return str(client.create_run(experiment, run_name=f"pretrain {name[-8:]}", tags=tags).info.run_id)


def _send(client: MlflowClient, run: str, events: list[Event]) -> None:
    """Send points and params, then the last status said."""
    points = [(event, name, value) for event in events for name, value in event.get("metrics", {}).items()]
    metrics = [Metric(name, value, event["time"], event["step"]) for event, name, value in points]
    params = [Param(name, value[:6000]) for event in events for name, value in event.get("params", {}).items()]
    client.log_batch(run, metrics=metrics, params=params, synchronous=True)
    for event in events:
        if (status := event.get("status")) == "RUNNING":
            client.update_run(run, status=status)
        elif status:
            client.set_terminated(run, RunStatus.to_string(RunStatus.from_string(status)), event["time"])


def attach(client: MlflowClient, run: str, parent: str) -> bool:
    """Hang a delivered run below its parent; False where it hangs below another one already."""
    above = client.get_run(run).data.tags.get("mlflow.parentRunId")
    if above not in (None, "", parent):
        return False
    client.log_batch(run, tags=[RunTag("mlflow.parentRunId", parent)])
    return True


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time deliver; the lock goes with its process."""
    with path.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _whole_lines(stream: IO[bytes], offset: int, limit: int) -> list[bytes]:
    """Return complete lines from `offset` with about `limit` points; one that is still being written is left."""
    stream.seek(offset)
    lines: list[bytes] = []
    size = 0
    while size < limit:
        line = stream.readline()
        if not line.endswith(b"\n"):
            break
        lines.append(line)
        size += len(json.loads(line).get("metrics", ())) + 1
    return lines
