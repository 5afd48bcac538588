"""Stage pretrain: pooled shards -> trained CG-DMER weights, learning curve, summary."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, settings
from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, write_json
from cgdmer.models import weights
from cgdmer.objectives import Objective
from cgdmer.settings.base import Section
from cgdmer.shards import Shards, concatenate, open_shards
from cgdmer.tracking import journal
from cgdmer.training import Fitted, Records, World, fit, join, launch, threads, wanted


def pretrain(
    *, model: settings.Model, masking: settings.Masking, objective: settings.Objective, train: settings.Train,
    signal: settings.Signal,
) -> None:  # fmt: skip
    """Train on every training record with a report; killed and started again, it goes on where it was."""
    sections = (model, masking, objective, train, signal)
    if (count := wanted()) > 1:
        launch(count, run, *sections)
    else:
        run(*sections)


def run(
    model: settings.Model, masking: settings.Masking, objective: settings.Objective, train: settings.Train,
    signal: settings.Signal,
) -> None:  # fmt: skip
    """Be one training process; only the first of several writes."""
    world = join()
    shards, pool = open_pool(signal)
    rows, sizes = choose(shards, train)
    reports = shards.columns("report")["report"].gather(rows[: sizes[0]])
    with threads(world.size):
        network = weights.create(model, masking, objective, signal, reports, train.seed)
        name = key(pool, model, masking, objective, train, signal)
        folder = paths.scratch("pretrain", name)
        task = Objective(network, objective)
        source = Records(shards, rows, network.tokenizer)
        sections = {"model": model, "masking": masking, "objective": objective, "train": train, "signal": signal}
        told = journal.live(name, folder, sections, train.log_steps) if world.chief else nullcontext(silent)
        with told as report:
            fitted = fit(task, source, sizes, train, world=world, folder=folder, report=report)
    if world.chief:
        facts = {"records": sizes[0], "held_out": sizes[1], "steps": fitted.steps, "pool": sorted(pool["sources"])}
        weights.save(paths.MODEL, network, signal, facts)
        write_reports(fitted, facts, task, world)
        shutil.rmtree(paths.scratch("pretrain"), ignore_errors=True)  # nobody but who wrote: it was needed until now


def silent(step: int, metrics: Mapping[str, float]) -> None:
    """Report nothing: what other ranks than the first do."""


def open_pool(signal: settings.Signal) -> tuple[Shards, dict[str, Any]]:
    """Open the shards that data/pool.json names; DataError when one changed since or has another form."""
    if not paths.POOL.is_file():
        raise DataError(f"{paths.POOL} is missing", mend="dvc repro pool")
    pool: dict[str, Any] = read_json(paths.POOL)
    parts = [open_shards(paths.shards(source), verify=True) for source in sorted(pool["sources"])]
    for source, part in zip(sorted(pool["sources"]), parts, strict=True):
        if part.digest != pool["sources"][source]["digest"]:
            raise DataError(f"shards of {source} are not those that {paths.POOL} names", mend="dvc repro pool")
    whole = concatenate(parts)
    if (whole.fs, whole.samples) != (signal.fs, signal.samples):
        raise DataError(
            f"the shards have {whole.samples} samples at {whole.fs} Hz",
            allowed=f"{signal.samples} samples at {signal.fs} Hz, as section signal of params.yaml says",
            mend="dvc repro",
        )
    return whole, pool


def choose(shards: Shards, train: settings.Train) -> tuple[np.ndarray, tuple[int, int]]:
    """Return rows to train on, then rows to measure on, and how many of each; only records with a report."""
    rows = shards.columns("split", "report").with_row_index("row").filter(pl.col("report") != "")
    learned, measured = (rows.filter(split=split)["row"].to_numpy().astype(np.int64) for split in ("train", "val"))
    step = max(1, len(measured) // train.held_out) if train.held_out else 1
    measured = measured[::step][: train.held_out]
    return np.concatenate([learned, measured]), (len(learned), len(measured))


def key(pool: dict[str, Any], *sections: Section) -> str:
    """Name the run by all that decides its result, so that only the same run is gone on with."""
    content = json.dumps([pool, *(section.model_dump() for section in sections)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def write_reports(fitted: Fitted, facts: dict[str, Any], task: Objective, world: World) -> None:
    """Write curve and summary; timing goes where nothing is versioned."""
    with atomic(paths.CURVE) as temporary:
        pl.DataFrame(fitted.curve).write_csv(temporary, float_precision=6)
    first, last = fitted.curve[0], fitted.curve[-1]
    summary = facts | {"first": first, "last": last, "epochs": fitted.held_out}
    summary["parameters"] = sum(parameter.numel() for parameter in task.parameters())
    write_json(Path(paths.CURVE).with_name("summary.json"), summary)
    write_json(paths.STATE / "pretrain" / "speed.json", fitted.speed | {"device": str(world.device)})
