"""What benchmarks note beside their numbers: the machine, the commit of the code, and seconds."""

import argparse
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Outcome = TypeVar("Outcome")


def parser_of(module: str, text: str) -> argparse.ArgumentParser:
    """Return the parser of a benchmark from its module and docstring; without options, it refuses all but `--help`."""
    title, _, rest = text.strip().partition("\n")
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}", description=title, epilog=rest.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def processor() -> str:
    """Return the name of the processor from /proc/cpuinfo, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())


def machine() -> str:
    """Return the processor, its number of cores, and the number of threads if the environment sets it."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return f"{processor()}, {os.cpu_count()} cores" + (f", OMP_NUM_THREADS={threads}" if threads else "")


def commit(folder: Path, *code: str) -> str:
    """Return the commit of a repository, with `+` if files below `code` differ from it; `unknown` without git."""
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return "unknown"
    changed = bool(code) and _git(folder, "status", "--porcelain", "--untracked-files=no", *code)
    return f"{head}+" if changed else head


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def timed(work: Callable[[], Outcome], clock: Callable[[], float] = time.perf_counter) -> tuple[Outcome, float]:
    """Return the result of a call and the seconds that it took by a clock."""
    begin = clock()
    outcome = work()
    return outcome, clock() - begin
