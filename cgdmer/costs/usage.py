"""What a process and its workers use, read from /proc: CPU time, memory, bytes read and written, GPUs held."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
INTERVAL = 1.0
"""Seconds between two samples of memory and GPUs."""
SHARE = 0.01
"""Largest share of the time that sampling may take; with many processes the samples get rarer."""
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
CUDA = "/dev/nvidia-uvm"
"""A process that holds a CUDA context has this file open; one that only asks for the load of a GPU has not."""


@dataclass(frozen=True)
class Usage:
    """What was used, in seconds and bytes."""

    wall_s: float
    cpu_s: float
    """Seconds of all cores together."""
    gpu_s: float
    """Wall seconds times the processes that held a GPU."""
    memory_bytes: int
    """Largest anonymous memory of all processes at the same time, sampled; mapped files are left out."""
    read_bytes: int
    """Bytes asked for through system calls, files and pipes; what is read through mapped memory is left out."""
    written_bytes: int


@dataclass(frozen=True)
class Counters:
    """What a process tree has used since it exists: the living processes and those that they waited for."""

    cpu_s: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0


class Meter:
    """Measures this process and all its descendants from entering to `read`; a thread samples memory and GPUs."""

    def __enter__(self) -> Self:
        self.began = self.sampled = time.monotonic()
        self.before = counters()
        self.memory, self.gpu_s = 0, 0.0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._sample_on, name="costs", daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def read(self) -> Usage:
        """End the measurement and return it."""
        self._end()
        now = counters()
        return Usage(
            wall_s=round(time.monotonic() - self.began, 3),
            cpu_s=round(max(0.0, now.cpu_s - self.before.cpu_s), 3),
            gpu_s=round(self.gpu_s, 3),
            memory_bytes=self.memory,
            read_bytes=max(0, now.read_bytes - self.before.read_bytes),
            written_bytes=max(0, now.written_bytes - self.before.written_bytes),
        )

    def _end(self) -> None:
        if not self.ending.is_set():
            self.ending.set()
            self.thread.join()
            self._sample()

    def _sample_on(self) -> None:
        """Sample until the end; the first sample is taken at once."""
        pause = 0.0
        while not self.ending.wait(pause):
            begun = time.monotonic()
            self._sample()
            pause = max(INTERVAL, (time.monotonic() - begun) / SHARE)

    def _sample(self) -> None:
        """Keep the largest memory, and add the time since the last sample for each GPU that is held now."""
        processes = list(tree())
        self.memory = max(self.memory, sum(map(anonymous_bytes, processes)))
        now = time.monotonic()
        if count := gpu_count():
            self.gpu_s += (now - self.sampled) * min(sum(map(holds_gpu, processes)), count)
        self.sampled = now


def tree() -> Iterator[int]:
    """Yield the ids of this process and of all its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        if fields := _stat(int(folder.name)):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    waiting = [os.getpid()]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children.get(process, [])


def counters() -> Counters:
    """Return the sum of the counters over the process tree."""
    cpu, read, written = 0.0, 0, 0
    for process in tree():
        if fields := _stat(process):  # user and system time, of the process and of the children it waited for
            cpu += sum(map(int, fields[11:15])) / TICKS
        for line in _lines(process, "io"):
            name, _, value = line.partition(": ")
            read += int(value) if name == "rchar" else 0
            written += int(value) if name == "wchar" else 0
    return Counters(cpu, read, written)


def anonymous_bytes(process: int) -> int:
    """Return a process's resident memory without mapped files and shared memory; 0 if it has ended."""
    for line in _lines(process, "statm"):
        _, resident, shared, *_ = map(int, line.split())
        return (resident - shared) * PAGE
    return 0


def holds_gpu(process: int) -> bool:
    """Return True if a process holds a CUDA context."""
    folder = PROC / str(process) / "fd"
    try:
        return any(os.readlink(folder / name) == CUDA for name in os.listdir(folder))
    except OSError:  # it has ended, or one of its files was closed meanwhile
        return False


def gpu_count() -> int:
    """Return the number of GPUs of this machine."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _stat(process: int) -> list[str]:
    """Return the fields of /proc/PID/stat that follow the name of the program, which may hold spaces."""
    for line in _lines(process, "stat"):
        return line.rpartition(")")[2].split()
    return []


def _lines(process: int, name: str) -> list[str]:
    """Return the lines of a file of a process; none if it has ended or belongs to another user."""
    try:
        return (PROC / str(process) / name).read_text(errors="replace").splitlines()
    except OSError:
        return []
