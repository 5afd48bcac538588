"""Owns live curves: events go to a file at once and to MLflow when it answers; no server can stop a training."""

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from cgdmer.files import read_json, write_json
from cgdmer.tracking import server

BATCH = 500
"""Events sent at once; MLflow takes at most 1,000 metrics a call."""
PAUSE = 2.0
"""Seconds between two deliveries, and after a failed one."""
log = logging.getLogger(__name__)


class Journal:
    """An append-only file of metrics with a thread that delivers it; use as a context manager, call with metrics.

    What was delivered is remembered in a file beside it, so a restarted process goes on where the last one stopped;
    a point that is delivered twice is one point, because MLflow's key of a metric is name, time, value and step.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.jsonl"
        self.progress = folder / f"{name}.delivered.json"
        self.name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._deliver_on, name="tracking", daemon=True)
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a", encoding="utf-8")
        self._thread.start()
        return self

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of one step; never blocks on a server."""
        assert self._file is not None, "a journal is used as a context manager"
        event = {"step": step, "time": int(time.time() * 1000), "metrics": dict(metrics)}
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._stop.set()
        self._thread.join(timeout=PAUSE)

    def _deliver_on(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                deliver(self.path, self.progress, self.name)
            except (MlflowException, OSError) as error:
                log.warning("MLflow does not answer (%s); events stay in %s", str(error)[:200], self.path)


def deliver(path: Path, progress: Path, name: str) -> str:
    """Send what was not delivered yet and return the id of the run, which is found by its tag or made."""
    client = server.connect()
    done: dict[str, Any] = read_json(progress) if progress.is_file() else {"offset": 0, "run": None, "uri": None}
    if done["uri"] != server.uri():
        done = {"offset": 0, "run": find_or_create(client, name), "uri": server.uri()}
    with path.open("rb") as stream:
        stream.seek(done["offset"])
        while lines := _whole_lines(stream, BATCH):
            client.log_batch(done["run"], metrics=_metrics(lines), synchronous=True)
            done["offset"] += sum(len(line) for line in lines)
            write_json(progress, done)
    return str(done["run"])


def find_or_create(client: MlflowClient, name: str) -> str:
    """Return the run that carries the tag `journal` = `name`."""
    experiment = server.experiment(client)
    found = client.search_runs([experiment], f"tags.journal = '{name}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    tags = {"journal": name, "kind": "pretrain"}
    return str(client.create_run(experiment, run_name="pretrain", tags=tags).info.run_id)


def finish(client: MlflowClient, run: str, parent: str) -> None:
    """Hang a delivered run below its parent and close it."""
    client.log_batch(run, tags=[RunTag("mlflow.parentRunId", parent)])
    client.set_terminated(run)


def _whole_lines(stream: IO[bytes], limit: int) -> list[bytes]:
    """Return up to `limit` complete lines; a line that is still being written is left for the next time."""
    lines: list[bytes] = []
    size = 0
    while size < limit:
        line = stream.readline()
        if not line.endswith(b"\n"):
            break
        lines.append(line)
        size += len(json.loads(line)["metrics"])
    return lines


def _metrics(lines: list[bytes]) -> list[Metric]:
    events = [json.loads(line) for line in lines]
    points = [(event, key, value) for event in events for key, value in event["metrics"].items()]
    return [Metric(key, value, event["time"], event["step"]) for event, key, value in points]
