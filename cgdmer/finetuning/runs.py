"""Fine-tuning of one task: every label fraction, start and seed, each kept so that a killed call continues."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, settings
from cgdmer.distributed import choose_device, threads
from cgdmer.errors import ConfigError
from cgdmer.files import atomic, read_json, sha256, write_json
from cgdmer.finetuning.classifier import Classifier, body
from cgdmer.finetuning.training import Labelled, Signals, fit, predict
from cgdmer.models.cgdmer import CGDMER
from cgdmer.probing import bootstrap, linear_probe, metrics, subsets
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.results import ProbeCell, ProbeResult, rounded
from cgdmer.shards import Shards

STARTS = {"fine-tuned": True, "from scratch": False}
"""What a run starts from, and whether that is the pretrained weights."""
log = logging.getLogger(__name__)


def evaluate(
    cohort: Cohort, shards: Shards, finetune: settings.Finetune, folder: Path
) -> tuple[ProbeResult, pl.DataFrame]:
    """Run both starts at every fraction with every seed; the subsets are those of the canonical probe."""
    read = Signals(shards, choose_device())
    counts = bootstrap.draws(len(cohort.test.ids), finetune.bootstrap)
    results: dict[str, dict[str, ProbeCell]] = {}
    parts = []
    for fraction in finetune.fractions:
        for start in STARTS:
            runs, facts = trained(cohort, read, fraction, start, finetune, folder)
            cell = replace(linear_probe.summarise(cohort, runs, counts, list(range(finetune.seeds))), C=None, **facts)
            results.setdefault(str(fraction), {})[start] = cell
            parts += [linear_probe.predictions(cohort, run, fraction, start) for run in runs]
            log.info("%s %s at %s: %.4f", cohort.task, start, fraction, fraction, start, cell.mean)
    return ProbeResult(results=results, **linear_probe.head(cohort, "full fine-tuning")), pl.concat(parts)


def trained(
    cohort: Cohort, read: Signals, fraction: float, start: str, finetune: settings.Finetune, folder: Path
) -> tuple[list[linear_probe.Run], dict[str, Any]]:
    """Return one run a seed, and of each which epoch was kept and its validation macro AUROC."""
    runs, facts = [], []
    for seed in range(finetune.seeds):
        rows = subsets.nested(cohort.train.ids, fraction, seed)
        made = partial(one, cohort, read, rows, start, finetune, seed)
        val, test, fact = kept(folder / f"{fraction:g} {start} {seed}", made)
        runs.append(linear_probe.Run(seed, rows, None, val, test))
        facts.append(fact)
    about: dict[str, Any] = {name: [fact[name] for fact in facts] for name in ("epoch", "validation")}
    return runs, about | {"distinct_subsets": len(runs) if fraction < 1 else 1}


Scored = tuple[np.ndarray, np.ndarray, dict[str, Any]]


def one(cohort: Cohort, read: Signals, rows: np.ndarray, start: str, finetune: settings.Finetune, seed: int) -> Scored:
    """Train once, choose the epoch on validation, score test once; returns logits of both and which epoch it was.

    A class whose training labels are all equal is left out of the loss and scored 0 for every record.
    """
    labels = cohort.train.labels[rows]
    varied, tuned = scorable(labels), STARTS[start]
    if not varied.any():
        val, test = (np.zeros((len(part.ids), len(varied)), np.float32) for part in (cohort.val, cohort.test))
        return val, test, {"epoch": 0, "validation": 0.5}

    def whole(logits: np.ndarray) -> np.ndarray:
        full = np.zeros((len(logits), len(varied)), np.float32)
        full[:, varied] = logits
        return full

    def score(logits: np.ndarray) -> float:
        return metrics.macro(metrics.auroc(whole(logits), cohort.val.labels))

    with threads(1):
        network, signal = body(paths.MODEL, pretrained=tuned, seed=seed)
        check_form(read.shards, signal, network)
        classifier = Classifier(network, int(varied.sum())).to(read.device)
        fitted = fit(
            classifier, read, Labelled(cohort.train.rows[rows], labels[:, varied]), cohort.val.rows, score, finetune,
            peak=finetune.lr if tuned else finetune.scratch_lr, decay=finetune.layer_decay if tuned else 1.0, seed=seed,
        )  # fmt: skip
        val, test = (whole(predict(classifier, read, part.rows)) for part in (cohort.val, cohort.test))
    best = fitted.scores[fitted.epoch - 1]
    return val, test, {"epoch": fitted.epoch, "validation": None if np.isnan(best) else rounded(best)}


def check_form(shards: Shards, signal: settings.Signal, network: CGDMER) -> None:
    """Refuse signals of another rate than the model was trained on, or longer ones."""
    if shards.fs != signal.fs or shards.samples > network.columns * network.settings.patch + network.settings.patch - 1:
        raise ConfigError(
            f"shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"the model reads up to {signal.seconds} s at {signal.fs} Hz",
            fix="dvc repro pretrain",
        )


def kept(folder: Path, run: Callable[[], Scored]) -> Scored:
    """Return what an earlier, killed call left in a folder, or run and leave it there; the facts come last."""
    if not (folder / "facts.json").is_file():
        val, test, facts = run()
        for name, logits in (("val", val), ("test", test)):
            with atomic(folder / f"{name}.npy") as temporary:
                np.save(temporary, logits)
        write_json(folder / "facts.json", facts)
    return np.load(folder / "val.npy"), np.load(folder / "test.npy"), read_json(folder / "facts.json")


def key(shards: Shards, index: pl.DataFrame, finetune: settings.Finetune) -> str:
    """Name the work by all that decides its result."""
    labels = hashlib.sha256(index.select("id", "split", pl.col("^.*/.*$")).write_csv().encode()).hexdigest()
    content = json.dumps([sha256(paths.MODEL / "weights.safetensors"), shards.digest, labels, finetune.model_dump()])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
