"""No test depends on which tests ran before it in the same process: what they changed there is put back."""

import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator

import pytest

LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)
SIGNALS = (signal.SIGALRM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Signals that commands and trainings handle while they run."""


def _threads() -> int | None:
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None


@pytest.fixture(autouse=True)
def same_process() -> Iterator[None]:
    """Put back environment, folder, limits, signal handlers, torch's threads and the level of the log.

    The log's level is also what a fresh process has when a test begins: a fixture of a whole module may have called the
    command line, which sets it.

    How the C library manages its heap (`environment.keep_freed_memory`) cannot be put back, so a test that measures or
    bounds the memory of a process starts one.
    """
    environment, folder, threads = dict(os.environ), os.getcwd(), _threads()
    limits, handlers = [resource.getrlimit(name) for name in LIMITS], [signal.getsignal(name) for name in SIGNALS]
    logging.getLogger("cgdmer").setLevel(logging.NOTSET)
    yield
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in environment.items() if os.environ.get(name) != value})
    os.chdir(folder)
    for name, limit in zip(LIMITS, limits, strict=True):
        resource.setrlimit(name, limit)
    for name, handler in zip(SIGNALS, handlers, strict=True):
        if handler is not None:  # None: set by compiled code
            signal.signal(name, handler)
    if threads is not None and _threads() != threads:
        sys.modules["torch"].set_num_threads(threads)
    logging.getLogger("cgdmer").setLevel(logging.NOTSET)
