"""Publishing: record a pipeline state in MLflow, register its encoders, promote them or roll them back."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cgdmer import costs, paths, tables
from cgdmer.costs import Cost
from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import DataError
from cgdmer.files import exclusive_lock, named, read_json, write_text
from cgdmer.metrics_json import Metrics
from cgdmer.models import weights
from cgdmer.publishing import card, cost_page, findings, gate, lineage
from cgdmer.report.costs import by_stage
from cgdmer.report.table import markdown
from cgdmer.settings import Matrix, Settings
from cgdmer.tracking import aliases, record, registry, server, state

__all__ = ["Published", "decide", "promote", "publish", "rollback"]

FOLDER = paths.scratch("publish")
CARD, COSTS = "model_card.md", "costs.md"
FIX = "dvc repro --force --single-item report"
"""Writes the metrics again."""


@dataclass(frozen=True)
class Published:
    """A recorded pipeline state."""

    run: str
    versions: dict[str, str]


def publish(
    settings: Settings, spent: Sequence[Cost] = (), *, checked: bool = False, label: str = ""
) -> Published:  # fmt: skip
    """Record the state of the pipeline and register its encoders as candidates; a second call changes nothing.

    `spent` is what the results cost. `label` says what is special about settings that are not those of the project;
    such a state is recorded, but its encoders are no candidates. DataError if results are missing or are not those of
    dvc.lock; the latter is left out with `checked`, for a caller whom DVC has just told so. A second process waits.
    """
    with exclusive_lock(FOLDER / ".lock"):  # one that records the same state would delete the run of the other
        return _publish(settings, spent, checked=checked, label=label)


def _publish(settings: Settings, spent: Sequence[Cost], *, checked: bool, label: str) -> Published:
    for path in (paths.METRICS, paths.MODEL / weights.WEIGHTS):
        if not path.is_file():
            raise DataError(f"{path} is missing: there is nothing to publish", fix="dvc checkout; or dvc repro")
    if not checked:
        lineage.require_reproduced()
    here = state.current(settings.model_dump())
    with named(paths.METRICS, FIX):
        metrics = Metrics.from_json(read_json(paths.METRICS))
    corpora = findings.corpora(settings)
    with named(paths.METRICS, FIX):
        text = card.write(settings, metrics, corpora)
    write_text(FOLDER / CARD, text)
    extra = [_costs(spent)] if spent else []
    results = record.Results(
        metrics=metrics,
        corpora=corpora,
        artifacts=[
            *(FOLDER / CARD, lineage.write(FOLDER / lineage.FOLDER)),
            *extra,
            *_predictions(settings.matrix),
            *findings.pages(corpora),
        ],
        pretraining=findings.pretraining(settings, here),
        ablations=findings.ablations(),
        note=text,
        spent=costs.numbers(spent),
        label=label,
    )
    tags = findings.version_tags(here, metrics, corpora)
    with server.explained():
        run = record.record(here, results)
        if label:
            return Published(run, {})
        versions = registry.register(
            run, paths.MODEL, findings.example(open_folder(paths.MODEL)), tags, card.fitting(text)
        )
    return Published(run, versions)


def _costs(spent: Sequence[Cost]) -> Path:
    """Write the page and the table of what the results cost; return the table, which is logged."""
    cost_page.write(spent)
    write_text(FOLDER / COSTS, markdown(by_stage(spent)) + "\n")
    return FOLDER / COSTS


def _predictions(matrix: Matrix) -> list[Path]:
    """Write the predictions that the gate compares, with hashed record ids, into the folder that is logged."""
    folder = FOLDER / gate.PREDICTIONS
    shutil.rmtree(folder, ignore_errors=True)  # those of an earlier state
    for task in findings.probed(matrix):
        tables.write(gate.anonymous(tables.read(paths.predictions(gate.ENCODER, task))), folder / f"{task}.parquet")
    return [folder]


def decide() -> gate.Decision:
    """Promote the candidate to champion if it passes the gate; return the decision and its reasons."""
    with server.explained():
        return gate.decide()


def promote() -> str:
    """Promote the candidate to champion if it passes the gate; return the reasons."""
    return decide().text


def rollback() -> str:
    """Make the previous champion champion again."""
    with server.explained():
        back = aliases.rollback()
    return "champion again: " + ", ".join(f"{name} version {version}" for name, version in back.items())
