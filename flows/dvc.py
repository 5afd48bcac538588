"""Runs one DVC stage for a flow: passes its log on, waits for DVC's locks, and stops it so that it saves its work."""

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
from flows import guard, services

Log = Callable[[str], None]
"""Takes one line of output."""
BUSY = "is busy, it is being blocked by"
"""DVC's message when another DVC process uses a path. For the repository's own lock, `--wait-for-lock` waits."""
LOCK_WAIT = 3600.0
"""Longest wait for another DVC process, in seconds."""
DATA_STAGES = ("code", "protocol", "acquire", "index", "shards", "validate", "pretraining_set")
"""Stages that read and write more than they compute."""
GPU_STAGES = ("pretrain", "embed", "control", "robustness", "finetune", "probe")
"""Stages that use GPUs if there are any, all of them or the first one, so they run one at a time."""
DATA_SLOTS = max(4, os.cpu_count() or 1)
"""Number of data stages that run at the same time in one flow run."""
PAUSE = 2.0
"""Shortest pause in seconds before DVC is called again while a path is busy; the longest is twice that."""
GRACE = 120.0
"""Seconds that a stopped stage has to write its checkpoint."""
RETRY_CODES = (Unavailable.code, Preempted.code, -signal.SIGTERM, -signal.SIGINT, -signal.SIGKILL, 143, 137, 130)
"""Exit codes after which the same stage may succeed: it saved its work, or a server did not answer."""


class StageError(CgdmerError):
    """A stage failed, and running it again without a change would fail again."""


class StageInterrupted(CgdmerError):
    """A stage stopped early and saved its work, or could not start: run it again."""

    code = Preempted.code


def compute_slots() -> int:
    """Return how many stages may compute at the same time: one on the CPU, plus one if the machine has GPUs.

    On a CPU every stage uses all cores. Two at the same time would wait for each other at every operation and take many
    times longer than one after the other. A stage on GPUs may use all of them.
    """
    return 1 + bool(glob.glob("/dev/nvidia[0-9]*"))


class Running:
    """The stages that this process runs now; `stop` ends all of them and lets no other start."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen[str]] = set()
        self.lock, self.stopped = threading.Lock(), False
        self.data_slots = threading.BoundedSemaphore(DATA_SLOTS)
        self.compute_slots = threading.BoundedSemaphore(1)
        self.gpu_slots = threading.BoundedSemaphore(1) if compute_slots() > 1 else self.compute_slots

    def slots(self, stage: str) -> threading.BoundedSemaphore:
        """Return the semaphore that limits stages of this kind."""
        kind = stage.split("@")[0]
        if kind in DATA_STAGES:
            return self.data_slots
        return self.gpu_slots if kind in GPU_STAGES else self.compute_slots

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a command under the guard, in its own session, so that signals sent to this process do not reach it."""
        words = [sys.executable, guard.__file__, str(GRACE), *command]
        with self.lock:
            if self.stopped:
                raise StageInterrupted("the flow run is being stopped", fix="run it again")
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                encoding="utf-8", errors="replace", env=services.process_environment(), start_new_session=True,
            )  # fmt: skip
            self.processes.add(process)
        return process

    def forget(self, process: subprocess.Popen[str]) -> None:
        """Take a process that has ended out of the set; not while `stop` walks through it."""
        with self.lock:
            self.processes.discard(process)

    def stop(self) -> None:
        """Stop every stage now."""
        with self.lock:
            self.stopped = True
            for process in self.processes:
                release(process)


running = Running()


@contextmanager
def stopping() -> Iterator[None]:
    """Let no stage outlive the block: any exception, cancellation included, stops all of them."""
    running.stopped = False
    try:
        yield
    except BaseException:
        running.stop()
        raise


def changed_stages() -> set[str] | None:
    """Ask DVC which stages have changed; None if it does not say."""
    code, lines = execute(["dvc", "--wait-for-lock", "status", "--json"], lambda line: None)
    try:
        return set(json.loads("\n".join(lines))) if code == 0 else None
    except (json.JSONDecodeError, TypeError):
        return None


def release(process: subprocess.Popen[str]) -> None:
    """Close the guard's standard input, which makes the guard stop its stage."""
    if process.stdin and not process.stdin.closed:
        process.stdin.close()


def reproduce(stage: str, log: Log, timeout: float | None = None, options: Sequence[str] = ()) -> bool:
    """Run `dvc repro --single-item STAGE`; return True if the stage ran, False if nothing had changed.

    Raises StageInterrupted if running the stage again continues its work, else StageError. Waits while another DVC
    process uses the same paths. When this thread or process ends, the stage is stopped and has GRACE seconds to save
    its work. `timeout` is in seconds.
    """
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        with running.slots(stage):
            code, lines = execute(["dvc", "--wait-for-lock", "repro", *options, "--single-item", stage], log, timeout)
        text = "\n".join(lines)
        if code == 0:
            return f"Running stage '{stage}'" in text
        if BUSY not in text:
            raise _stage_error(stage, code, lines)
        if time.monotonic() > deadline:
            raise StageInterrupted(f"{stage}: another DVC process was busy for {LOCK_WAIT:.0f} s", fix="run it again")
        log(f"{stage}: waiting for another DVC process that uses its files")
        time.sleep(PAUSE * random.uniform(1, 2))


def _stage_error(stage: str, code: int, lines: list[str]) -> CgdmerError:
    """Return the error for an exit code and a log; its type decides whether the stage is retried."""
    match = re.search(r"exited with (-?\d+)", "\n".join(lines))
    inner = int(match.group(1)) if match else code
    last_lines = "\n".join(line for line in lines[-12:] if line.strip())
    kind = StageInterrupted if inner in RETRY_CODES else StageError
    return kind(f"stage {stage} ended with code {inner}\n{last_lines}", fix=f"dvc repro --single-item {stage}")


def execute(command: list[str], log: Log, timeout: float | None = None) -> tuple[int, list[str]]:
    """Run a command under the guard, pass each line to `log`, and return its exit code and lines."""
    process = running.start(command)
    timed_out = threading.Event()

    def give_up() -> None:
        timed_out.set()
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
                log(lines[-1])
    finally:
        if timer:
            timer.cancel()
        release(process)
        process.stdout.read()  # a guard that stops its stage must not block on a full pipe
        process.stdout.close()
        process.wait()
        running.forget(process)
    if timed_out.is_set():
        raise StageError(f"{' '.join(command)} was stopped after its time limit of {timeout:.0f} s; its work is saved")
    return process.returncode, lines
