"""Stage pretrain: the shards of the pretraining set -> trained CG-DMER weights, learning curve, summary."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from cgdmer import paths, settings
from cgdmer.files import atomic, write_json
from cgdmer.models import text_files, weights
from cgdmer.objectives import Objective
from cgdmer.tracking import journal
from cgdmer.training import Fitted, World, fit, join, launch, process_count, threads
from cgdmer.training.pretraining_set import key, open_pretraining_set
from cgdmer.training.training_data import TrainingData, of_shards


@dataclass(frozen=True)
class Destination:
    """Where a training writes its results."""

    model: Path
    results: Path
    """Folder of curve.csv and summary.json."""
    name: str
    """Name of its folder of work in progress."""


PIPELINE = Destination(paths.MODEL, paths.CURVE.parent, "pretrain")


@dataclass(frozen=True)
class Sections:
    """The settings of a training, by the name of their section."""

    model: settings.Model
    masking: settings.Masking
    objective: settings.Objective
    augmentation: settings.Augmentation
    train: settings.Train
    signal: settings.Signal

    @classmethod
    def of(cls, config: settings.Settings) -> Self:
        """Return the sections that a training reads."""
        return cls(config.model, config.masking, config.objective, config.augmentation, config.train, config.signal)


def pretrain(
    *, model: settings.Model, masking: settings.Masking, objective: settings.Objective,
    augmentation: settings.Augmentation, train: settings.Train, signal: settings.Signal,
) -> None:  # fmt: skip
    """Train on the pretraining set; after a kill, training resumes from its last checkpoint."""
    start(Sections(model, masking, objective, augmentation, train, signal), open_corpora, PIPELINE)


OpenData = Callable[[Sections], tuple[TrainingData, dict[str, Any]]]
"""Returns the records to train on and the description of the pretraining set; every process calls it."""


def open_corpora(sections: Sections) -> tuple[TrainingData, dict[str, Any]]:
    """Open the corpora of the pipeline's pretraining set."""
    shards, description = open_pretraining_set(sections.signal)
    return of_shards(shards, sections.train, sections.objective, sections.augmentation), description


def start(sections: Sections, open_data: OpenData, destination: Destination) -> None:
    """Train in one process per device."""
    model = sections.model
    if model.text and weights.reads_reports(sections.objective):
        text_files.require(model.text, model.text_revision)  # before shards are verified, which takes minutes
    if (count := process_count()) > 1:
        launch(count, run, sections, open_data, destination)
    else:
        run(sections, open_data, destination)


def run(sections: Sections, open_data: OpenData, destination: Destination) -> None:
    """Run one training process; only rank 0 writes."""
    objective, train, signal = sections.objective, sections.train, sections.signal
    world = join()
    data, description = open_data(sections)
    with threads(world.size):
        network = weights.create(sections.model, sections.masking, objective, signal, data.reports, train.seed)
        name = key(description, *vars(sections).values())
        folder = paths.scratch(destination.name, name)
        task = Objective(network, objective, sections.augmentation)
        live = journal.live(name, folder, vars(sections), train.log_steps) if world.is_main else nullcontext(silent)
        with live as log_step, data.open(network.tokenizer, folder, world) as (source, plan):
            fitted = fit(task, source, data.sizes, train, world=world, folder=folder, log_metrics=log_step, plan=plan)
    if world.is_main:
        facts: dict[str, Any] = {"records": data.sizes[0], "held_out": data.sizes[1], "steps": fitted.steps}
        facts |= {"pool": sorted(description["sources"]), **data.facts}
        weights.save(destination.model, network, signal, facts)
        write_summary(fitted, facts, task, world, destination)
        shutil.rmtree(paths.scratch(destination.name), ignore_errors=True)  # only rank 0 wrote here, and all is saved


def silent(step: int, metrics: Mapping[str, float]) -> None:
    """Log nothing, on every rank but 0."""


def write_summary(
    fitted: Fitted, facts: dict[str, Any], task: Objective, world: World, destination: Destination
) -> None:  # fmt: skip
    """Write the learning curve and the summary; timing, which varies, goes to a folder that is not versioned."""
    with atomic(destination.results / paths.CURVE.name) as temporary:
        pl.DataFrame(fitted.curve).write_csv(temporary, float_precision=6)
    first, last = fitted.curve[0], fitted.curve[-1]
    summary = facts | {"first": first, "last": last, "epochs": fitted.held_out}
    summary["parameters"] = sum(parameter.numel() for parameter in task.parameters())
    write_json(destination.results / "summary.json", summary)
    write_json(paths.STATE / destination.name / "speed.json", fitted.speed | {"device": str(world.device)})
