"""Stage pretrain: pooled shards -> trained CG-DMER weights, learning curve, summary."""

import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import paths, settings
from cgdmer.files import atomic, write_json
from cgdmer.models import text_files, weights
from cgdmer.objectives import Objective
from cgdmer.tracking import journal
from cgdmer.training import Fitted, Records, World, fit, join, launch, process_count, threads
from cgdmer.training.pretraining_set import choose, key, open_pretraining_set


def pretrain(
    *, model: settings.Model, masking: settings.Masking, objective: settings.Objective, train: settings.Train,
    signal: settings.Signal,
) -> None:  # fmt: skip
    """Train on every training record with a report; after a kill, training resumes from its last checkpoint."""
    if model.text and weights.reads_reports(objective):
        text_files.require(model.text, model.text_revision)  # before shards are verified, which takes minutes
    sections = (model, masking, objective, train, signal)
    if (count := process_count()) > 1:
        launch(count, run, *sections)
    else:
        run(*sections)


def run(
    model: settings.Model, masking: settings.Masking, objective: settings.Objective, train: settings.Train,
    signal: settings.Signal,
) -> None:  # fmt: skip
    """Run one training process; only rank 0 writes."""
    world = join()
    shards, pool = open_pretraining_set(signal)
    rows, sizes = choose(shards, train)
    reports = shards.columns("report")["report"].gather(rows[: sizes[0]])
    with threads(world.size):
        network = weights.create(model, masking, objective, signal, reports, train.seed)
        name = key(pool, model, masking, objective, train, signal)
        folder = paths.scratch("pretrain", name)
        task = Objective(network, objective)
        source = Records(shards, rows, network.tokenizer)
        sections = {"model": model, "masking": masking, "objective": objective, "train": train, "signal": signal}
        live_run = journal.live(name, folder, sections, train.log_steps) if world.is_main else nullcontext(silent)
        with live_run as log_step:
            fitted = fit(task, source, sizes, train, world=world, folder=folder, log_metrics=log_step)
    if world.is_main:
        facts = {"records": sizes[0], "held_out": sizes[1], "steps": fitted.steps, "pool": sorted(pool["sources"])}
        weights.save(paths.MODEL, network, signal, facts)
        write_summary(fitted, facts, task, world)
        shutil.rmtree(paths.scratch("pretrain"), ignore_errors=True)  # only rank 0 wrote here, and all is saved now


def silent(step: int, metrics: Mapping[str, float]) -> None:
    """Log nothing, on every rank but 0."""


def write_summary(fitted: Fitted, facts: dict[str, Any], task: Objective, world: World) -> None:
    """Write the learning curve and the summary; timing, which varies, goes to a folder that is not versioned."""
    with atomic(paths.CURVE) as temporary:
        pl.DataFrame(fitted.curve).write_csv(temporary, float_precision=6)
    first, last = fitted.curve[0], fitted.curve[-1]
    summary = facts | {"first": first, "last": last, "epochs": fitted.held_out}
    summary["parameters"] = sum(parameter.numel() for parameter in task.parameters())
    write_json(Path(paths.CURVE).with_name("summary.json"), summary)
    write_json(paths.STATE / "pretrain" / "speed.json", fitted.speed | {"device": str(world.device)})
