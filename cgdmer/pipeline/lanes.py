"""Lanes: processes that each reproduce one stage after another with DVC, on a CPU core of their own.

One core a lane, because operations on small arrays gain little from a second one, and because the numbers of a training
then do not depend on how many cores a machine has.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

GRACE = 60.0
"""Seconds that a stage has to save its work when it is stopped."""


class Lane:
    """A process on one core; it ends when its end of the pipe is closed, so also when this process is killed."""

    def __init__(self, core: int) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, core), name=f"lane {core}")
        self.process.start()
        theirs.close()
        self.stage: str | None = None

    def start(self, stage: str) -> None:
        self.stage = stage
        self.connection.send(stage)

    def outcome(self) -> tuple[str, int]:
        """Return the stage that has ended and DVC's exit code, or that of the process if it was killed."""
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


def first_ended(lanes: Iterable[Lane]) -> Lane:
    """Wait until a busy lane has an outcome, and return it."""
    busy = [lane for lane in lanes if lane.stage is not None]
    ended = wait([lane.connection for lane in busy])
    return next(lane for lane in busy if lane.connection in ended)


@contextmanager
def opened(cores: Sequence[int]) -> Iterator[list[Lane]]:
    """Open a lane on each core; on Ctrl-C, SIGTERM or an error, stop their stages and wait until they have saved."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    lanes = [Lane(core) for core in cores]
    try:
        yield lanes
    except BaseException:
        for lane in lanes:
            lane.stop()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        for lane in lanes:
            lane.connection.close()
        for lane in lanes:
            lane.process.join(GRACE)


def _ignore(*_: object) -> None:
    """Do nothing; unlike SIG_IGN, programs that this process starts do not inherit it."""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def serve(connection: Connection, core: int) -> None:
    """Reproduce the stages that arrive, on one core, and send DVC's exit code for each."""
    os.setsid()  # Ctrl-C in a terminal reaches the stage once, by `Lane.stop`
    signal.signal(signal.SIGTERM, _ignore)  # DVC notes how the stage ended; a stage has the default again
    os.sched_setaffinity(0, {core})
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    from dvc.cli import main  # type: ignore[import-untyped]

    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        while True:
            stage = connection.recv()
            connection.send(main(["--wait-for-lock", "repro", "--single-item", stage]))
