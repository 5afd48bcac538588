"""The journal of a training: an append-only file of metrics, which a separate process sends to MLflow."""

import json
import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cgdmer import environment, paths
from cgdmer.errors import Preempted
from cgdmer.files import write_text
from cgdmer.settings.base import Section

FOLDER = paths.STATE / "tracking"
Report = Callable[[int, Mapping[str, float]], None]
"""Takes a step and its metrics."""
HELD_OUT = "held_out/"
"""Prefix of metrics on held-out records. They are written as they are, not averaged over a window of steps."""
log = logging.getLogger(__name__)


class Journal:
    """An append-only file of JSON lines with a process that delivers it; enter it, then call it with metrics.

    Nothing here imports MLflow or waits for a server, so a slow or dead server never slows or stops a training. A
    training that was killed and resumed repeats steps; steps that the file already holds are not written again.
    """

    def __init__(self, path: Path, params: Mapping[str, str], window: int = 1) -> None:
        """Training metrics are written as means over `window` steps."""
        self.path, self.params, self.window = path, params, window
        self.follower: subprocess.Popen[bytes] | None = None
        self._sums: dict[str, float] = {}
        self._count = self._step = 0

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._last = _repair(self.path)
        if not self._last:
            append(self.path, {"params": dict(self.params)})
        append(self.path, {"status": "RUNNING"})
        self.follower = follow(self.path)
        return self

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of one step."""
        if any(name.startswith(HELD_OUT) for name in metrics):
            self._write(step, metrics)
            return
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in metrics.items()}
        self._count, self._step = self._count + 1, step
        if step % self.window == 0:
            self._close_window()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close_window()
        status = "FINISHED" if error is None else "KILLED" if isinstance(error, Preempted) else "FAILED"
        append(self.path, {"status": status})
        if self.follower and self.follower.stdin:
            self.follower.stdin.close()

    def _close_window(self) -> None:
        if self._count:
            self._write(self._step, {name: value / self._count for name, value in self._sums.items()})
        self._sums, self._count = {}, 0

    def _write(self, step: int, metrics: Mapping[str, float]) -> None:
        new = {name: value for name, value in metrics.items() if step > self._last.get(name, -1)}
        if new:
            append(self.path, {"step": step, "metrics": new})


def append(path: Path, event: Mapping[str, Any]) -> None:
    """Add one event with its time in a single write, so that lines of two processes never mix."""
    line = json.dumps({"time": int(time.time() * 1000), **event}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def parse(line: bytes) -> dict[str, Any]:
    """Return the event of a line; an empty one for a line that a power failure or a full disk has damaged."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def follow(path: Path) -> subprocess.Popen[bytes] | None:
    """Start the process that delivers the journal; it ends by itself when its standard input is closed."""
    command = [sys.executable, "-m", "cgdmer.tracking.follower", str(path)]
    try:
        with path.with_suffix(".log").open("ab") as output:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
    except OSError as error:
        log.warning("cannot send live curves to MLflow (%s); they are in %s", error, path)
        return None


def _repair(path: Path) -> dict[str, int]:
    """Cut off a last line that a kill left incomplete, and return the last step of each metric."""
    last: dict[str, int] = {}
    if not path.is_file():
        return last
    content = path.read_bytes()
    complete = content.rfind(b"\n") + 1
    if complete < len(content):
        os.truncate(path, complete)
    for event in map(parse, content[:complete].splitlines()):
        last |= {name: max(event["step"], last.get(name, -1)) for name in event.get("metrics", ())}
    return last


@contextmanager
def live(name: str, scratch: Path, sections: Mapping[str, Section], window: int) -> Iterator[Report]:
    """Yield the callable that takes a training's metrics; with CGDMER_TRACKING=off it does nothing.

    `scratch` survives while a training is killed and resumed, and so does its journal. Training again from the start
    begins a new journal.
    """
    if not environment.read().tracking:
        yield lambda step, metrics: None
        return
    mark = scratch / "journal"
    if not mark.is_file():
        write_text(mark, uuid.uuid4().hex[:8])
    params = {
        f"{section}.{key}": str(value) for section, values in sections.items()
        for key, value in values.model_dump().items()
    }  # fmt: skip
    with Journal(FOLDER / f"{name}-{mark.read_text(encoding='utf-8')}.jsonl", params, window) as journal:
        yield journal


def newest(name: str) -> Path | None:
    """Return the journal of the last training of that name on this machine, or None."""
    journals = sorted(FOLDER.glob(f"{name}-*.jsonl"), key=lambda path: path.stat().st_mtime)
    return journals[-1] if journals else None
