"""Owns the runs below a pipeline state: pretraining, a probe for each encoder and representation, ablations."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from cgdmer.tracking import delivery, server
from cgdmer.tracking.server import leaves, log_numbers, log_params, log_points
from cgdmer.tracking.state import flatten


@dataclass(frozen=True)
class Pretraining:
    """What is known of the training: its journal where this machine trained, its curve and summary in any case."""

    journal: Path | None = None
    curve: Sequence[Mapping[str, float]] = field(default_factory=list)
    summary: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


def begin(client: MlflowClient, parent: str, name: str, kind: str) -> str:
    """Start a run below another one."""
    tags = {"mlflow.parentRunId": parent, "kind": kind}
    return str(client.create_run(server.experiment(client), run_name=name, tags=tags).info.run_id)


def probes(client: MlflowClient, parent: str, metrics: Mapping[str, Any]) -> None:
    """Log one run for each encoder and representation, with the same metric keys as the parent."""
    for (encoder, representation), numbers in sorted(_cells(metrics).items()):
        run = begin(client, parent, f"probe {encoder} {representation}", "probe")
        log_params(client, run, {"encoder": encoder, "representation": representation})
        log_numbers(client, run, numbers)
        client.set_terminated(run)


def _cells(metrics: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for task, fractions in metrics["auroc"].items():
        for fraction, encoders in fractions.items():
            for encoder, representations in encoders.items():
                for representation, cell in representations.items():
                    numbers = found.setdefault((encoder, representation), {})
                    numbers[f"auroc/{task}/{fraction}"] = cell["mean"]
                    numbers[f"auroc_low/{task}/{fraction}"] = cell["low"]
                    numbers[f"auroc_high/{task}/{fraction}"] = cell["high"]
    return found


def pretraining(client: MlflowClient, parent: str, known: Pretraining) -> None:
    """Hang the live run below the parent; a state that shares or never had one gets a run of the curve it kept."""
    if known.journal is not None and known.journal.is_file():
        live = delivery.deliver(known.journal)
        if delivery.attach(client, live, parent):
            log_numbers(client, live, known.summary)
            return
    if known.curve:
        run = begin(client, parent, "pretrain", "pretrain")
        log_params(client, run, known.params)
        log_numbers(client, run, known.summary)
        points = [(row, name) for row in known.curve for name in row if name not in ("step", "epoch")]
        log_points(client, run, [Metric(name, float(row[name]), 0, int(row["step"])) for row, name in points])
        client.set_terminated(run)


def ablations(client: MlflowClient, parent: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Log one run for each ablation that has none yet, with the parent's metric keys and the params it changed."""
    wanted = f"tags.`mlflow.parentRunId` = '{parent}' and tags.kind = 'ablation'"
    there = {run.data.tags.get("digest") for run in client.search_runs([server.experiment(client)], wanted)}
    for name, row in sorted(rows.items()):
        digest = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
        if digest not in there:
            run = begin(client, parent, f"ablation {name}", "ablation")
            log_params(client, run, {"ablation": name} | flatten(row.get("overrides", {})))
            log_numbers(client, run, _ablated(row))
            client.set_tag(run, "digest", digest)
            client.set_terminated(run)


def _ablated(row: Mapping[str, Any]) -> dict[str, float]:
    """Return `auroc/<task>/<fraction>` of pooled features, `difference/...` from the full method, zero-shot, losses."""
    found: dict[str, float] = {}
    for task, fractions in row["auroc"].items():
        found |= {f"auroc/{task}/{fraction}": kinds["pooled"]["mean"] for fraction, kinds in fractions.items()}
    for task, fractions in row.get("differences", {}).items():
        found |= {f"difference/{task}/{fraction}": cell["mean"] for fraction, cell in fractions.items()}
    found |= {f"zero_shot/{task}": cell["mean"] for task, cell in row.get("zero_shot", {}).items()}
    return found | leaves(row.get("pretraining", {}), "pretraining/")
