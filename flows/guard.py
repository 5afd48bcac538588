"""`python guard.py SECONDS COMMAND...` runs a DVC command that never outlives the flow run that started it.

The flow run holds the guard's standard input open. It closes when the run is cancelled, times out or is killed with
SIGKILL. The guard then stops the stage, which has SECONDS to write its checkpoint. The guard imports nothing of the
project, so that it starts within 50 ms.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import psutil

POLL = 0.1
"""Seconds between two checks whether the stopped processes have ended."""


def main() -> int:
    """Run the command, pass its output on, and return its exit code."""
    grace, command = float(sys.argv[1]), sys.argv[2:]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    threading.Thread(target=watch, args=(psutil.Process(process.pid), grace), daemon=True).start()
    assert process.stdout is not None
    for line in process.stdout:
        with contextlib.suppress(OSError):  # without a reader, keep draining: the stage must not get a broken pipe
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    code = process.wait()
    return code if code >= 0 else 128 - code


def watch(dvc: psutil.Process, grace: float) -> None:
    """Wait until standard input closes, then stop DVC and its stage."""
    while os.read(0, 1024):
        pass
    stop(dvc, grace)


def stop(dvc: psutil.Process, grace: float) -> None:
    """Stop the stage first, so that DVC sees it end and removes its locks; after `grace` seconds kill what is left.

    DVC ignores SIGINT while a stage runs. At other times SIGINT makes DVC end in an orderly way.
    """
    descendants = _descendants(dvc)
    for process in descendants:
        _send_signal(process, signal.SIGTERM)
    _send_signal(dvc, signal.SIGINT)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(_is_alive(process) for process in [dvc, *descendants]):
        time.sleep(POLL)
    for process in [*_descendants(dvc), *descendants, dvc]:
        _send_signal(process, signal.SIGKILL)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _send_signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
