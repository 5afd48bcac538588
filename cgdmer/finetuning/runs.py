"""Fine-tuning of one task: one run per label fraction, start and seed. A killed call keeps its finished runs."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, settings, stage_code
from cgdmer.distributed import choose_device, threads
from cgdmer.errors import ConfigError
from cgdmer.files import atomic, read_json, sha256, work_key, write_json
from cgdmer.finetuning.classifier import Classifier, load_backbone
from cgdmer.finetuning.training import Labelled, Signals, fit, memory_errors, predict
from cgdmer.models.cgdmer import CGDMER
from cgdmer.probing import bootstrap, linear_probe, metrics, subsets
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.results import ProbeCell, ProbeResult, rounded
from cgdmer.shards import Shards

STARTS = {"fine-tuned": True, "from scratch": False}
"""Name of a start, and whether it uses the pretrained weights."""
log = logging.getLogger(__name__)


def evaluate(
    cohort: Cohort, shards: Shards, finetune: settings.Finetune, folder: Path
) -> tuple[ProbeResult, pl.DataFrame]:
    """Run both starts at every label fraction with every seed, on the label subsets of the linear probe.

    Returns the results and the predictions on test records.
    """
    signals = Signals(shards, choose_device())
    counts = bootstrap.draws(len(cohort.test.ids), finetune.bootstrap)
    results: dict[str, dict[str, ProbeCell]] = {}
    predictions = []
    for fraction in finetune.fractions:
        for start in STARTS:
            runs, facts = run_seeds(cohort, signals, fraction, start, finetune, folder)
            cell = replace(linear_probe.summarise(cohort, runs, counts, list(range(finetune.seeds))), C=None, **facts)
            results.setdefault(str(fraction), {})[start] = cell
            predictions += [linear_probe.predictions(cohort, run, fraction, start) for run in runs]
            log.info("%s %s at %s: %.4f", cohort.task, start, fraction, cell.mean)
    return ProbeResult(results=results, **linear_probe.head(cohort, "full fine-tuning")), pl.concat(predictions)


def run_seeds(
    cohort: Cohort, signals: Signals, fraction: float, start: str, finetune: settings.Finetune, folder: Path
) -> tuple[list[linear_probe.Run], dict[str, Any]]:
    """Return one run per seed, and the selected epoch and validation macro AUROC of each."""
    runs, facts = [], []
    for seed in range(finetune.seeds):
        rows = subsets.nested(cohort.train.ids, fraction, seed)
        run = partial(run_once, cohort, signals, rows, start, finetune, seed)
        val, test, fact = load_or_run(folder / f"{fraction:g} {start} {seed}", run)
        runs.append(linear_probe.Run(seed, rows, None, val, test))
        facts.append(fact)
    by_seed: dict[str, Any] = {name: [fact[name] for fact in facts] for name in ("epoch", "validation")}
    return runs, by_seed | {"distinct_subsets": len(runs) if fraction < 1 else 1}


Logits = tuple[np.ndarray, np.ndarray, dict[str, Any]]
"""Logits on validation and test records, float32 (n, C), with the selected epoch and its validation score."""


def run_once(
    cohort: Cohort, signals: Signals, rows: np.ndarray, start: str, finetune: settings.Finetune, seed: int
) -> Logits:
    """Train on `rows` of the training records, select the epoch on validation, and predict test once.

    A class whose training labels are all equal is left out of the loss and scored 0 for every record.
    """
    labels = cohort.train.labels[rows]
    trainable, pretrained = scorable(labels), STARTS[start]  # (C,)
    if not trainable.any():
        val, test = (np.zeros((len(split.ids), len(trainable)), np.float32) for split in (cohort.val, cohort.test))
        return val, test, {"epoch": 0, "validation": 0.5}

    def all_classes(logits: np.ndarray) -> np.ndarray:
        full = np.zeros((len(logits), len(trainable)), np.float32)
        full[:, trainable] = logits
        return full

    def score(logits: np.ndarray) -> float:
        return metrics.macro(metrics.auroc(all_classes(logits), cohort.val.labels))

    with threads(1), memory_errors(finetune.batch):
        backbone, signal = load_backbone(paths.MODEL, pretrained=pretrained, seed=seed)
        check_form(signals.shards, signal, backbone)
        classifier = Classifier(backbone, int(trainable.sum())).to(signals.device)
        fitted = fit(
            classifier, signals, Labelled(cohort.train.rows[rows], labels[:, trainable]), cohort.val.rows, score,
            finetune,
            peak=finetune.lr if pretrained else finetune.scratch_lr,
            decay=finetune.layer_decay if pretrained else 1.0, seed=seed,
        )  # fmt: skip
        val, test = (all_classes(predict(classifier, signals, split.rows)) for split in (cohort.val, cohort.test))
    validation = fitted.scores[fitted.epoch - 1]
    return val, test, {"epoch": fitted.epoch, "validation": None if np.isnan(validation) else rounded(validation)}


def check_form(shards: Shards, signal: settings.Signal, model: CGDMER) -> None:
    """Raise ConfigError for signals of another sampling rate than the model was trained on, or for longer ones."""
    if shards.fs != signal.fs or shards.samples > model.columns * model.settings.patch + model.settings.patch - 1:
        raise ConfigError(
            f"shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"the model reads up to {signal.seconds} s at {signal.fs} Hz",
            fix="dvc repro pretrain",
        )


def load_or_run(folder: Path, run: Callable[[], Logits]) -> Logits:
    """Return the run that an earlier call finished in `folder`, or run now and write it there, facts.json last."""
    if not (folder / "facts.json").is_file():
        val, test, facts = run()
        for name, logits in (("val", val), ("test", test)):
            with atomic(folder / f"{name}.npy") as temporary:
                np.save(temporary, logits)
        write_json(folder / "facts.json", facts)
    return np.load(folder / "val.npy"), np.load(folder / "test.npy"), read_json(folder / "facts.json")


def key(shards: Shards, index: pl.DataFrame, finetune: settings.Finetune) -> str:
    """Return the key of the work: model weights, signals, labels, code and settings decide its results."""
    labels = hashlib.sha256(index.select("id", "split", pl.col("^.*/.*$")).write_csv().encode()).hexdigest()
    code = stage_code.digest(stage_code.begins("finetune"))
    return work_key(sha256(paths.MODEL / "weights.safetensors"), shards.digest, labels, code, finetune.model_dump())
