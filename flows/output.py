"""Keeps the output of a flow run writable when the worker that reads it is killed."""

import atexit
import contextlib
import os
import stat
import sys
import threading

RUN = "PREFECT__FLOW_RUN_ID"
"""Set in the process that a worker started for a flow run."""
CHUNK = 65536
DRAIN = 2.0
"""Seconds at exit to pass on what is still in the pipe."""


def outlive_reader() -> None:
    """Pass standard output and error on through threads that go on reading once nobody reads what they write.

    Called at the start of a flow, because Prefect replaces the process between a deployment's pull steps and its flow.
    A worker reads the output of its flow runs through pipes. Without this, the first line after its death raises
    BrokenPipeError, on which the console of Prefect's logging ends the process. Files and terminals are left alone, and
    so is a flow that no worker runs.
    """
    if RUN not in os.environ:
        return
    for descriptor in (1, 2):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            _insert_pipe(descriptor)


def _insert_pipe(descriptor: int) -> None:
    """Put a pipe and a thread between a descriptor and what it writes to; at exit, take them out again."""
    outlet = os.dup(descriptor)
    inlet, end = os.pipe()
    os.dup2(end, descriptor)
    os.close(end)
    thread = threading.Thread(target=_pass_on, args=(inlet, outlet), name="output", daemon=True)
    thread.start()

    def restore() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)  # closes the pipe, so that the thread sees its end
        thread.join(DRAIN)

    atexit.register(restore)


def _pass_on(inlet: int, outlet: int) -> None:
    """Copy until the pipe ends; without a reader, keep draining."""
    while chunk := os.read(inlet, CHUNK):
        with contextlib.suppress(OSError):
            while chunk:
                chunk = chunk[os.write(outlet, chunk) :]
