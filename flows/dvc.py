"""Owns running one DVC stage from a flow: its log line by line, waiting for locks, and stopping it gently."""

import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cgdmer.errors import CgdmerError, Preempted, Unavailable
from flows import guard, quiet

BUSY = "is busy, it is being blocked by"
"""What DVC says when another DVC process works on a path; for the repository's own lock it is told to wait."""
LOCK_WAIT = 3600.0
"""Seconds to wait for another DVC process before giving up."""
DATA = ("protocol", "acquire", "index", "shards", "validate", "pretraining_set")
"""Stages that read and write more than they compute."""
STAGES = max(4, os.cpu_count() or 1)
"""How many of those work at once in one flow run."""
PAUSE = 2.0
"""Seconds, up to twice which lie between two tries to get hold of a path."""
GRACE = 120.0
"""Seconds a stopped stage has to write its checkpoint."""
AGAIN = (Unavailable.code, Preempted.code, -signal.SIGTERM, -signal.SIGINT, -signal.SIGKILL, 143, 137, 130)
"""Exit codes after which the same stage may be run again: it kept its work, or a server was away."""


class StageError(CgdmerError):
    """A stage failed for good: running it again as it is would fail again."""


class StageInterrupted(CgdmerError):
    """A stage stopped early and kept its work, or was not let in: run it again."""

    code = Preempted.code


def computing() -> int:
    """Return how many other stages work at once: one, and one more a GPU.

    On a CPU each takes all cores. Two at once would wait for each other at every operation, many times slower than one
    after the other.
    """
    return 1 + len(glob.glob("/dev/nvidia[0-9]*"))


class Running:
    """The stages that this process runs now; `stop` ends them all, and lets no other begin."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen[str]] = set()
        self.changed: set[str] | None = None
        self.lock, self.stopped = threading.Lock(), False
        self.reading, self.computing = threading.BoundedSemaphore(STAGES), threading.BoundedSemaphore(computing())

    def place(self, stage: str) -> threading.BoundedSemaphore:
        """Return what lets a stage begin when there is room for one of its kind."""
        return self.reading if stage.split("@")[0] in DATA else self.computing

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a command under the guard, in a session of its own, so that no signal for us reaches it."""
        words = [sys.executable, guard.__file__, str(GRACE), *command]
        with self.lock:
            if self.stopped:
                raise StageInterrupted("the flow run is being stopped", fix="run it again")
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env=quiet.environment(), start_new_session=True,
            )  # fmt: skip
            self.processes.add(process)
        return process

    def look(self) -> None:
        """Ask DVC once which stages have changed, so that none has to be started only to say that it has not."""
        code, lines = execute(["dvc", "--wait-for-lock", "status", "--json"], lambda line: None)
        try:
            self.changed = set(json.loads("\n".join(lines))) if code == 0 else None
        except (json.JSONDecodeError, TypeError):
            self.changed = None

    def settled(self, stage: str) -> bool:
        """Tell whether a stage had not changed; once one has begun, the answer may be old, and DVC is asked again."""
        settled = self.changed is not None and stage not in self.changed
        self.changed = self.changed if settled else None
        return settled

    def stop(self) -> None:
        """Tell every stage to stop, now."""
        with self.lock:
            self.stopped = True
            for process in self.processes:
                release(process)


running = Running()


@contextmanager
def stopping() -> Iterator[None]:
    """Let no stage outlive the block: on an exception, a cancellation among them, all are told to stop."""
    running.stopped, running.changed = False, None
    try:
        yield
    except BaseException:
        running.stop()
        raise


def release(process: subprocess.Popen[str]) -> None:
    """Close the guard's standard input, which tells it to stop its stage."""
    if process.stdin and not process.stdin.closed:
        process.stdin.close()


def reproduce(
    stage: str, say: Callable[[str], None], timeout: float | None = None, options: Sequence[str] = ()
) -> bool:
    """Run `dvc repro --single-item STAGE`; return whether it ran (False: nothing had changed).

    Raises StageInterrupted where a rerun continues the work, StageError for everything else. Waits while another
    DVC process works on the same paths. When this thread or process ends, the stage is told to and has GRACE seconds.
    """
    if running.settled(stage):
        return False
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        with running.place(stage):
            code, lines = execute(["dvc", "--wait-for-lock", "repro", *options, "--single-item", stage], say, timeout)
        text = "\n".join(lines)
        if code == 0:
            return f"Running stage '{stage}'" in text
        if BUSY not in text:
            raise _explain(stage, code, lines)
        if time.monotonic() > deadline:
            raise StageInterrupted(f"{stage}: another DVC process was busy for {LOCK_WAIT:.0f} s", fix="run it again")
        say(f"{stage}: another DVC process is busy with its files, waiting")
        time.sleep(PAUSE * random.uniform(1, 2))


def _explain(stage: str, code: int, lines: list[str]) -> CgdmerError:
    """Turn an exit code and a log into the error that decides on a retry."""
    found = re.search(r"exited with (-?\d+)", "\n".join(lines))
    inner = int(found.group(1)) if found else code
    said = "\n".join(line for line in lines[-12:] if line.strip())
    kind = StageInterrupted if inner in AGAIN else StageError
    return kind(f"stage {stage} ended with code {inner}\n{said}", fix=f"dvc repro --single-item {stage}")


def execute(command: list[str], say: Callable[[str], None], timeout: float | None = None) -> tuple[int, list[str]]:
    """Run a command under the guard, passing each line on; return its code and lines."""
    process = running.start(command)
    late = threading.Event()

    def give_up() -> None:
        late.set()
        release(process)

    timer = threading.Timer(timeout, give_up) if timeout else None
    lines: list[str] = []
    assert process.stdout is not None
    try:
        if timer:
            timer.start()
        for line in process.stdout:
            lines.append(line.rstrip())
            if lines[-1]:
                say(lines[-1])
    finally:
        if timer:
            timer.cancel()
        release(process)
        process.stdout.read()  # a guard that stops its stage must not wait for a reader
        process.stdout.close()
        process.wait()
        running.processes.discard(process)
    if late.is_set():
        raise StageError(f"{' '.join(command)} was stopped after its time limit of {timeout:.0f} s; its work is kept")
    return process.returncode, lines
