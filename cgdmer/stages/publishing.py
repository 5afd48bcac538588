"""Owns what changes a server and no file: recording a pipeline state, registering its encoders, the gate."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import load_encoder, paths, tables
from cgdmer.errors import DataError
from cgdmer.evaluation import comparison
from cgdmer.files import read_json
from cgdmer.settings import Settings
from cgdmer.shards import open_shards
from cgdmer.tracking import record, registry, state

ENCODER, REPRESENTATION, FRACTION = "cgdmer", "pooled", "1.0"
"""The numbers that the gate compares."""
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Published:
    """A recorded pipeline state."""

    run: str
    versions: dict[str, str]


def publish(settings: Settings) -> Published:
    """Record the state of the pipeline once and register its encoders as candidates; again, it changes nothing."""
    if not paths.METRICS.is_file():
        raise DataError(f"{paths.METRICS} is missing", mend="dvc repro")
    here = state.current(settings.model_dump())
    run = record.record(here, _results(settings))
    example = _example(settings)
    metrics = read_json(paths.METRICS)["auroc"]
    tags = {"dvc_lock": here.lock, "git_commit": here.commit} | _scores(metrics)
    return Published(run, registry.register(run, paths.MODEL, example, tags))


def _results(settings: Settings) -> record.Results:
    corpora = [_corpus(source) for source in settings.fan.sources]
    journals = sorted((paths.STATE / "tracking").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    artifacts = [paths.METRICS, paths.REPORTS / "plots", _predictions()]
    return record.Results(read_json(paths.METRICS), corpora, artifacts, journals[-1] if journals else None)


def _predictions() -> Path:
    """Write the encoder's predictions with hashed record ids, so that no identifier reaches a server."""
    folder = paths.scratch(PREDICTIONS)
    for path in sorted((paths.DATA / PREDICTIONS / ENCODER).rglob("*.parquet")):
        tables.write(_hashed(tables.read(path)), folder / path.name)
    return folder


def _hashed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("id").map_elements(lambda name: hashlib.sha256(name.encode()).hexdigest()[:16], return_dtype=pl.String)
    )


def _corpus(source: str) -> record.Corpus:
    shards = open_shards(paths.shards(source))
    counts = shards.columns("split")["split"].value_counts().sort("split")
    splits = {row["split"] or "unassigned": int(row["count"]) for row in counts.to_dicts()}
    return record.Corpus(source, shards.digest, splits, read_json(paths.raw(source) / "manifest.json")["way"])


def _example(settings: Settings) -> registry.Example:
    """Return made-up input, so that no recording of a person reaches the registry, and what the encoder makes of it."""
    encoder = load_encoder(paths.MODEL)
    time = np.arange(settings.signal.samples) / settings.signal.fs
    signal = np.tile(np.sin(2 * np.pi * 1.2 * time) ** 15, (2, 12, 1)).astype(np.float32)
    reports = ["sinus rhythm. normal ecg."]
    return registry.Example(signal, encoder.encode(signal), reports, encoder.encode_reports(reports))


def _scores(metrics: dict[str, Any]) -> dict[str, str]:
    """Return a version tag for each task's headline number."""
    cells = {task: fractions[FRACTION][ENCODER][REPRESENTATION] for task, fractions in metrics.items()}
    return {f"auroc.{task}": f"{cell['mean']:.4f}" for task, cell in cells.items()}


def promote(settings: Settings) -> str:
    """Let the gate decide whether the candidate becomes champion, and say why."""
    champion = registry.alias(registry.ECG, registry.CHAMPION)
    candidate = registry.alias(registry.ECG, registry.CANDIDATE)
    if candidate is None:
        raise DataError("there is no candidate", mend="prefect deployment run cgdmer/benchmark")
    if champion is not None and champion.version == candidate.version:
        return f"version {candidate.version} is the champion already"
    for source in settings.fan.sources:
        if not read_json(paths.validation(source) / "result.json")["success"]:
            raise DataError(f"validation of {source} is red: nothing is promoted", mend=f"cgdmer check {source}")
    reason: dict[str, Any] = {"first": True} if champion is None else _against(champion.run_id or "")
    if reason.get("worse"):
        return f"version {candidate.version} is not promoted: worse on {', '.join(reason['worse'])}"
    promoted = registry.promote(reason)
    return f"promoted: {', '.join(f'{name} version {version}' for name, version in promoted.items())}"


def _against(run: str) -> dict[str, Any]:
    """Compare with the champion's saved predictions: worse on a task when the whole paired interval lies below zero."""
    found: dict[str, Any] = {"worse": [], "differences": {}}
    folder = registry.download(run, PREDICTIONS)
    for path in sorted(folder.rglob("*.parquet")):
        task = path.stem
        ours = _headline(_hashed(tables.read(paths.predictions(ENCODER, task))))
        difference = comparison.compare(ours, _headline(tables.read(path)))
        found["differences"][task] = [difference.mean, difference.low, difference.high]
        found["worse"] += [task] if difference.high < 0 else []
    return found


def _headline(frame: pl.DataFrame) -> pl.DataFrame:
    chosen = pl.col("fraction").eq(float(FRACTION)) & pl.col("representation").eq(REPRESENTATION)
    return frame.filter(chosen)
