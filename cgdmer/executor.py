"""Owns where many independent jobs run: in this process, in worker processes, or on a Dask cluster."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

from cgdmer import environment
from cgdmer.errors import CgdmerError, ConfigError

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")

DASK_TIMEOUT = 10.0
"""Seconds a Dask scheduler has to answer."""


class Serial(Executor):
    """Runs each job at once in this process: for debuggers and for single jobs."""

    def submit(self, fn: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor() -> Iterator[Executor]:
    """Open the executor that CGDMER_EXECUTOR and CGDMER_WORKERS name; ConfigError for an unknown one.

    Jobs and results must pickle. Worker processes start fresh (a fork of a process that has used torch may hang) and
    end with this process, even when it is killed. One worker is this process itself.
    """
    kind, workers = environment.read().executor, environment.read().workers
    if kind.startswith("dask://"):
        with _dask_client(kind) as client:
            yield client.get_executor(pure=False)
    elif kind == "serial" or (kind == "processes" and workers == 1):
        yield Serial()
    elif kind == "processes":
        context = get_context("forkserver")
        with ProcessPoolExecutor(workers, context, initializer=_end_with_parent) as pool:
            yield pool
    else:
        raise ConfigError(
            f"CGDMER_EXECUTOR={kind}",
            allowed="processes, serial, dask://host:port",
            fix="unset CGDMER_EXECUTOR",
        )


def each(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[tuple[Job, Result], None, None]:
    """Yield each job with its result as it is ready, in no fixed order; at most workers + 1 jobs are under way.

    The first failing job ends the rest. CgdmerError when a worker dies.
    """
    waiting = iter(jobs)
    with open_executor() as executor:
        limit = _workers(executor) + 1
        running: dict[Future[Result], Job] = {}
        try:
            while True:
                for job in islice(waiting, limit - len(running)):
                    running[executor.submit(function, job)] = job
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield running.pop(future), result
        except Exception as error:
            if isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker":  # the latter is Dask's
                raise _died(running.values()) from error
            raise
        finally:
            for future in running:
                future.cancel()


def ordered(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[tuple[Job, Result], None, None]:
    """Yield each job with its result in the order of the jobs; at most twice the workers + 1 are under way or waiting.

    A single job runs in this process. CgdmerError when a worker dies.
    """
    waiting = iter(jobs)
    first = list(islice(waiting, 2))
    if len(first) < 2:
        yield from ((job, function(job)) for job in first)
        return
    with open_executor() as executor:
        running: deque[tuple[Job, Future[Result]]] = deque()
        try:
            for job in chain(first, waiting):
                running.append((job, executor.submit(function, job)))
                if len(running) > 2 * _workers(executor):
                    yield running[0][0], running.popleft()[1].result()
            while running:
                yield running[0][0], running.popleft()[1].result()
        except BrokenProcessPool as error:
            raise _died(job for job, _ in running) from error
        finally:
            for _, future in running:
                future.cancel()


def _workers(executor: Executor) -> int:
    """Return how many jobs an executor runs at a time."""
    if isinstance(executor, Serial):
        return 0
    if isinstance(executor, ProcessPoolExecutor):
        return environment.read().workers
    return sum(executor._client.nthreads().values()) or 1  # type: ignore[attr-defined]


def _dask_client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(f"CGDMER_EXECUTOR={address} needs Dask", fix="pip install 'cgdmer[dask]'") from error
    try:
        return Client(address.replace("dask://", "tcp://", 1), timeout=DASK_TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"CGDMER_EXECUTOR={address}: no scheduler answers ({error})",
            allowed="the address of a running scheduler, whose workers see this folder under the same path",
            fix="dask scheduler, then dask worker tcp://host:8786; or unset CGDMER_EXECUTOR",
        ) from error


def _died(jobs: Iterable[object]) -> CgdmerError:
    """Name what was under way, where a job names the shard it writes; one of them was too much."""
    shards = sorted(shard.name for job in jobs if (shard := getattr(job, "shard", None)))
    at = f" (under way: {', '.join(shards)})" if shards else ""
    return CgdmerError(
        f"a worker process was killed, most often because memory ran out{at}",
        allowed="one shard in memory a worker",
        fix="run the same command again, with fewer workers: CGDMER_WORKERS=1; finished work is kept",
    )


def _end_with_parent() -> None:
    """Watch the parent from a thread, because a killed parent does not tell its workers."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent,), daemon=True).start()


def _outlive(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
