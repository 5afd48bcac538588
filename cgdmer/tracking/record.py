"""Owns the runs of one pipeline state: a parent, with pretraining and probes below it, found again by `dvc_lock`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient

from cgdmer.tracking import journal, server
from cgdmer.tracking.state import PipelineState

LIMIT = 100
"""Params MLflow takes in one call."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as MLflow sees it: no identifier of a person and no report, only counts and a digest."""

    name: str
    digest: str
    splits: Mapping[str, int]
    way: str


@dataclass(frozen=True)
class Results:
    """What a pipeline state has to show; `metrics` is the content of `reports/metrics.json`."""

    metrics: Mapping[str, Any]
    corpora: list[Corpus] = field(default_factory=list)
    artifacts: list[Path] = field(default_factory=list)
    journal: Path | None = None
    """The live curve of pretraining, `<name>.jsonl`, where this machine trained."""
    headline: tuple[str, str] = ("cgdmer", "pooled")
    """Encoder and representation whose numbers the parent run carries."""


def record(state: PipelineState, results: Results) -> str:
    """Log a pipeline state once and return the parent run's id; a second call finds it and adds nothing.

    A run that an earlier call left half written is deleted with its children and written anew.
    """
    client = server.connect()
    experiment = server.experiment(client)
    for run in client.search_runs([experiment], f"tags.dvc_lock = '{state.lock}' and tags.kind = 'pipeline'"):
        if run.data.tags.get("complete") == "true":
            return str(run.info.run_id)
        _delete(client, experiment, run)
    parent = str(client.create_run(experiment, run_name=f"benchmark {state.lock[:7]}", tags=_tags(state)).info.run_id)
    _params(client, parent, state.params)
    _numbers(client, parent, _headline(results))
    for corpus in results.corpora:
        _dataset(client, parent, corpus)
    _probes(client, experiment, parent, results.metrics)
    _pretraining(client, parent, results.journal)
    for path in results.artifacts:
        (client.log_artifacts if path.is_dir() else client.log_artifact)(parent, str(path), _place(path))
    client.set_tag(parent, "complete", "true")
    client.set_terminated(parent)
    return parent


def _tags(state: PipelineState) -> dict[str, str]:
    versions = {f"version.{name}": value for name, value in state.versions.items()}
    identity = {"kind": "pipeline", "dvc_lock": state.lock, "git_commit": state.commit, "git_dirty": str(state.dirty)}
    return identity | versions


def _place(path: Path) -> str | None:
    return path.name if path.is_dir() else None


def _params(client: MlflowClient, run: str, params: Mapping[str, str]) -> None:
    entities = [Param(key, value[:6000]) for key, value in sorted(params.items())]
    for start in range(0, len(entities), LIMIT):
        client.log_batch(run, params=entities[start : start + LIMIT])


def _numbers(client: MlflowClient, run: str, numbers: Mapping[str, float]) -> None:
    """Log final metrics with a fixed time and step, so that two states differ only where their numbers do."""
    client.log_batch(run, metrics=[Metric(key, float(value), 0, 0) for key, value in sorted(numbers.items())])


def _headline(results: Results) -> dict[str, float]:
    """Return the parent's metrics: `auroc/<task>/<fraction>`, `zero_shot/<task>`, `retrieval/...`."""
    encoder, representation = results.headline
    numbers: dict[str, float] = {}
    for task, fractions in results.metrics["auroc"].items():
        for fraction, encoders in fractions.items():
            cell = encoders.get(encoder, {}).get(representation)
            if cell:
                numbers[f"auroc/{task}/{fraction}"] = cell["mean"]
    numbers |= {f"zero_shot/{task}": cell["mean"] for task, cell in results.metrics["zero_shot"].items()}
    retrieval = results.metrics["retrieval"]
    numbers |= {f"retrieval/{key}": value for key, value in leaves(retrieval).items()}
    return numbers | {f"records/{name}": value["records"] for name, value in results.metrics["data"].items()}


def leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a nested mapping by their path, with `@` where MLflow forbids a character."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= leaves(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{key}"] = float(value)
    return found


def _dataset(client: MlflowClient, run: str, corpus: Corpus) -> None:
    """Log a corpus as an MLflow dataset: the digest of its shards and its split counts, no more."""
    entity = Dataset(
        name=corpus.name,
        digest=corpus.digest[:36],
        source_type="dvc",
        source=json.dumps({"way": corpus.way, "path": f"data/shards/{corpus.name}"}),
        profile=json.dumps(dict(corpus.splits), sort_keys=True),
    )
    client.log_inputs(run, datasets=[DatasetInput(entity, [InputTag("mlflow.data.context", "corpus")])])


def _probes(client: MlflowClient, experiment: str, parent: str, metrics: Mapping[str, Any]) -> None:
    """Log one nested run for each encoder and representation, with the same metric keys as the parent."""
    cells: dict[tuple[str, str], dict[str, float]] = {}
    for task, fractions in metrics["auroc"].items():
        for fraction, encoders in fractions.items():
            for encoder, representations in encoders.items():
                for representation, cell in representations.items():
                    numbers = cells.setdefault((encoder, representation), {})
                    numbers[f"auroc/{task}/{fraction}"] = cell["mean"]
                    numbers[f"auroc_low/{task}/{fraction}"] = cell["low"]
                    numbers[f"auroc_high/{task}/{fraction}"] = cell["high"]
    for (encoder, representation), numbers in sorted(cells.items()):
        tags = {"mlflow.parentRunId": parent, "kind": "probe"}
        run = client.create_run(experiment, run_name=f"probe {encoder} {representation}", tags=tags).info.run_id
        _params(client, run, {"encoder": encoder, "representation": representation})
        _numbers(client, run, numbers)
        client.set_terminated(run)


def _pretraining(client: MlflowClient, parent: str, path: Path | None) -> None:
    """Deliver what is left of the live curve and hang its run below the parent."""
    if path is not None and path.is_file():
        run = journal.deliver(path, path.with_suffix(".delivered.json"), path.stem)
        journal.finish(client, run, parent)


def _delete(client: MlflowClient, experiment: str, run: Run) -> None:
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    for child in children:
        if child.data.tags.get("kind") == "pretrain":
            client.log_batch(child.info.run_id, tags=[RunTag("mlflow.parentRunId", "")])
        else:
            client.delete_run(child.info.run_id)
    client.delete_run(run.info.run_id)
