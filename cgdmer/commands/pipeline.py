"""`cgdmer pipeline`: what `dvc repro` does, with a stage on each CPU core."""

import logging
import os
import time
from collections.abc import Sequence

from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.pipeline import graph, lanes
from cgdmer.pipeline.graph import Graph
from cgdmer.pipeline.lanes import Lane
from cgdmer.publishing import lineage

LANES = 4
"""Most lanes unless the user says otherwise: a stage takes up to 1.5 GB, and with more the longest chain decides."""
log = logging.getLogger(__name__)


class StageFailed(CgdmerError):
    """A stage failed; what it printed says why."""


def reproduce(jobs: int | None = None) -> str:
    """Reproduce every stage of dvc.yaml, `jobs` at a time, each on a core of its own; return a line about the time.

    ConfigError for more jobs than cores; StageFailed after the stages that were running have ended.
    """
    cores = sorted(os.sched_getaffinity(0))
    if jobs is not None and not 1 <= jobs <= len(cores):
        raise ConfigError(f"--jobs {jobs}", allowed=f"1 to {len(cores)}, one per CPU core", fix="leave it out")
    begin, stages = time.monotonic(), graph.read(lineage.dvc())
    with lanes.opened(cores[: jobs or LANES]) as opened:
        run(stages, opened)
    return f"{len(stages.needs)} stages are up to date after {time.monotonic() - begin:.0f} s, {len(opened)} at a time"


def run(stages: Graph, opened: Sequence[Lane]) -> None:
    """Start each stage once those that it needs are done; after a failure start no other, and raise StageFailed."""
    waiting, done, failed = set(stages.needs), set[str](), list[str]()
    while waiting or any(lane.stage for lane in opened):
        for lane in opened:
            stage = None if failed or lane.stage else stages.ready(waiting, done)
            if stage is not None:
                waiting.remove(stage)
                lane.start(stage)
        if not any(lane.stage for lane in opened):
            break
        stage, code = lanes.first_ended(opened).outcome()
        (failed.append if code else done.add)(stage)
        log.info("%d of %d stages: %s %s", len(done), len(stages.needs), stage, "failed" if code else "is up to date")
    if failed:
        raise StageFailed(
            f"{', '.join(failed)} failed; what was printed above says why",
            fix=f"dvc repro --single-item {failed[0]} shows it alone; then the same command again, which goes on",
        )
