"""Owns the flow `cgdmer`: which stage waits for which, from raw corpora to a registered encoder."""

from typing import Annotated, Literal

from prefect import flow, get_run_logger
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from cgdmer import settings
from flows import artifacts, tasks

Until = Literal["validate", "pretrain", "report"]
Futures = dict[str, PrefectFuture[bool]]


@flow(name="cgdmer", task_runner=ThreadPoolTaskRunner(max_workers=8), persist_result=False)  # type: ignore[arg-type]
def cgdmer(
    until: Annotated[
        Until, Field(description="Stop after validation, after pretraining, or with the report.")
    ] = "report",
    record: Annotated[bool, Field(description="Record the results in MLflow and register the encoders.")] = True,
    promote: Annotated[bool, Field(description="Let the gate decide whether the candidate becomes champion.")] = True,
) -> str:
    """Reproduce the pipeline stage by stage; what has not changed is skipped by DVC.

    Params are the project's `params.yaml`, so that a flow run and `dvc repro` give the same result.
    """
    fan = settings.load().fan
    log = get_run_logger()
    validated = _data(fan)
    artifacts.validation(fan.sources, wait_for=list(validated.values()))
    last = list(validated.values())
    if until != "validate":
        last = [_pretraining(last)]
    if until == "report":
        last = [_benchmark(fan, validated, last[0])]
    for future in last:
        future.result()
    log.info("the pipeline stands up to '%s'", until)
    if until == "report":
        artifacts.headline()
    if until == "report" and record:
        tasks.publish(promote)
    return until


def _data(fan: settings.Fan) -> Futures:
    """Start acquire, index, shards and validate of every source; sources run beside each other."""
    protocol = tasks.stage.submit("protocol")
    validated: Futures = {}
    for source in fan.sources:
        acquired = tasks.acquire.submit(f"acquire@{source}")
        indexed = tasks.stage.submit(f"index@{source}", wait_for=[acquired, protocol])
        sharded = tasks.stage.submit(f"shards@{source}", wait_for=[indexed])
        validated[source] = tasks.stage.submit(f"validate@{source}", wait_for=[sharded])
    return validated


def _pretraining(validated: list[PrefectFuture[bool]]) -> PrefectFuture[bool]:
    pool = tasks.stage.submit("pool", wait_for=validated)
    return tasks.pretrain.submit("pretrain", wait_for=[pool])


def _benchmark(fan: settings.Fan, validated: Futures, pretrained: PrefectFuture[bool]) -> PrefectFuture[bool]:
    """Start embedding, probes, zero-shot, retrieval; the report waits for all of them."""
    ends = [tasks.stage.submit("retrieval", wait_for=[pretrained])]
    for source in fan.benchmarks:
        embedded: Futures = {}
        for encoder in fan.encoders:
            embedded[encoder] = tasks.gpu_stage.submit(f"embed@{encoder}-{source}", wait_for=[pretrained])
        for encoder in fan.controls:
            embedded[encoder] = tasks.stage.submit(f"control@{encoder}-{source}", wait_for=[validated[source]])
        ends += [tasks.stage.submit(f"probe@{name}-{source}", wait_for=[embedded[name]]) for name in fan.probed]
        ends.append(tasks.stage.submit(f"zero_shot@{source}", wait_for=[embedded["cgdmer"]]))
    return tasks.stage.submit("report", wait_for=ends)
