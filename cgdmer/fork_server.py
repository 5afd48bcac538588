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
"""Modules that are slow to import and start no thread. Polars starts some, and a forked process would lack them."""


def serve(file: int) -> int:
    """Answer calls that arrive at the socket with this file descriptor; in a forked process, return its exit code.

    Return 1, so that commands run their calls themselves, if libraries have started threads, which OMP_NUM_THREADS=1
    prevents, or if the kernel is too old.
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
