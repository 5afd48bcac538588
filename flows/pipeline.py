"""The flow `cgdmer`: the order of all stages, from raw corpora to registered encoders."""

from collections.abc import Sequence
from typing import Literal

from prefect import Task, flow, get_run_logger
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from cgdmer import settings
from flows import artifacts, dvc, output, provision, tasks

Until = Literal["validate", "pretrain", "report"]
Future = PrefectFuture[bool]
Futures = dict[str, Future]
THREADS = 64
"""Number of tasks submitted at once. Most of them wait for others; `dvc.Running` limits how many stages run."""


@flow(name="cgdmer", task_runner=ThreadPoolTaskRunner(max_workers=THREADS), persist_result=False)  # type: ignore[arg-type]
def cgdmer(until: Until = "report", record: bool = True, promote: bool = True) -> str:
    """Reproduce the pipeline stage by stage; DVC skips what has not changed.

    The settings are those in `params.yaml`, so a run and `dvc repro` give the same results.

    Args:
        until: Stop after validation, after pretraining, or with the report.
        record: Record the results in MLflow and register the encoders; only after the report.
        promote: Promote the candidate to champion if it passes the gate; only with `record`.
    """
    output.outlive_reader()
    provision.crash_orphaned_tasks()
    with dvc.stopping():
        dvc.running.read_status()
        _pipeline(until)
    get_run_logger().info("the pipeline is up to date to '%s'", until)
    if until == "report" and record:
        tasks.publish(promote)
    return until


def _pipeline(until: Until) -> None:
    """Submit all tasks, each waiting for those it depends on, and wait for the last ones."""
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
    """Submit a stage's task, which starts once all tasks in `after` have succeeded."""
    return task.submit(stage, wait_for=list(after), return_state=False)


def _data(matrix: settings.Matrix) -> Futures:
    """Submit acquire, index, shards and validate of every source; return source to its last task."""
    protocol = start(tasks.stage, "protocol")
    validated: Futures = {}
    for source in matrix.sources:
        acquired = start(tasks.acquire, f"acquire@{source}")
        indexed = start(tasks.stage, f"index@{source}", [acquired, protocol])
        sharded = start(tasks.stage, f"shards@{source}", [indexed])
        validated[source] = start(tasks.stage, f"validate@{source}", [sharded])
    return validated


def _pretraining(validated: list[Future]) -> Future:
    pretraining_set = start(tasks.stage, "pretraining_set", validated)
    return start(tasks.pretrain, "pretrain", [pretraining_set])


def _benchmark(matrix: settings.Matrix, validated: Futures, pretrained: Future) -> Future:
    """Submit all stages of the benchmark; return the stage `report`, which waits for them."""
    ends = [start(tasks.stage, name, [pretrained]) for name in ("retrieval", "disentanglement")]
    features: list[Future] = []
    for source in matrix.benchmarks:
        embedded: Futures = {}
        for encoder in matrix.encoders:
            embedded[encoder] = start(tasks.gpu_stage, f"embed@{encoder}-{source}", [pretrained])
        for encoder in matrix.controls:
            embedded[encoder] = start(tasks.stage, f"control@{encoder}-{source}", [validated[source]])
        features += [embedded[name] for name in matrix.probed]
        ends += [start(tasks.stage, f"probe@{name}-{source}", [embedded[name]]) for name in matrix.probed]
        ends += [
            start(tasks.gpu_stage, f"robustness@{n}-{source}", [embedded[n], pretrained]) for n in matrix.robustness
        ]
        ends.append(start(tasks.gpu_stage, f"finetune@{source}", [pretrained]))
        ends.append(start(tasks.stage, f"zero_shot@{source}", [embedded["cgdmer"]]))
    ends.append(start(tasks.stage, "measurements", features))
    return start(tasks.stage, "report", ends)
