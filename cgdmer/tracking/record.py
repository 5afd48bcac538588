"""The parent run of one pipeline state, identified by its tag `dvc_lock`; `children` logs the runs below it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Run, RunTag
from mlflow.tracking import MlflowClient

from cgdmer.ablation_results import Ablation
from cgdmer.metrics_json import Metrics
from cgdmer.tracking import children, server
from cgdmer.tracking.server import leaves, log_numbers, log_params
from cgdmer.tracking.state import PipelineState

LONGEST = 5000
"""Longest note or description, in characters, that every database behind MLflow accepts."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as it is logged: counts and a digest, no patient identifier and no report."""

    name: str
    digest: str
    splits: Mapping[str, int]
    way: str
    validated: bool
    use: str = "benchmark"
    """`pretraining` or `benchmark`."""


@dataclass(frozen=True)
class Results:
    """Everything that is logged of a pipeline state."""

    metrics: Metrics
    corpora: list[Corpus] = field(default_factory=list)
    artifacts: list[Path] = field(default_factory=list)
    pretraining: children.Pretraining = field(default_factory=children.Pretraining)
    ablations: Mapping[str, Ablation] = field(default_factory=dict)
    """By profile."""
    note: str = ""
    """Markdown shown on the run's page."""
    spent: Mapping[str, float] = field(default_factory=dict)
    """What the results cost, as `cost/<stage>/<what>`."""
    label: str = ""
    """What is special about the settings of a run beside the project; empty for those of params.yaml."""
    headline: tuple[str, str] = ("cgdmer", "pooled")
    """Encoder and representation whose numbers the parent run has as metrics."""


def record(state: PipelineState, results: Results) -> str:
    """Log a pipeline state once and return the parent run's id; a second call adds nothing.

    A run that an earlier call left incomplete is deleted with its children and logged again.
    """
    client = server.connect()
    experiment = server.experiment(client)
    for run in client.search_runs([experiment], f"tags.dvc_lock = '{state.lock}' and tags.kind = 'pipeline'"):
        if run.data.tags.get("complete") == "true":
            children.ablations(client, run.info.run_id, results.ablations)
            return str(run.info.run_id)
        _delete(client, experiment, run)
    name, tags = f"{results.label or 'benchmark'} {state.lock[:7]}", _tags(state, results)
    parent = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    log_params(client, parent, state.params)
    log_numbers(client, parent, {**headline(results), **results.spent})
    datasets = [_dataset(corpus) for corpus in results.corpora]
    if datasets:
        client.log_inputs(parent, datasets=datasets)
    children.probes(client, parent, results.metrics)
    children.pretraining(client, parent, results.pretraining)
    children.ablations(client, parent, results.ablations)
    for path in results.artifacts:
        (client.log_artifacts if path.is_dir() else client.log_artifact)(parent, str(path), _place(path))
    client.set_tag(parent, "complete", "true")
    client.set_terminated(parent)
    return parent


def _tags(state: PipelineState, results: Results) -> dict[str, str]:
    tags = {"kind": "pipeline", "dvc_lock": state.lock, "git_commit": state.commit, "git_dirty": str(state.dirty)}
    tags |= {f"version.{name}": value for name, value in state.versions.items()}
    tags |= {f"environment.{name}": value for name, value in state.environment.items()}
    tags |= {f"version.{name}": results.metrics.versions[name] for name in ("code", "model")
             if name in results.metrics.versions}  # fmt: skip
    for corpus in results.corpora:
        tags[f"data.{corpus.name}"] = corpus.digest[:16]
        tags[f"validation.{corpus.name}"] = "passed" if corpus.validated else "failed"
    if results.label:
        tags["variant"] = results.label
    return tags | ({"mlflow.note.content": results.note[:LONGEST]} if results.note else {})


def _place(path: Path) -> str | None:
    return path.name if path.is_dir() else None


def headline(results: Results) -> dict[str, float]:
    """Return the parent's metrics: `auroc/<task>/<fraction>`, `zero_shot/<task>`, `retrieval/...`, `records/...`."""
    encoder, representation = results.headline
    numbers: dict[str, float] = {}
    for task, fractions in results.metrics.auroc.items():
        for fraction, encoders in fractions.items():
            cell = encoders.get(encoder, {}).get(representation)
            if cell:
                numbers[f"auroc/{task}/{fraction}"] = cell.mean
    numbers |= _means(numbers)
    numbers |= {f"zero_shot/{task}": cell.mean for task, cell in results.metrics.zero_shot.items()}
    retrieval = results.metrics.retrieval.to_json() if results.metrics.retrieval else {}
    numbers |= {f"retrieval/{key}": value for key, value in leaves(retrieval).items()}
    return numbers | {f"records/{name}": corpus.records for name, corpus in results.metrics.data.items()}


def _means(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return `auroc/mean/<fraction>`, the mean over tasks."""
    by_fraction: dict[str, list[float]] = {}
    for name, value in numbers.items():
        by_fraction.setdefault(name.rsplit("/", 1)[1], []).append(value)
    return {f"auroc/mean/{fraction}": sum(values) / len(values) for fraction, values in by_fraction.items()}


def _dataset(corpus: Corpus) -> DatasetInput:
    """Return a corpus as an MLflow dataset: the digest of its shards and its split counts only."""
    entity = Dataset(
        name=corpus.name,
        digest=corpus.digest[:36],
        source_type="dvc",
        source=json.dumps({"way": corpus.way, "path": f"data/shards/{corpus.name}"}),
        profile=json.dumps(dict(corpus.splits), sort_keys=True),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", corpus.use)])


def _delete(client: MlflowClient, experiment: str, run: Run) -> None:
    """Delete a run and all runs below it; the live run of a training is detached instead."""
    for child in client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"):
        if "journal" in child.data.tags:
            client.log_batch(child.info.run_id, tags=[RunTag("mlflow.parentRunId", "")])
        else:
            _delete(client, experiment, child)
    client.delete_run(run.info.run_id)
