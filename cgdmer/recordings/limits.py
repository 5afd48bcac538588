"""Limits of time and memory for reading one file, so that no file can stop the others.

The soft limits raise errors in the process that reads. A worker that ignores them, in compiled code, is ended by the
kernel; `batches` then names its file and goes on.
"""

import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import parent_process
from pathlib import Path
from types import FrameType

from cgdmer.errors import RecordError

SECONDS = 30.0
"""Seconds that one file may take; the largest that are read take about five."""
MEMORY = 4 << 30
"""Bytes that reading one file may need beyond the memory of its process."""
REPEAT = 1.0
"""Seconds after which the error is raised again, because a library may have caught it."""


class TooSlow(RecordError):
    """Reading a file took longer than it may; on a machine with less to do it may be read."""


@contextmanager
def per_file(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Bound what the block needs: TooSlow after `seconds`, MemoryError beyond `memory`.

    Both hold in the main thread only: no other can be interrupted, and the limit of memory is the process's.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_bounded_memory(memory))
            stack.enter_context(_bounded_time(seconds))
        if parent_process() is not None:
            _end_after(2 * seconds)
        yield


@contextmanager
def _bounded_time(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"reading it takes more than {seconds:g} s", allowed="a file that is read in less")

    start, previous = time.monotonic(), signal.signal(signal.SIGALRM, stop)
    delay, interval = signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if delay:
            signal.setitimer(signal.ITIMER_REAL, max(1e-3, delay - (time.monotonic() - start)), interval)


@contextmanager
def _bounded_memory(memory: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no /proc on this system
        yield
        return
    limits = [limit for limit in (used + memory, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _end_after(seconds: float) -> None:
    """Let the kernel end this process once it has used so many more seconds of CPU time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = round(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
