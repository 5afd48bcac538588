"""Owns the flow `cgdmer`: which stage waits for which, from raw corpora to a registered encoder."""

from collections.abc import Sequence
from typing import Literal

from prefect import Task, flow, get_run_logger
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from cgdmer import settings
from flows import artifacts, dvc, recovery, tasks

Until = Literal["validate", "pretrain", "report"]
Future = PrefectFuture[bool]
Futures = dict[str, Future]
THREADS = 64
"""Tasks that are submitted at once; most of them wait for others, and `dvc.STAGES` limits those that work."""


@flow(name="cgdmer", task_runner=ThreadPoolTaskRunner(max_workers=THREADS), persist_result=False)  # type: ignore[arg-type]
def cgdmer(until: Until = "report", record: bool = True, promote: bool = True) -> str:
    """Reproduce the pipeline stage by stage; what has not changed is skipped by DVC.

    The settings are the project's `params.yaml`, so that a run and `dvc repro` give the same result.

    Args:
        until: Stop after validation, after pretraining, or with the report.
        record: Record the results in MLflow and register the encoders; only with the report.
        promote: Let the gate decide whether the candidate becomes champion; only with `record`.
    """
    recovery.settle()
    with dvc.stopping():
        dvc.running.look()
        _pipeline(until)
    get_run_logger().info("the pipeline stands up to '%s'", until)
    if until == "report" and record:
        tasks.publish(promote)
    return until


def _pipeline(until: Until) -> None:
    """Start every task at once, each waiting for those it needs, and wait for the last."""
    matrix = settings.load().matrix
    validated = _data(matrix)
    artifacts.validation(matrix.sources, wait_for=list(validated.values()))
    last = list(validated.values())
    if until != "validate":
        last = [_pretraining(last)]
    if until == "report":
        last = [_benchmark(matrix, validated, last[0])]
    for future in last:
        future.result()
    if until == "report":
        artifacts.headline()


def start(task: Task[[str], bool], stage: str, after: Sequence[Future] = ()) -> Future:
    """Start a stage's task once others have ended well."""
    return task.submit(stage, wait_for=list(after), return_state=False)


def _data(matrix: settings.Matrix) -> Futures:
    """Start acquire, index, shards and validate of every source; sources run beside each other."""
    protocol = start(tasks.stage, "protocol")
    validated: Futures = {}
    for source in matrix.sources:
        acquired = start(tasks.acquire, f"acquire@{source}")
        indexed = start(tasks.stage, f"index@{source}", [acquired, protocol])
        sharded = start(tasks.stage, f"shards@{source}", [indexed])
        validated[source] = start(tasks.stage, f"validate@{source}", [sharded])
    return validated


def _pretraining(validated: list[Future]) -> Future:
    pool = start(tasks.stage, "pretraining_set", validated)
    return start(tasks.pretrain, "pretrain", [pool])


def _benchmark(matrix: settings.Matrix, validated: Futures, pretrained: Future) -> Future:
    """Start embedding, probes, zero-shot, retrieval; the report waits for all of them."""
    ends = [start(tasks.stage, name, [pretrained]) for name in ("retrieval", "disentanglement")]
    for source in matrix.benchmarks:
        embedded: Futures = {}
        for encoder in matrix.encoders:
            embedded[encoder] = start(tasks.gpu_stage, f"embed@{encoder}-{source}", [pretrained])
        for encoder in matrix.controls:
            embedded[encoder] = start(tasks.stage, f"control@{encoder}-{source}", [validated[source]])
        ends += [start(tasks.stage, f"probe@{name}-{source}", [embedded[name]]) for name in matrix.probed]
        ends += [
            start(tasks.gpu_stage, f"robustness@{n}-{source}", [embedded[n], pretrained]) for n in matrix.robustness
        ]
        ends.append(start(tasks.gpu_stage, f"finetune@{source}", [pretrained]))
        ends.append(start(tasks.stage, f"zero_shot@{source}", [embedded["cgdmer"]]))
    return start(tasks.stage, "report", ends)
