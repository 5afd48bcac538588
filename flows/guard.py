"""Owns `python guard.py SECONDS COMMAND...`: a DVC command that never outlives the flow run that wants it.

The flow run holds the other end of standard input. When that closes, because the run was cancelled, timed out or was
killed with SIGKILL, the stage is told to stop and has SECONDS to leave its checkpoint. Plain files and no imports of
the project: it starts in a twentieth of a second.
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
"""Seconds between two looks at processes that were told to stop."""


def main() -> int:
    """Run the command, pass its output on, and return its exit code."""
    grace, command = float(sys.argv[1]), sys.argv[2:]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    threading.Thread(target=watch, args=(psutil.Process(process.pid), grace), daemon=True).start()
    assert process.stdout is not None
    for line in process.stdout:
        with contextlib.suppress(OSError):  # nobody reads any more, but the stage must not meet a broken pipe
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    code = process.wait()
    return code if code >= 0 else 128 - code


def watch(dvc: psutil.Process, grace: float) -> None:
    """Wait for the end of standard input, then stop DVC and its stage."""
    while os.read(0, 1024):
        pass
    stop(dvc, grace)


def stop(dvc: psutil.Process, grace: float) -> None:
    """Stop the stage first, so that DVC sees it end and puts its locks away; what is left after `grace` s is killed.

    While a stage runs DVC ignores SIGINT; at other times it is what makes DVC end in order.
    """
    family = _family(dvc)
    for process in family:
        _tell(process, signal.SIGTERM)
    _tell(dvc, signal.SIGINT)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(_alive(process) for process in [dvc, *family]):
        time.sleep(POLL)
    for process in [*_family(dvc), *family, dvc]:
        _tell(process, signal.SIGKILL)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _tell(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
