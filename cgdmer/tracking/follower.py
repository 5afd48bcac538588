"""`python -m cgdmer.tracking.follower JOURNAL`: the process beside a training that delivers its journal.

It also samples the machine. The training holds this process's standard input open. When it closes, because the training
ended or was killed, the process tries one last delivery. It exits after at most `LAST` seconds, whatever the server
does.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from cgdmer.tracking.journal import append, parse

PAUSE = 2.0
"""Seconds between two deliveries."""
SAMPLE = 10.0
"""Seconds between two samples of the machine, the default of MLflow's own monitor."""
LAST = 60.0
"""Longest time in seconds that this process outlives the training."""
NICE = 10
PREFIX = "system/"
"""Metrics with this prefix appear on MLflow's page of system metrics."""
log = logging.getLogger(__name__)


def main(path: Path) -> None:
    """Follow a journal until standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(path, ended), daemon=True).start()
    sampler = Sampler()  # imports MLflow before there is a second thread that needs it: two imports at once deadlock
    threading.Thread(target=sample, args=(path, sampler, ended), daemon=True).start()
    while not ended.wait(PAUSE):
        _deliver(path)
    _deliver(path)


def _wait_for_end(path: Path, ended: threading.Event) -> None:
    """Wait until the training is over, then exit in time even if a server keeps the connection open."""
    sys.stdin.buffer.read()
    if not _has_final_status(path):
        append(path, {"status": "KILLED"})
    ended.set()
    time.sleep(LAST)
    os._exit(0)


def _has_final_status(path: Path) -> bool:
    """Return True if the last status in the journal says how the training ended."""
    statuses = [event["status"] for event in _events(path) if event.get("status")]
    return bool(statuses) and statuses[-1] != "RUNNING"


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a journal, without a last line that is still being written."""
    yield from map(parse, path.read_bytes().split(b"\n")[:-1])


def _deliver(path: Path) -> None:
    """Deliver what is new. A failure is logged beside the journal; the next call tries again."""
    try:
        from cgdmer.tracking import delivery

        delivery.deliver(path)
    except Exception as error:
        from cgdmer.tracking.server import redact

        log.warning("MLflow does not answer: %s", redact(str(error))[:300])


def sample(path: Path, sampler: Callable[[], dict[str, float]], ended: threading.Event) -> None:
    """Append a sample of the machine to the journal every `SAMPLE` seconds, whether or not a server answers."""
    step = next_step(path)
    while not ended.wait(SAMPLE):
        append(path, {"step": step, "metrics": sampler()})
        step += 1


class Sampler:
    """Measures the machine with MLflow's monitors: processor, memory, network and, with an NVIDIA driver, each GPU.

    MLflow's `SystemMetricsMonitor` sends what they measure straight to a run and ends at the first request that fails.
    Here the samples go to the journal like every other point, so none is lost while the server is away.
    """

    def __init__(self) -> None:
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)  # a shared GPU hides some of its readings
        kinds: list[Any] = [CPUMonitor, NetworkMonitor, GPUMonitor]
        self.monitors = []
        for kind in kinds:
            with contextlib.suppress(ImportError, RuntimeError):  # no NVIDIA driver
                self.monitors.append(kind())
        self()  # psutil's first reading of the processor load is always 0

    def __call__(self) -> dict[str, float]:
        """Return the current metrics in megabytes, percent and watts."""
        disk = psutil.disk_usage(".")  # MLflow's disk monitor reads the root file system, not the project's
        values = {"disk_usage_percentage": disk.percent, "disk_available_megabytes": disk.free / 1e6}
        for monitor in self.monitors:
            monitor.collect_metrics()
            values |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        return {f"{PREFIX}{name}": round(float(value), 1) for name, value in values.items()}


def next_step(path: Path) -> int:
    """Return the number of samples that a journal holds."""
    key = f"{PREFIX}cpu_utilization_percentage"
    return sum(key in event.get("metrics", {}) for event in _events(path))


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    main(Path(sys.argv[1]))
