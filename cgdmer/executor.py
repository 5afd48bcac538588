"""Run many independent jobs in this process, in worker processes, or on a Dask cluster.

joblib is not used: it runs ahead of a slow consumer, so results pile up in memory, and its workers outlive a killed
parent.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from cgdmer import environment
from cgdmer.errors import CgdmerError, ConfigError

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")

DASK_TIMEOUT = 10.0
"""Seconds to wait for a Dask scheduler."""


BACKGROUND = 10
"""Niceness of processes that work in the background."""


class WorkerDied(CgdmerError):
    """A worker process ended before its job did."""


class SerialExecutor(Executor):
    """Run each job immediately in this process, for debugging and for single jobs."""

    def submit(self, fn: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor() -> Iterator[Executor]:
    """Open the executor that CGDMER_EXECUTOR and CGDMER_WORKERS select; raise ConfigError if it is unknown.

    Jobs and results must be picklable. Worker processes do not inherit this process (a fork of a process that has used
    torch may hang) and end with it, even when it is killed. With one worker, jobs run in this process.
    """
    kind, workers = environment.read().executor, environment.read().workers
    if kind.startswith("dask://"):
        with _dask_client(kind) as client:
            yield client.get_executor(pure=False)
    elif kind == "serial" or (kind == "processes" and workers == 1):
        yield SerialExecutor()
    elif kind == "processes":
        with _pool(workers) as pool:
            yield pool
    else:
        raise ConfigError(
            f"CGDMER_EXECUTOR={kind}",
            allowed="processes, serial, dask://host:port",
            fix="unset CGDMER_EXECUTOR",
        )


def map_unordered(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[tuple[Job, Result], None, None]:
    """Yield each job with its result as soon as it is ready; at most workers + 1 jobs are submitted at a time.

    The first failing job cancels the others. Raises CgdmerError if a worker dies.
    """
    pending = iter(jobs)
    with open_executor() as executor:
        limit = _workers(executor) + 1
        running: dict[Future[Result], Job] = {}
        try:
            while True:
                for job in islice(pending, limit - len(running)):
                    running[executor.submit(function, job)] = job
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield running.pop(future), result
        except Exception as error:
            if isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker":  # raised by Dask
                raise worker_died(running.values()) from error
            raise
        finally:
            for future in running:
                future.cancel()


def map_ordered(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[tuple[Job, Result], None, None]:
    """Yield each job with its result in the order of the jobs.

    At most 2 * workers + 1 jobs are submitted or have unread results. A single job runs in this process. Raises
    CgdmerError if a worker dies.
    """
    pending = iter(jobs)
    first = list(islice(pending, 2))
    if len(first) < 2:
        yield from ((job, function(job)) for job in first)
        return
    with open_executor() as executor:
        running: deque[tuple[Job, Future[Result]]] = deque()
        try:
            for job in chain(first, pending):
                running.append((job, executor.submit(function, job)))
                if len(running) > 2 * _workers(executor):
                    yield running[0][0], running.popleft()[1].result()
            while running:
                yield running[0][0], running.popleft()[1].result()
        except BrokenProcessPool as error:
            raise worker_died(job for job, _ in running) from error
        finally:
            for _, future in running:
                future.cancel()


def map_apart(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[Result, None, None]:
    """Yield the result of each job, one after another in one process of their own. WorkerDied if a job ends it."""
    with _pool(1) as pool:
        try:
            for job in jobs:
                yield pool.submit(function, job).result()
        except BrokenProcessPool as error:
            raise worker_died([]) from error


@contextmanager
def background_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Open worker processes that prepare work for this one: it has precedence over them, and they end with it.

    Ctrl-C is left to this process. Jobs that have not begun are dropped when it leaves.
    """
    _start_server()
    pool = ProcessPoolExecutor(count, get_context("forkserver"), initializer=_stand_back)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Return worker processes in which Ctrl-C ends a job, and shows no traceback at any other time."""
    _start_server()
    return _Pool(workers, get_context("forkserver"), initializer=_begin)


def _start_server() -> None:
    """Start the server that forks the workers, with SIGINT blocked: it, and workers that import, would show tracebacks.

    The resource tracker goes first, because starting it unblocks SIGINT.
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool(ProcessPoolExecutor):
    """Worker processes that run each job through `_run`."""

    def submit(self, fn: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        return super().submit(_run, partial(fn, *args, **kwargs))


class _Worker:
    """Whether this process, a worker, runs a job, and whether Ctrl-C was pressed while it did not."""

    def __init__(self) -> None:
        self.runs, self.interrupted = False, False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGINT: end the job, or else refuse the next one."""
        self.interrupted = True
        if self.runs:
            raise KeyboardInterrupt


_worker = _Worker()


def _begin() -> None:
    """Prepare a worker: from here on it handles SIGINT, unless it inherits that the signal is ignored."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _worker.interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _end_with_parent()


def _run(job: Callable[[], Result]) -> Result:
    """Run a job in a worker; KeyboardInterrupt, which the pool hands to the parent, if Ctrl-C was pressed."""
    try:
        _worker.runs = True
        if _worker.interrupted:
            raise KeyboardInterrupt
        return job()
    finally:
        _worker.runs = False


def _stand_back() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(BACKGROUND)
    _end_with_parent()


def _workers(executor: Executor) -> int:
    """Return the number of jobs that an executor runs at a time; 0 if `submit` blocks."""
    if isinstance(executor, SerialExecutor):
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
            allowed="the address of a running scheduler whose workers see this folder under the same path",
            fix="start dask scheduler and dask worker tcp://host:8786, or unset CGDMER_EXECUTOR",
        ) from error


def worker_died(jobs: Iterable[object]) -> WorkerDied:
    """Build the error for a dead worker; it lists the shards in progress, one of which used too much memory."""
    shards = sorted(shard.name for job in jobs if (shard := getattr(job, "shard", None)))
    in_progress = f" (in progress: {', '.join(shards)})" if shards else ""
    return WorkerDied(
        f"a worker process was killed, most often because memory ran out{in_progress}",
        allowed="one shard in memory per worker",
        fix="run the same command again with fewer workers: CGDMER_WORKERS=1; finished work is kept",
    )


def _end_with_parent() -> None:
    """Watch the parent from a thread, because a killed parent cannot stop its workers."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
