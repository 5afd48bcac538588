"""The flow `cgdmer`: the order of all stages, from raw corpora to registered encoders."""

from collections.abc import Sequence
from typing import Literal

from prefect import Task, allow_failure, flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from cgdmer import settings
from flows import (
    artifacts,
    checkpoints,
    dvc,
    output,
    provision,
    quality_trend,
    remote,
    run_names,
    run_settings,
    summary,
    tasks,
    variants,
)

Until = Literal["validate", "pretrain", "report"]
Future = PrefectFuture[tasks.Result]
Futures = dict[str, Future]
CODE = "code"
"""The stage on which all others depend, and which alone knows whether their code has changed."""
THREADS = 64
"""Number of tasks submitted at once. Most of them wait for others; `dvc.Running` limits how many stages run."""


class Submission:
    """Submits the tasks of one flow run, and knows which stages DVC will not have to run."""

    def __init__(self, changed: set[str] | None) -> None:
        """`changed` holds the stages that DVC reported as changed at the start of the run; None if it did not say."""
        self.changed = changed
        self.skipped: list[Future] = []

    def start(self, task: Task[[str], tasks.Result], stage: str, after: Sequence[Future] = ()) -> Future:
        """Submit a stage's task, which starts once all tasks in `after` have succeeded.

        A stage is skipped at once if DVC reported no change and all tasks before it are skipped: they are all that it
        reads from. Such a task waits for no device.
        """
        unchanged = self.changed is not None and stage not in self.changed and remote.is_shared(stage)
        if unchanged and all(any(one is other for other in self.skipped) for one in after):
            self.skipped.append(tasks.unchanged.submit(stage, wait_for=list(after), return_state=False))
            return self.skipped[-1]
        return task.submit(stage, wait_for=list(after), return_state=False)


@flow(
    name="cgdmer", flow_run_name=run_names.of_this_run, persist_result=False,
    task_runner=ThreadPoolTaskRunner(max_workers=THREADS),  # type: ignore[arg-type]
)  # fmt: skip
def cgdmer(
    until: Until = "report", record: bool = True, promote: bool = True,
    profile: run_settings.Profile = None, overrides: run_settings.Overrides = {},  # noqa: B006
) -> State[str]:  # fmt: skip
    """Reproduce the pipeline stage by stage; DVC skips what has not changed.

    The settings are those in `params.yaml`, so a run and `dvc repro` give the same results. With `profile` or
    `overrides`, the run works in a clone beside the project, which stays as it is.

    Args:
        until: Stop after validation, after pretraining, or with the report.
        record: Record the results in MLflow and register the encoders; only after the report.
        promote: Promote the candidate to champion if it passes the gate; only with `record`.
        profile: A profile of `params/` instead of `params.yaml`; the results are recorded, no encoder is registered.
        overrides: Settings by name, as {"train.epochs": 4}; the results are recorded, no encoder is registered.
    """
    output.outlive_reader()
    log = get_run_logger()
    provision.crash_orphaned_tasks()
    for line in [*checkpoints.clean(), *variants.clean()]:
        log.info(line)
    if not profile and not overrides:
        return _run(until, record, promote)
    label = run_settings.label(profile, overrides)
    with variants.workspace(run_settings.content(profile, overrides), profile) as folder:
        log.info("%s: works in %s", label, folder)
        return _run(until, record, promote, label)


def _run(until: Until, record: bool, promote: bool, label: str = "") -> State[str]:
    """Run the pipeline in the working directory; `label` says what is special about settings of a run of their own."""
    with dvc.stopping():
        submission = Submission(changed())
        _pipeline(until, submission, trend=not label)
    artifacts.costs()
    recorded = tasks.publish(promote, submission.changed == set(), label) if until == "report" and record else None
    message, *lines = summary.lines(until, recorded)
    if lines:
        get_run_logger().info("\n".join(lines))
    return Completed(data=until, message=message)


def changed() -> set[str] | None:
    """Ask DVC which stages have changed, after stage `code` if that is one of them; None if it does not say."""
    stages = dvc.changed_stages()
    if stages is not None and CODE not in stages and remote.is_shared(CODE):
        tasks.unchanged(CODE)
        return stages
    tasks.stage(CODE)
    return dvc.changed_stages()


def _pipeline(until: Until, submission: Submission, *, trend: bool) -> None:
    """Submit all tasks, each waiting for those it depends on, and wait for the last ones.

    With `trend`, the counts of validation belong to the history of the project's data.
    """
    matrix = settings.load().matrix
    validated = _data(matrix, submission)
    if trend:
        quality_trend.log_validation(matrix.sources, wait_for=[allow_failure(one) for one in validated.values()])
    artifacts.validation(matrix.sources, wait_for=list(validated.values()))
    last = list(validated.values())
    if until != "validate":
        last = [_pretraining(last, submission)]
    if until == "report":
        last = [_benchmark(matrix, validated, last[0], submission)]
    for future in last:
        future.result()
    if until == "report":
        artifacts.headline()


def _data(matrix: settings.Matrix, submission: Submission) -> Futures:
    """Submit acquire, index, shards and validate of every source; return source to its last task."""
    start = submission.start
    protocol = start(tasks.stage, "protocol")
    validated: Futures = {}
    for source in matrix.sources:
        acquired = start(tasks.acquire, f"acquire@{source}")
        indexed = start(tasks.stage, f"index@{source}", [acquired, protocol])
        sharded = start(tasks.stage, f"shards@{source}", [indexed])
        validated[source] = start(tasks.stage, f"validate@{source}", [sharded])
    return validated


def _pretraining(validated: list[Future], submission: Submission) -> Future:
    start = submission.start
    pretraining_set = start(tasks.stage, "pretraining_set", validated)
    return start(tasks.pretrain, "pretrain", [pretraining_set])


def _benchmark(
    matrix: settings.Matrix, validated: Futures, pretrained: Future, submission: Submission
) -> Future:  # fmt: skip
    """Submit all stages of the benchmark; return the stage `report`, which waits for them."""
    start = submission.start
    ends = [start(tasks.stage, name, [pretrained]) for name in ("retrieval", "disentanglement")]
    features: list[Future] = []
    for source in matrix.benchmarks:
        embedded: Futures = {}
        for encoder in matrix.encoders:
            embedded[encoder] = start(tasks.gpu_stage, f"embed@{encoder}-{source}", [pretrained])
        for encoder in matrix.controls:
            embedded[encoder] = start(tasks.control, f"control@{encoder}-{source}", [validated[source]])
        features += [embedded[name] for name in matrix.probed]
        ends += [start(tasks.stage, f"probe@{name}-{source}", [embedded[name]]) for name in matrix.probed]
        ends += [
            start(tasks.gpu_stage, f"robustness@{n}-{source}", [embedded[n], pretrained]) for n in matrix.robustness
        ]
        ends.append(start(tasks.gpu_stage, f"finetune@{source}", [pretrained]))
        ends.append(start(tasks.stage, f"zero_shot@{source}", [embedded["cgdmer"]]))
    ends.append(start(tasks.stage, "measurements", features))
    return start(tasks.stage, "report", ends)
