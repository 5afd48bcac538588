"""`cgdmer pipeline`: what `dvc repro` does, with a stage on each CPU core."""

import logging
import os
import time
from collections.abc import Sequence

from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.pipeline import graph, workers
from cgdmer.pipeline.graph import Graph
from cgdmer.pipeline.workers import Worker

JOBS = 4
"""Stages at a time by default: each takes up to 1.5 GB, and beyond four the longest chain of stages sets the time."""
log = logging.getLogger(__name__)


class StageFailed(CgdmerError):
    """A stage failed; what it printed says why."""


def reproduce(jobs: int | None = None) -> str:
    """Reproduce every stage of dvc.yaml, `jobs` at a time, each on a core of its own; return a line about the time.

    ConfigError for more jobs than cores; StageFailed after the stages that were running have ended.
    """
    cores = sorted(os.sched_getaffinity(0))
    if jobs is not None and not 1 <= jobs <= len(cores):
        raise ConfigError(f"--jobs {jobs}", allowed=f"1 to {len(cores)}, one per CPU core", fix="leave --jobs out")
    begin, stages = time.monotonic(), graph.read(graph.dvc())
    with workers.opened(cores[: jobs or JOBS]) as opened:
        run(stages, opened)
    return f"{len(stages.needs)} stages are up to date after {time.monotonic() - begin:.0f} s, {len(opened)} at a time"


def run(stages: Graph, opened: Sequence[Worker]) -> None:
    """Start each stage once those that it needs are done; after a failure start no other, and raise StageFailed."""
    waiting, done, failed = set(stages.needs), set[str](), list[str]()
    while waiting or any(worker.stage for worker in opened):
        for worker in opened:
            stage = None if failed or worker.stage else stages.ready(waiting, done)
            if stage is not None:
                waiting.remove(stage)
                worker.start(stage)
        if not any(worker.stage for worker in opened):
            break
        stage, code = workers.first_ended(opened).outcome()
        (failed.append if code else done.add)(stage)
        log.info("%d of %d stages: %s %s", len(done), len(stages.needs), stage, "failed" if code else "is up to date")
    if failed:
        raise StageFailed(
            f"{', '.join(failed)} failed: the reason was printed above",
            fix=f"dvc repro --single-item {failed[0]} runs it alone; then run the same command again, which continues",
        )
