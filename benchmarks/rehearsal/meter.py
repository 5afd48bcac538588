"""Measure one command with all its processes: wall and CPU time, memory, bytes read and written.

Run: python benchmarks/rehearsal/meter.py LOG LABEL COMMAND ... ; lines of JSON are added to LOG: before the command, at
intervals, so that a killed command is measured too, and after it. This file stands alone, because it runs in place of
`python` for each stage of `dvc repro`.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

INTERVAL = 0.2
"""Seconds between two samples of memory."""
PROGRESS = 2.0
"""Seconds between two lines of progress."""
ORPHANS = 5.0
"""Seconds to wait for processes that outlive the command, such as a fork server."""
PR_SET_CHILD_SUBREAPER = 36
MB = 1e6


def main() -> int:
    """Run the command and return its exit code."""
    log, label, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans come here, so that they are counted
    append(log, event="begin", label=label, time=time.time())
    before, begin = transferred(), time.perf_counter()
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: child.send_signal(got))
    own, tree = watch(child, lambda **values: append(log, event="progress", label=label, **values))
    wall = time.perf_counter() - begin
    reap()
    read, written = (after - earlier for after, earlier in zip(transferred(), before, strict=True))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest = used.ru_maxrss * 1024 / MB
    append(
        log, event="end", label=label, code=child.returncode, wall_s=round(wall, 3),
        cpu_s=round(used.ru_utime + used.ru_stime, 3), memory_mb=round(max(tree / MB, largest), 1),
        process_mb=round(largest, 1), command_mb=round(own / MB, 1),
        read_mb=round(read / MB, 3), written_mb=round(written / MB, 3),
    )  # fmt: skip
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def append(log: str, **entry: object) -> None:
    """Add one line; a short line is written in one call, so processes that share the file do not mix."""
    with Path(log).open("a") as stream:
        stream.write(json.dumps(entry) + "\n")


def watch(child: "subprocess.Popen[bytes]", report: Callable[..., None]) -> tuple[int, int]:
    """Wait for the command; return the largest resident memory in bytes, of itself and of all its processes together.

    Pages that processes share are counted once per process. `report` receives what was measured so far.
    """
    process = psutil.Process(child.pid)
    own = tree = largest = 0
    begin = due = time.perf_counter()
    while True:
        try:
            child.wait(INTERVAL)
            return own, tree
        except subprocess.TimeoutExpired:
            family = [process, *descendants(process)]
            sizes = [resident(one) for one in family]
            own, tree, largest = max(own, sizes[0]), max(tree, sum(sizes)), max(largest, *sizes)
            if time.perf_counter() >= due:
                due = time.perf_counter() + PROGRESS
                memory = {"memory_mb": tree / MB, "process_mb": largest / MB, "command_mb": own / MB}
                report(wall_s=round(time.perf_counter() - begin, 3), **memory, **used_by(family))


def used_by(family: list[psutil.Process]) -> dict[str, float]:
    """Return CPU seconds and bytes of living processes; each includes those of its children that have ended."""
    total = {"cpu_s": 0.0, "read_mb": 0.0, "written_mb": 0.0}
    for one in family:
        try:
            total["cpu_s"] += sum(one.cpu_times()[:4])
            bytes_ = one.io_counters()
            total["read_mb"] += bytes_.read_chars / MB
            total["written_mb"] += bytes_.write_chars / MB
        except psutil.Error:
            continue
    return {name: round(value, 3) for name, value in total.items()}


def descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def reap() -> None:
    """Wait for adopted processes, so that their time and bytes are counted; those that stay are left alone."""
    deadline = time.monotonic() + ORPHANS
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return


def transferred() -> tuple[int, int]:
    """Return the bytes read and written by this process and those it waited for, cached or not; maps are not seen."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"]), int(fields["wchar"])


if __name__ == "__main__":
    sys.exit(main())
