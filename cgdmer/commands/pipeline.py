"""`cgdmer pipeline`: what `dvc repro` does, with a stage on each CPU core."""

import logging
import os
import time
from collections.abc import Collection, Sequence

from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.pipeline import graph, lanes
from cgdmer.pipeline.graph import Graph
from cgdmer.pipeline.lanes import Lane
from cgdmer.publishing import lineage

LANES = 4
"""Most lanes unless the user says otherwise: a stage takes up to 1.5 GB, and with more the longest chain decides."""
ALONE = "pretrain"
"""The stage that has all cores, and no other beside it: threads that wait for each other at every operation would wait
for other stages too. Its results depend on the number of cores, as with `dvc repro`."""
log = logging.getLogger(__name__)


class StageFailed(CgdmerError):
    """A stage failed; what it printed says why."""


def reproduce(jobs: int | None = None) -> str:
    """Reproduce every stage of dvc.yaml, `jobs` at a time, and return a line about the time.

    Each stage has a core of its own, but pretraining, which runs alone and has all of them.

    ConfigError for more jobs than cores; StageFailed after the stages that were running have ended.
    """
    cores = sorted(os.sched_getaffinity(0))
    if jobs is not None and not 1 <= jobs <= len(cores):
        raise ConfigError(f"--jobs {jobs}", allowed=f"1 to {len(cores)}, one per CPU core", fix="leave it out")
    begin, stages = time.monotonic(), graph.read(lineage.dvc())
    with lanes.opened(cores[: jobs or LANES]) as opened:
        run(stages, opened, cores)
    return f"{len(stages.needs)} stages are up to date after {time.monotonic() - begin:.0f} s, {len(opened)} at a time"


def run(stages: Graph, opened: Sequence[Lane], cores: Collection[int] = ()) -> None:
    """Start each stage once those that it needs are done; after a failure start no other, and raise StageFailed.

    `cores` are those of the stage that runs alone.
    """
    waiting, done, failed = set(stages.needs), set[str](), list[str]()
    while waiting or any(lane.stage for lane in opened):
        for lane in opened:
            stage = None if failed or lane.stage else stages.ready(waiting, done)
            busy = [other.stage for other in opened if other.stage]
            if stage is None or ALONE in busy or (stage == ALONE and busy):
                continue
            waiting.remove(stage)
            lane.start(stage, cores if stage == ALONE else ())
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
