"""The runs below a pipeline state: pretraining, one per probed encoder and representation, and ablations."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from cgdmer.metrics_json import Metrics
from cgdmer.results import Ablation
from cgdmer.tracking import delivery, server
from cgdmer.tracking.server import leaves, log_numbers, log_params, log_points
from cgdmer.tracking.state import flatten


@dataclass(frozen=True)
class Pretraining:
    """The training: its curve and summary, and its journal if it ran on this machine."""

    journal: Path | None = None
    curve: Sequence[Mapping[str, float]] = field(default_factory=list)
    summary: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


def begin(client: MlflowClient, parent: str, name: str, kind: str) -> str:
    """Start a child run and return its id."""
    tags = {"mlflow.parentRunId": parent, "kind": kind}
    return str(client.create_run(server.experiment(client), run_name=name, tags=tags).info.run_id)


def probes(client: MlflowClient, parent: str, metrics: Metrics) -> None:
    """Log one run for each encoder and representation, with the same metric keys as the parent."""
    for (encoder, representation), numbers in sorted(_cells(metrics).items()):
        run = begin(client, parent, f"probe {encoder} {representation}", "probe")
        log_params(client, run, {"encoder": encoder, "representation": representation})
        log_numbers(client, run, numbers)
        client.set_terminated(run)


def _cells(metrics: Metrics) -> dict[tuple[str, str], dict[str, float]]:
    by_probe: dict[tuple[str, str], dict[str, float]] = {}
    for task, fractions in metrics.auroc.items():
        for fraction, encoders in fractions.items():
            for encoder, representations in encoders.items():
                for representation, cell in representations.items():
                    numbers = by_probe.setdefault((encoder, representation), {})
                    numbers[f"auroc/{task}/{fraction}"] = cell.mean
                    numbers[f"auroc_low/{task}/{fraction}"] = cell.low
                    numbers[f"auroc_high/{task}/{fraction}"] = cell.high
    return by_probe


def pretraining(client: MlflowClient, parent: str, training: Pretraining) -> None:
    """Attach the live run of the training to the parent; if there is none, log a run from the stored curve."""
    if training.journal is not None and training.journal.is_file():
        live = delivery.deliver(training.journal)
        if delivery.attach(client, live, parent):
            log_numbers(client, live, training.summary)
            return
    if training.curve:
        run = begin(client, parent, "pretrain", "pretrain")
        log_params(client, run, training.params)
        log_numbers(client, run, training.summary)
        points = [(row, name) for row in training.curve for name in row if name not in ("step", "epoch")]
        log_points(client, run, [Metric(name, float(row[name]), 0, int(row["step"])) for row, name in points])
        client.set_terminated(run)


def ablations(client: MlflowClient, parent: str, ablations: Mapping[str, Ablation]) -> None:
    """Log one run per ablation that has none yet, with the parent's metric keys and the params that it changed."""
    query = f"tags.`mlflow.parentRunId` = '{parent}' and tags.kind = 'ablation'"
    logged = {run.data.tags.get("digest") for run in client.search_runs([server.experiment(client)], query)}
    for name, ablation in sorted(ablations.items()):
        digest = hashlib.sha256(json.dumps(ablation.to_json(), sort_keys=True).encode()).hexdigest()
        if digest not in logged:
            run = begin(client, parent, f"ablation {name}", "ablation")
            log_params(client, run, {"ablation": name} | flatten(ablation.overrides))
            log_numbers(client, run, _ablated(ablation))
            client.set_tag(run, "digest", digest)
            client.set_terminated(run)


def _ablated(ablation: Ablation) -> dict[str, float]:
    """Return `auroc/<task>/<fraction>` of pooled features, `difference/...` from the full method, zero-shot, losses."""
    numbers: dict[str, float] = {}
    for task, fractions in ablation.auroc.items():
        numbers |= {f"auroc/{task}/{fraction}": kinds["pooled"].mean for fraction, kinds in fractions.items()}
    for task, differences in ablation.differences.items():
        numbers |= {f"difference/{task}/{fraction}": cell.mean for fraction, cell in differences.items()}
    numbers |= {f"zero_shot/{task}": cell.mean for task, cell in ablation.zero_shot.items()}
    return numbers | leaves(ablation.pretraining, "pretraining/")
