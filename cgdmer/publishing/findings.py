"""Owns gathering what a pipeline state has to show: corpora, pretraining, pages, example, version tags."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths
from cgdmer.api import load_encoder
from cgdmer.errors import ConfigError
from cgdmer.files import read_json, sha256
from cgdmer.publishing.gate import ENCODER, FRACTION, REPRESENTATION
from cgdmer.settings import Settings
from cgdmer.shards import open_shards
from cgdmer.tables import TASKS
from cgdmer.tracking import children, journal, record, registry, state
from cgdmer.training import pretraining_set

REPORTS = ["sinus rhythm. normal ecg."]
Metrics = dict[str, Any]


def corpora(settings: Settings) -> list[record.Corpus]:
    """Return every corpus: counts, digest, verdict."""
    found = []
    for source in settings.matrix.sources:
        shards = open_shards(paths.shards(source))
        counts = shards.columns("split")["split"].value_counts().sort("split")
        splits = {row["split"] or "unassigned": int(row["count"]) for row in counts.to_dicts()}
        way = read_json(paths.raw(source) / "manifest.json")["way"]
        passed = bool(read_json(paths.validation(source) / "result.json")["success"])
        use = "pretraining" if source in settings.pretraining_set.sources else "benchmark"
        found.append(record.Corpus(source, shards.digest, splits, way, passed, use))
    return found


def pretraining(settings: Settings, here: state.PipelineState) -> children.Pretraining:
    """Return the journal of the training that made the weights, where it ran here, and its curve in any case."""
    sections = ("model", "masking", "objective", "train", "signal")
    _, pool = pretraining_set.open_pretraining_set(settings.signal)
    name = pretraining_set.key(pool, *(getattr(settings, section) for section in sections))
    summary = _optional(paths.CURVE.with_name("summary.json"))
    speed = {f"speed/{key}": value for key, value in _optional(paths.STATE / "pretrain" / "speed.json").items()}
    numbers = {k: v for k, v in (summary | speed).items() if isinstance(v, int | float)}
    curve = pl.read_csv(paths.CURVE).to_dicts() if paths.CURVE.is_file() else []
    params = {key: value for key, value in here.params.items() if key.split(".")[0] in sections}
    return children.Pretraining(journal.newest(name), curve, numbers, params)


def ablations() -> dict[str, Metrics]:
    return {path.stem: read_json(path) for path in sorted((paths.REPORTS / "ablations").glob("*.json"))}


def pages(corpora: list[record.Corpus]) -> list[Path]:
    """Return reports that show no person: the page draws records and reports, so it goes where all are simulated."""
    wanted = [paths.METRICS, paths.REPORT_MD, paths.REPORTS / "plots"]
    if all(corpus.way == "simulate" for corpus in corpora):
        wanted.append(paths.REPORT_HTML)
    return [path for path in wanted if path.exists()]


def probed() -> list[str]:
    """Return the tasks with saved predictions."""
    return [task for task in TASKS if paths.predictions(ENCODER, task).is_file()]


def example(settings: Settings) -> registry.Example:
    """Return made-up input, so that no recording of a person reaches the registry, and what the encoder makes of it."""
    encoder = load_encoder(paths.MODEL)
    time = np.arange(settings.signal.samples) / settings.signal.fs
    beats = np.sin(2 * np.pi * 1.2 * time) ** 15
    signal = np.stack([np.outer(np.linspace(-1, 1, 12), beats), np.outer(np.linspace(1, 0.1, 12), beats)])
    signal = signal.astype(np.float32)
    try:
        vectors = encoder.encode_reports(REPORTS)
    except ConfigError:  # trained without reports: there is no report encoder
        vectors = None
    return registry.Example(signal, encoder.encode(signal), REPORTS, vectors)


def version_tags(here: state.PipelineState, metrics: Metrics, corpora: list[record.Corpus]) -> dict[str, str]:
    """Return what a version is known by: headline numbers, data, code, weights."""
    tags = {"dvc_lock": here.lock, "git_commit": here.commit, "git_dirty": str(here.dirty)}
    tags |= {"weights_sha256": sha256(paths.MODEL / "weights.safetensors")}
    tags |= {f"version.{name}": str(value) for name, value in metrics["versions"].items()}
    tags |= {f"data.{corpus.name}": corpus.digest[:16] for corpus in corpora}
    for task, fractions in metrics["auroc"].items():
        share = FRACTION if FRACTION in fractions else max(fractions, key=float)
        cell = fractions[share][ENCODER][REPRESENTATION]
        tags[f"auroc.{task}"] = f"{cell['mean']:.4f} ({cell['low']:.4f} to {cell['high']:.4f})"
    return tags | {f"zero_shot.{task}": f"{cell['mean']:.4f}" for task, cell in metrics["zero_shot"].items()}


def _optional(path: Path) -> Metrics:
    content: Metrics = read_json(path) if path.is_file() else {}
    return content
