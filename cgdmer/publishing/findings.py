"""Gather what is published of a pipeline state: corpora, pretraining, pages, an example, version tags."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths
from cgdmer.ablation_results import Ablation
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError
from cgdmer.evaluation import ablations as stored
from cgdmer.files import named, read_json, sha256
from cgdmer.metrics_json import Metrics
from cgdmer.publishing.gate import ENCODER, FRACTION, REPRESENTATION
from cgdmer.results import Cell
from cgdmer.settings import Matrix, Settings
from cgdmer.shards import open_shards
from cgdmer.tables import TASKS
from cgdmer.tracking import children, journal, record, registry, state
from cgdmer.training import pretraining_set

REPORTS = ["sinus rhythm. normal ecg."]
TRAINING = ("model", "masking", "objective", "augmentation", "train", "signal")
"""Sections that stage pretrain reads, in the order in which it puts them into the key of a training."""


def corpora(settings: Settings) -> list[record.Corpus]:
    """Return every corpus with its counts, digest and validation."""
    described = []
    for source in settings.matrix.sources:
        shards = open_shards(paths.shards(source))
        counts = shards.columns("split")["split"].value_counts().sort("split")
        splits = {row["split"] or "unassigned": int(row["count"]) for row in counts.to_dicts()}
        with named(manifest := paths.raw(source) / "manifest.json", f"dvc checkout --force {manifest.parent}"):
            way = str(read_json(manifest)["way"])
        with named(result := paths.validation(source) / "result.json", f"git checkout {result.parent}"):
            passed = read_json(result)["success"] is True
        use = "pretraining" if source in settings.pretraining_set.sources else "benchmark"
        described.append(record.Corpus(source, shards.digest, splits, way, passed, use))
    return described


def pretraining(settings: Settings, here: state.PipelineState) -> children.Pretraining:
    """Return the curve of the training that produced the weights, and its journal if it ran on this machine."""
    _, pool = pretraining_set.open_pretraining_set(settings.signal)
    name = pretraining_set.key(pool, *(getattr(settings, section) for section in TRAINING))
    summary = _optional(paths.CURVE.with_name("summary.json"))
    speed = {f"speed/{key}": value for key, value in _optional(paths.STATE / "pretrain" / "speed.json").items()}
    numbers = {k: v for k, v in (summary | speed).items() if isinstance(v, int | float)}
    curve = pl.read_csv(paths.CURVE).to_dicts() if paths.CURVE.is_file() else []
    params = {key: value for key, value in here.params.items() if key.split(".")[0] in TRAINING}
    return children.Pretraining(journal.newest(name), curve, numbers, params)


def ablations() -> dict[str, Ablation]:
    """Return the stored ablations by profile."""
    with named(paths.REPORTS / "ablations", "python -m flows.ablations"):
        return stored.stored()


def pages(corpora: list[record.Corpus]) -> list[Path]:
    """Return the pages to log; the benchmark page shows records, so it is logged only if every corpus is simulated."""
    logged = [paths.METRICS, paths.REPORT_MD, paths.REPORTS / "plots"]
    if all(corpus.way == "simulate" for corpus in corpora):
        logged.append(paths.REPORT_HTML)
    return [path for path in logged if path.exists()]


def probed(matrix: Matrix) -> list[str]:
    """Return the tasks of the benchmarks with saved predictions; those of earlier benchmarks may still be on disk."""
    tasks = [task for task, source in TASKS.items() if source in matrix.benchmarks]
    return [task for task in tasks if paths.predictions(ENCODER, task).is_file()]


def example(encoder: Pretrained) -> registry.Example:
    """Return synthetic input, so that no patient's recording reaches the registry, and the encoder's output for it."""
    time = np.arange(encoder.samples) / encoder.fs
    beats = np.sin(2 * np.pi * 1.2 * time) ** 15
    signal = np.stack([np.outer(np.linspace(-1, 1, 12), beats), np.outer(np.linspace(1, 0.1, 12), beats)])
    signal = signal.astype(np.float32)
    try:
        vectors = encoder.encode_reports(REPORTS)
    except ConfigError:  # trained without reports, so it has no report encoder
        vectors = None
    return registry.Example(signal, encoder.encode(signal), REPORTS, vectors)


def version_tags(here: state.PipelineState, metrics: Metrics, corpora: list[record.Corpus]) -> dict[str, str]:
    """Return the tags of a registered version: headline numbers, data, code, weights."""
    tags = {"dvc_lock": here.lock, "git_commit": here.commit, "git_dirty": str(here.dirty)}
    tags |= {"weights_sha256": sha256(paths.MODEL / "weights.safetensors")}
    tags |= {f"version.{name}": str(value) for name, value in metrics.versions.items()}
    tags |= {f"data.{corpus.name}": corpus.digest[:16] for corpus in corpora}
    tags |= {f"auroc.{task}": headline_cell(metrics, task).text(4) for task in metrics.auroc}
    return tags | {f"zero_shot.{task}": cell.value(4) for task, cell in metrics.zero_shot.items()}


def headline_cell(metrics: Metrics, task: str) -> Cell:
    """Return the cell of the headline encoder and representation at the headline fraction, or the largest probed."""
    fractions = metrics.auroc[task]
    fraction = FRACTION if FRACTION in fractions else max(fractions, key=float)
    return fractions[fraction][ENCODER][REPRESENTATION]


def _optional(path: Path) -> dict[str, Any]:
    with named(path, f"git checkout {path}; or dvc repro --force --single-item pretrain"):
        return dict(read_json(path)) if path.exists() else {}
