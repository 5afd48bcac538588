"""Runs each part in a process of its own, with a limit of time, so that no part can spoil another."""

import os
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.gpu.plan import Bench, Plan
from benchmarks.gpu.result import FAILED, Measurement, Part, judged

LEFT_OVER = "no time was left"


class PartFailed(Exception):
    """A part raised an error, died or took too long."""


@dataclass(frozen=True)
class Work:
    """A part to run: what it measures, and for how long at most."""

    name: str
    measure: Callable[[Bench], list[Measurement]]
    limit: float
    """Seconds."""


def run_all(works: list[Work], plan: Plan, corpus: Path, scratch: Path, limit: float) -> Iterator[Part]:
    """Run the parts one after another and yield each result; none runs once `limit` seconds have passed."""
    deadline = time.monotonic() + limit
    for work in works:
        left = min(plan.patience * work.limit, deadline - time.monotonic())
        if left <= 0:
            yield Part(work.name, FAILED, 0.0, error=LEFT_OVER)
            continue
        with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
            yield run_one(work, Bench(plan, corpus, Path(folder)), left)


def run_one(work: Work, bench: Bench, limit: float) -> Part:
    """Run one part; an error, a dead process and a passed limit make it a failed one."""
    begin = time.monotonic()
    try:
        result = call(work.measure, bench, limit)
    except PartFailed as error:
        return Part(work.name, FAILED, time.monotonic() - begin, error=str(error))
    return judged(work.name, time.monotonic() - begin, result)


def call(function: Callable[[Bench], list[Any]], bench: Bench, limit: float) -> list[Any]:
    """Call a function in a new process, which is killed with its children after `limit` seconds.

    Raises PartFailed if the function raises, the process dies, or the time is over.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.gpu.parts"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(function, bench, sender))
    process.start()
    sender.close()
    try:
        result = receiver.recv() if receiver.poll(limit) else f"it took longer than {limit:.0f} s"
    except EOFError:
        process.join()
        result = f"its process ended with exit code {process.exitcode}"
    end(process)
    if isinstance(result, str):
        raise PartFailed(result)
    answered: list[Any] = result
    return answered


def answer(function: Callable[[Bench], list[Any]], bench: Bench, sender: Connection) -> None:
    """Send what a function returns, or its error as text; its output on stdout and stderr is kept."""
    os.setsid()  # so that its children can be ended with it
    try:
        sender.send(function(bench))
    except Exception as error:
        traceback.print_exc()
        sender.send(f"{type(error).__name__}: {error}")


def end(process: BaseProcess) -> None:
    """Kill a process and its children, if they are there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()
    process.join()
