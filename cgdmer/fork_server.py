"""Start the process from which `cgdmer pipeline` forks the calls of stages, with the slowest imports of stages done."""

import gc
import os
import socket
import sys
from importlib import import_module

from cgdmer.__main__ import OBJECTS
from cgdmer.cli import main
from cgdmer.pipeline import forking

MODULES = ("cgdmer.settings", "cgdmer.distributed", "scipy.ndimage", "scipy.signal")
"""What takes long to import and starts no thread, unlike polars: a forked process has none of the threads."""


def serve(file: int) -> int:
    """Answer calls that arrive at the socket with this file descriptor; in a forked process, return its exit code.

    It must have one thread, so OMP_NUM_THREADS must be 1. Otherwise return 1, and commands run by themselves.
    """
    gc.set_threshold(OBJECTS)
    for name in MODULES:
        import_module(name)
    if len(os.listdir("/proc/self/task")) > 1 or not forking.supported():
        return 1
    gc.freeze()  # forked processes share the memory of what is imported, and end faster
    with socket.socket(fileno=file) as listener:
        return forking.serve(listener, main)


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[1])))
