"""The runs below a pipeline state: pretraining, one per probed encoder and representation, and the ablation study.

A method of the study is one run, and each of its pretrainings is a run below that one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from cgdmer.ablation_results import HEADLINE, Ablation
from cgdmer.metrics_json import Metrics
from cgdmer.results import Cell
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


def begin(client: MlflowClient, parent: str, name: str, kind: str, **more: str) -> str:
    """Start a child run with more tags, and return its id."""
    tags = {"mlflow.parentRunId": parent, "kind": kind} | more
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
    """Log one run per method that has none yet, with a run below it for each of its pretrainings.

    All have the parent's metric keys, the tag `method`, and the params that the method changes; a pretraining has the
    tag `seed`.
    """
    query = f"tags.`mlflow.parentRunId` = '{parent}' and tags.kind = 'ablation'"
    logged = {run.data.tags.get("digest") for run in client.search_runs([server.experiment(client)], query)}
    for name, ablation in sorted(ablations.items()):
        digest = hashlib.sha256(json.dumps(ablation.to_json(), sort_keys=True).encode()).hexdigest()
        if digest not in logged:
            run = begin(client, parent, f"ablation {name}", "ablation", method=name)
            params = {"ablation": name, "features": ablation.representation} | flatten(ablation.overrides)
            log_params(client, run, params)
            log_numbers(client, run, _values(ablation) | _differences(ablation))
            for position, seed in enumerate(ablation.pretraining_seeds):
                _pretrained(client, run, ablation, position, seed, params)
            client.set_tag(run, "digest", digest)
            client.set_terminated(run)


def _pretrained(
    client: MlflowClient, group: str, ablation: Ablation, position: int, seed: int, params: Mapping[str, str]
) -> None:
    """Log one pretraining of a method below the method's run."""
    name = ablation.profile
    run = begin(client, group, f"{name} seed {seed}", "ablation-seed", method=name, seed=str(seed))
    log_params(client, run, {**params, "train.seed": str(seed)})
    log_numbers(client, run, _values(ablation, position))
    client.set_terminated(run)


def _values(ablation: Ablation, position: int | None = None) -> dict[str, float]:
    """Return `auroc/<task>/<fraction>` and `zero_shot/<task>` of a method, or of one of its pretrainings.

    A method has the bounds of its intervals and its losses too.
    """
    cells = {f"zero_shot/{task}": cell for task, cell in ablation.zero_shot.items()}
    for task, fractions in ablation.auroc.items():
        for fraction, kinds in fractions.items():
            if ablation.representation in kinds:
                cells[f"auroc/{task}/{fraction}"] = kinds[ablation.representation]
    if position is not None:
        return {name: _by_pretraining(cell)[position] for name, cell in cells.items()}
    bounds = {name.replace("/", f"_{end}/", 1): getattr(cell, end) for name, cell in cells.items()
              for end in ("low", "high")}  # fmt: skip
    return {name: cell.mean for name, cell in cells.items()} | bounds | leaves(ablation.pretraining, "pretraining/")


def _by_pretraining(cell: Cell) -> list[float]:
    return cell.by_weights or [cell.mean]


def _differences(ablation: Ablation) -> dict[str, float]:
    """Return `difference/<task>/<fraction>` and `difference/<task>/zero_shot` from the full method."""
    numbers = {f"difference/{task}/zero_shot": cell.mean for task, cell in ablation.zero_shot_differences.items()}
    for task, fractions in ablation.differences.items():
        numbers |= {f"difference/{task}/{share}": kinds[HEADLINE].mean for share, kinds in fractions.items()}
    return numbers
