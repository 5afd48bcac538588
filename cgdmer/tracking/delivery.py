"""Sending a journal to MLflow: it continues where the last delivery stopped, and no point is stored twice."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from cgdmer.files import read_json, write_json
from cgdmer.tracking import server
from cgdmer.tracking.journal import parse

BATCH = 500
"""Points sent in one request; MLflow accepts at most 1,000."""
Event = dict[str, Any]


def deliver(path: Path) -> str:
    """Send the lines that were not delivered yet and return the id of the run, which is created if it is missing.

    A file beside the journal says how far the delivery came, so a restarted process continues where the last one
    stopped. A point may be sent twice when a reply is lost. MLflow stores it once: its key is name, time, value and
    step.
    """
    client = server.connect()
    with _exclusive(path.with_suffix(".lock")):
        progress = _read_progress(client, path)
        with path.open("rb") as stream:
            while lines := _complete_lines(stream, progress["offset"], BATCH):
                _send(client, progress["run"], [parse(line) for line in lines])
                progress["offset"] += sum(len(line) for line in lines)
                write_json(_progress_file(path), progress)
    return str(progress["run"])


def _progress_file(path: Path) -> Path:
    return path.with_suffix(".delivered.json")


def _read_progress(client: MlflowClient, path: Path) -> dict[str, Any]:
    """Return run and offset. With another server, or if the run was deleted there, delivery starts from line one."""
    address = hashlib.sha256(server.uri().encode()).hexdigest()
    if _progress_file(path).is_file():
        progress: dict[str, Any] = read_json(_progress_file(path))
        if progress["server"] == address and _exists(client, progress["run"]):
            return progress
    return {"offset": 0, "run": _find_or_create(client, path.stem), "server": address}


def _exists(client: MlflowClient, run: str) -> bool:
    try:
        return bool(client.get_run(run).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _find_or_create(client: MlflowClient, name: str) -> str:
    """Return the id of the run that carries the tag `journal` = `name`."""
    experiment = server.experiment(client)
    runs = client.search_runs([experiment], f"tags.journal = '{name}'", max_results=1)
    if runs:
        return str(runs[0].info.run_id)
    tags = {"journal": name, "kind": "pretrain"}
    return str(client.create_run(experiment, run_name=f"pretrain {name[-8:]}", tags=tags).info.run_id)


def _send(client: MlflowClient, run: str, events: list[Event]) -> None:
    """Send the points and params of the events, then each change of status in its order."""
    points = [(event, name, value) for event in events for name, value in event.get("metrics", {}).items()]
    metrics = [Metric(name, value, event["time"], event["step"]) for event, name, value in points]
    client.log_batch(run, metrics=metrics, params=_new_params(client, run, events), synchronous=True)
    for event in events:
        if (status := event.get("status")) == "RUNNING":
            client.update_run(run, status=status)
        elif status:
            client.set_terminated(run, RunStatus.to_string(RunStatus.from_string(status)), event["time"])


def _new_params(client: MlflowClient, run: str, events: list[Event]) -> list[Param]:
    """Return the params of the events that the run does not have yet, each once.

    A training that ended before its first metric states its params again, and MLflow refuses a second value of a param,
    such as `train.accumulate` after memory ran out.
    """
    stated = {name: value for event in reversed(events) for name, value in event.get("params", {}).items()}
    known = client.get_run(run).data.params if stated else {}
    return [Param(name, value[:6000]) for name, value in stated.items() if name not in known]


def attach(client: MlflowClient, run: str, parent: str) -> bool:
    """Make a delivered run a child of `parent`; return False if it is a child of another run already."""
    current = client.get_run(run).data.tags.get("mlflow.parentRunId")
    if current not in (None, "", parent):
        return False
    client.log_batch(run, tags=[RunTag("mlflow.parentRunId", parent)])
    return True


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time deliver; the kernel releases the lock when its process ends."""
    with path.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _complete_lines(stream: IO[bytes], offset: int, limit: int) -> list[bytes]:
    """Return complete lines from `offset` on with about `limit` points; a line that is still being written waits."""
    stream.seek(offset)
    lines: list[bytes] = []
    size = 0
    while size < limit:
        line = stream.readline()
        if not line.endswith(b"\n"):
            break
        lines.append(line)
        size += len(parse(line).get("metrics", ())) + 1
    return lines
