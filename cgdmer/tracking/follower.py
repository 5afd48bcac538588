"""Owns the process beside a training: `python -m cgdmer.tracking.follower JOURNAL` samples the machine and delivers.

It reads nothing from its standard input but the end: when the training closes it, or is killed, one last delivery is
tried and the process is gone after `LAST` seconds whatever the server does.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from cgdmer.tracking import system
from cgdmer.tracking.journal import append

PAUSE = 2.0
"""Seconds between two deliveries."""
SAMPLE = 10.0
"""Seconds between two samples of the machine, as MLflow's own sampler has it."""
LAST = 60.0
"""Seconds to live after the training."""
NICE = 10
log = logging.getLogger(__name__)


def main(path: Path) -> None:
    """Follow a journal until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(path, ended), daemon=True).start()
    threading.Thread(target=_sample, args=(path, ended), daemon=True).start()
    while not ended.wait(PAUSE):
        _deliver(path)
    _deliver(path)


def _wait_for_end(path: Path, ended: threading.Event) -> None:
    """Wait until the training is over, then leave in time even where a server holds the line."""
    sys.stdin.buffer.read()
    if not _said_goodbye(path):
        append(path, {"status": "KILLED"})
    ended.set()
    time.sleep(LAST)
    os._exit(0)


def _sample(path: Path, ended: threading.Event) -> None:
    sampler = system.Sampler()
    step = system.next_step(path)
    while not ended.wait(SAMPLE):
        append(path, {"step": step, "metrics": sampler()})
        step += 1


def _deliver(path: Path) -> None:
    """Deliver what is new; whatever goes wrong is said in the log beside the journal and tried again."""
    try:
        from cgdmer.tracking import delivery

        delivery.deliver(path)
    except Exception as error:
        from cgdmer.tracking.server import without_secrets

        log.warning("MLflow does not answer: %s", without_secrets(str(error))[:300])


def _said_goodbye(path: Path) -> bool:
    last = [
        json.loads(line).get("status") for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"
    ]
    said = [status for status in last if status]
    return bool(said) and said[-1] != "RUNNING"


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    main(Path(sys.argv[1]))
