"""The flows of every day: features and scores of new recordings, and whether incoming ones differ from the training.

Each has a run in MLflow and a table in Prefect.
"""

import logging
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event
from pydantic import Field

from cgdmer.operations import batch
from flows import artifacts, dvc, notifications, provision, run_names, tasks
from flows.output import outlive_reader

Source = Annotated[str, Field(description="A folder, a zip, a recording, or s3://BUCKET/PREFIX.")]
ModelName = Annotated[str, Field(description="An alias or version of cgdmer-ecg-encoder, cgdmer-base, or a folder.")]
Output = Annotated[str, Field(description="The folder that keeps the results of all runs.")]
Rate = Annotated[float | None, Field(description="Sampling rate of .npy and .csv files in Hz.")]
Unit = Annotated[str | None, Field(description="Unit of .npy and .csv files: mV, V or uV.")]
Leads = Annotated[list[str] | None, Field(description="Lead names of .npy files and of .csv files without a header.")]
Probes = Annotated[list[str], Field(description="Tasks or probes; none for those packaged with the encoder.")]
Reference = Annotated[str | None, Field(description="A folder of recordings; none for the training data.")]
Hours = Annotated[float | None, Field(description="Only files that changed within so many hours; none for all.")]
RESULTS = ".cgdmer/inference"
TAG = 5000
"""Characters of the longest tag of MLflow."""


@flow(name="cgdmer", flow_run_name=run_names.of_this_run, persist_result=False)
def embed(
    source: Source, model: ModelName = "champion", output: Output = RESULTS,
    fs: Rate = None, unit: Unit = None, leads: Leads = None,
) -> dict[str, Any]:  # fmt: skip
    """Compute the features of the recordings of a source that have none yet."""
    return _run(_request("embed", source, model, output, fs, unit, leads))


@flow(name="cgdmer", flow_run_name=run_names.of_this_run, persist_result=False)
def score(
    source: Source, model: ModelName = "champion", output: Output = RESULTS, probes: Probes = [],  # noqa: B006
    fs: Rate = None, unit: Unit = None, leads: Leads = None,
) -> dict[str, Any]:  # fmt: skip
    """Score the recordings of a source that have no score yet with prompts and fitted probes."""
    from cgdmer.commands.scorer import ScoreOptions

    options = ScoreOptions(probes=tuple(probes))
    return _run(_request("score", source, model, output, fs, unit, leads, options=options))


def _request(
    kind: str, source: str, model: str, folder: str, fs: float | None, unit: str | None, leads: list[str] | None,
    **more: Any,
) -> batch.Request:  # fmt: skip
    from cgdmer.recordings.array_metadata import from_options

    metadata = from_options(fs, unit, ",".join(leads) if leads else None)
    return batch.Request(kind, source, Path(folder), model, metadata, **more)


def _run(request: batch.Request) -> dict[str, Any]:
    outlive_reader()
    provision.crash_orphaned_tasks()  # a killed task would hold the GPU slot for ever
    on_gpu = [tasks.GPU] if dvc.compute_slots() > 1 else []
    done = new_recordings.with_options(tags=on_gpu)(request)
    counts: dict[str, Any] = log_batch(request.kind, done)
    return counts


@task(retries=3, task_run_name="{request.kind} new recordings", **tasks.RETRIES)
def new_recordings(request: batch.Request) -> batch.Outcome:
    """Encode or score what is new."""
    return batch.run(request, get_run_logger().info)


@task(retries=3, task_run_name="log to MLflow", **tasks.RETRIES)
def log_batch(kind: str, done: batch.Outcome) -> dict[str, Any]:
    """Log the counts to MLflow and show them; return the counts and the MLflow run."""
    from cgdmer.tracking import operation_runs

    counts = {"found": done.found, "known": done.known, "written": done.written, "rejected": done.rejected,
              "doubtful": done.doubtful, "may_pass": done.may_pass, "waiting": done.waiting}  # fmt: skip
    tags = {"kind": kind, "model": done.model.label, "model_version": done.model.version}
    run = operation_runs.record(
        operation_runs.INFERENCE, f"{kind} {done.written} recordings", tags, {**counts, "seconds": done.seconds},
        texts={"rejects.json": operation_runs.counted(done.reasons)}, key=_own_key(),
    )  # fmt: skip
    rows = "\n".join(f"| {name} | {count:,} |" for name, count in counts.items())
    text = f"By {done.model.label}, in `{done.folder}`\n\n| recordings | |\n|---|---:|\n{rows}\n"
    create_markdown_artifact(text, key=f"{kind}-new", description="What this run found and wrote")
    artifacts.mlflow_run(run)
    return counts | {"mlflow_run": run}


def _own_key() -> str:
    """Return the id of this task run, which its retries share; empty outside a run."""
    return str(runtime.task_run.id or "")


@flow(name="cgdmer", flow_run_name=run_names.of_this_run, persist_result=False)
def monitor(
    source: Source, model: ModelName = "champion", reference: Reference = None, hours: Hours = None,
    records: Annotated[int, Field(description="Most recordings that are compared.")] = 500,
    name: Annotated[str, Field(description="Name of the history and its page.")] = "incoming",
    fs: Rate = None, unit: Unit = None, leads: Leads = None,
) -> dict[str, Any]:  # fmt: skip
    """Compare incoming recordings with the training data; drift sends the event `cgdmer.drift`."""
    from cgdmer.operations.monitor import Request
    from cgdmer.recordings.array_metadata import from_options

    outlive_reader()
    metadata = from_options(fs, unit, ",".join(leads) if leads else None)
    done = comparison(Request(source, model, reference, metadata, hours, records, name=name))
    _send_drift_event(name, done)
    result: dict[str, Any] = log_comparison(name, done)
    return result


@task(retries=3, task_run_name="compare {request.name}", **tasks.RETRIES)
def comparison(request: Any) -> Any:
    """Compare the recordings of a request, append to the history and renew its page."""
    from cgdmer.operations.monitor import check

    done = check(request)
    get_run_logger().log(logging.WARNING if done.drifted else logging.INFO, "%s", done)
    return done


def _send_drift_event(name: str, done: Any) -> None:
    """Send an event if there is drift.

    This comes before MLflow, which may not answer, because objects are compared only once.
    """
    if done.drifted:
        resource = {"prefect.resource.id": f"cgdmer.monitor.{name}", "prefect.resource.name": name}
        emit_event(notifications.DRIFT, resource, payload={"summary": str(done), "variables": done.drifted})


@task(retries=3, task_run_name="log to MLflow", **tasks.RETRIES)
def log_comparison(name: str, done: Any) -> dict[str, Any]:
    """Log the differences and the page to MLflow."""
    from cgdmer.tracking import operation_runs

    tags = {"kind": "monitor", "history": name, "model": done.model.label, "model_version": done.model.version,
            "drift": ", ".join(done.drifted)[:TAG]}  # fmt: skip
    run = operation_runs.record(
        operation_runs.MONITORING, f"{name} {done.when[:10]}", tags, done.metrics(),
        texts={"rejects.json": operation_runs.counted(done.reasons)}, files=(done.page,), key=_own_key(),
    )  # fmt: skip
    create_markdown_artifact(f"{done}", key="monitor", description="Incoming recordings and the training data")
    artifacts.mlflow_run(run)
    return {"drifted": done.drifted, "records": done.records, "rejected": done.rejected, "mlflow_run": run}
