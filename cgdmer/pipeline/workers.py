"""Worker processes that reproduce one stage after another with DVC, each on a CPU core of its own.

Each has one core because operations on small arrays gain little from a second one, and because the results of training
then do not depend on the number of cores.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

from cgdmer.pipeline import ADDRESS, forking

GRACE = 60.0
"""Seconds that a stage has to save its work when it is stopped."""
CHATTY = ("dvc.dvcfile", "dvc.repo.scm_context")
"""Loggers that tell after every stage that dvc.lock has changed, and how to commit it."""
log = logging.getLogger(__name__)


class Worker:
    """A process on one core. It ends when this process closes the pipe or is killed."""

    def __init__(self, core: int) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, core), name=f"worker {core}")
        self.process.start()
        theirs.close()
        self.stage: str | None = None

    def start(self, stage: str) -> None:
        """Reproduce a stage; `outcome` tells how it ended."""
        self.stage = stage
        self.connection.send(stage)

    def outcome(self) -> tuple[str, int]:
        """Return the stage that has ended, with DVC's exit code or, if the worker was killed, that of the worker."""
        assert self.stage is not None
        stage, self.stage = self.stage, None
        try:
            return stage, self.connection.recv()
        except EOFError:
            self.process.join()
            return stage, self.process.exitcode or 1

    def stop(self) -> None:
        """Ask the stage to stop, which saves the work that can be continued."""
        if self.stage is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid or 0, signal.SIGTERM)


def first_ended(workers: Iterable[Worker]) -> Worker:
    """Wait until a busy worker has an outcome, and return that worker."""
    busy = [worker for worker in workers if worker.stage is not None]
    ended = wait([worker.connection for worker in busy])
    return next(worker for worker in busy if worker.connection in ended)


@contextmanager
def opened(cores: Sequence[int]) -> Iterator[list[Worker]]:
    """Start a worker on each core; on Ctrl-C, SIGTERM or an error, stop the stages and wait until they have saved."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    workers = [Worker(core) for core in cores]
    try:
        yield workers
    except BaseException:
        for worker in workers:
            worker.stop()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        for worker in workers:
            worker.connection.close()
        for worker in workers:
            worker.process.join(GRACE)


def _ignore(*_: object) -> None:
    """Do nothing; unlike SIG_IGN, programs that this process starts do not inherit it."""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def quieten_dvc() -> None:
    """Leave out what DVC logs after every stage, and its warning of empty outputs: some stages are switched off."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("dvc.output").addFilter(lambda record: not record.getMessage().endswith("' is empty."))


def serve(connection: Connection, core: int) -> None:
    """Reproduce the stages that arrive, on one core, and send DVC's exit code for each."""
    os.setsid()  # Ctrl-C in a terminal reaches the stage once, by `Worker.stop`
    signal.signal(signal.SIGTERM, _ignore)  # DVC notes how the stage ended; a stage has the default again
    os.sched_setaffinity(0, {core})
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    from dvc.cli import main  # type: ignore[import-untyped]

    quieten_dvc()
    with fork_server(), suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        while True:
            stage = connection.recv()
            connection.send(main(["--wait-for-lock", "repro", "--single-item", stage]))


@contextmanager
def fork_server() -> Iterator[None]:
    """Start the server that forks stage calls, for the commands that run in the block; it ends with this process."""
    with tempfile.TemporaryDirectory(prefix="cgdmer-") as folder:
        path = Path(folder) / "socket"
        try:
            listener = forking.listen(path)
        except OSError as error:
            log.info("stage calls are not forked: %s: %s", path, error)
            yield
            return
        with listener:
            file = listener.fileno()
            command = [sys.executable, "-m", "cgdmer.fork_server", str(file)]
            server = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[file])
        os.environ[ADDRESS] = str(path)
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            server.communicate()
