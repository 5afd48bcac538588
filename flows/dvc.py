"""Owns running one DVC stage from a flow: its log line by line, waiting for locks, and stopping it gently."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cgdmer.errors import CgdmerError

LOCKED = ("Unable to acquire lock", "is busy, it is being blocked by")
"""What DVC says when another DVC process holds the repository or a path."""
LOCK_WAIT = 1800.0
"""Seconds to wait for other DVC processes before giving up."""
TRY_AGAIN = 75
"""A stage that exits so has kept its work and may simply be run again (sysexits' EX_TEMPFAIL)."""
GRACE = 120.0
"""Seconds a cancelled stage has to write its checkpoint."""


class StageError(CgdmerError):
    """A stage failed for good: running it again as it is would fail again."""


class StageInterrupted(CgdmerError):
    """A stage stopped early and kept its work: run it again."""

    code = TRY_AGAIN


def reproduce(stage: str, say: Callable[[str], None], timeout: float | None = None) -> bool:
    """Run `dvc repro --single-item STAGE`; return whether it ran (False: nothing had changed).

    Raises StageInterrupted where a rerun continues the work, StageError for everything else. Waits while another
    DVC process holds a lock. When this thread or process is stopped, the stage is sent SIGTERM and given GRACE seconds.
    """
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        code, lines = _run(["dvc", "repro", "--single-item", stage], say, timeout)
        text = "\n".join(lines)
        if code == 0:
            return f"Running stage '{stage}'" in text
        if not any(phrase in text for phrase in LOCKED):
            raise _explain(stage, code, lines)
        if time.monotonic() > deadline:
            raise StageInterrupted(
                f"{stage}: another DVC process held a lock for {LOCK_WAIT:.0f} s", mend="run it again"
            )
        say(f"{stage}: another DVC process holds a lock, waiting")
        time.sleep(2.0 + (os.getpid() + threading.get_ident()) % 1000 / 500)


def _explain(stage: str, code: int, lines: list[str]) -> CgdmerError:
    """Turn an exit code and a log into the error that decides on a retry."""
    text = "\n".join(lines)
    found = re.search(r"exited with (-?\d+)", text)
    inner = int(found.group(1)) if found else code
    said = "\n".join(line for line in lines[-12:] if line.strip())
    kept = inner == TRY_AGAIN or inner in (-signal.SIGTERM, -signal.SIGINT, -signal.SIGKILL, 143, 137, 130)
    kind = StageInterrupted if kept else StageError
    return kind(f"stage {stage} ended with code {inner}\n{said}", mend=f"dvc repro --single-item {stage}")


def _run(command: list[str], say: Callable[[str], None], timeout: float | None) -> tuple[int, list[str]]:
    """Run a command in a process group of its own, passing each line on; return its code and lines."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CGDMER_PROGRESS": "lines",
    }
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )
    lines: list[str] = []
    with _stopped_gently(process, timeout):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            say(lines[-1])
        process.wait()
    return process.returncode, lines


@contextmanager
def _stopped_gently(process: subprocess.Popen[str], timeout: float | None) -> Iterator[None]:
    """On any way out, and after `timeout` seconds, end the process group: SIGTERM, GRACE seconds, SIGKILL."""
    timer = threading.Timer(timeout, _signal_group, (process, signal.SIGTERM)) if timeout else None
    if timer:
        timer.start()
    try:
        yield
    finally:
        if timer:
            timer.cancel()
        if process.poll() is None:
            _signal_group(process, signal.SIGTERM)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
