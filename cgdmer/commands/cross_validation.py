"""Owns `cgdmer folds`: five-fold cross-validation on a local copy of PTB-XL, pretraining anew for every fold.

Each fold starts from the weights in data/models/pretrain, which never saw a real recording, and goes on with the pooled
corpora plus the recordings and reports of the other four folds, these repeated until they are as many as the pool's.
`params/folds.yaml` says how long. Records of the fold itself are seen by nothing before they are scored.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import datasets, embeddings, paths, preprocessing, settings, tables
from cgdmer.archives import open_archive
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.encoders.cgdmer import Pretrained
from cgdmer.errors import DataError
from cgdmer.evaluation import cross_validation as validation
from cgdmer.files import sha256, write_json, write_text
from cgdmer.models import weights
from cgdmer.objectives import Objective
from cgdmer.shards import Shards, concatenate, open_shards
from cgdmer.training import Records, fit, join, threads
from cgdmer.training.pretraining_set import choose, open_pretraining_set

SOURCE, TASK = "ptb_xl", "ptb_xl_super"
CONTROLS = ("random", "handcrafted")
OVERLAY = Path("params/folds.yaml")
REPRESENTATIONS = ("pooled", "shared", "specific")
Features = dict[str, np.ndarray]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Real:
    """The usable records of a task: their rows in the shards, who they are of, and what they show."""

    shards: Shards
    rows: np.ndarray
    frame: pl.DataFrame
    classes: list[str]
    labels: np.ndarray
    folds: np.ndarray
    left_out: dict[str, int]


def folds(params: Path = Path("params.yaml")) -> dict[str, Any]:
    """Cross-validate all encoders, write reports/folds and return the result; killed and called again it goes on."""
    merged = settings.merge(settings.read(params), settings.read(OVERLAY))
    chosen = settings.parse(merged, name=f"{params} with {OVERLAY}")
    pool, said = open_pretraining_set(chosen.signal)
    _, form, facts = weights.load(paths.MODEL)
    check_unseen({*facts["pool"], *said["sources"]})
    work = paths.scratch("folds")
    real = read_corpus(chosen, form, work)
    done = work / key(chosen, real, said)
    network, _, _ = weights.load(paths.MODEL)
    encoders: dict[str, Callable[[int], Features]] = {
        "cgdmer": lambda fold: pretrained(fold, chosen, real, pool, done),
        "cgdmer, simulated corpora only": every_fold(Pretrained("cgdmer", network, form), real, chosen.embed.batch),
    }
    for name in CONTROLS:
        control = load(name, Setup(form, chosen.model, chosen.embed.seed))
        encoders[name] = every_fold(control, real, chosen.embed.batch)
    result = scored(encoders, real, chosen) | {"training": described(chosen, real, len(choose_rows(pool, chosen)))}
    folder = paths.REPORTS / "folds"
    write_json(folder / f"{TASK}.json", result)
    write_text(folder / f"{TASK}.md", validation.markdown(result))
    shutil.rmtree(work, ignore_errors=True)
    return result


def check_unseen(sources: set[str]) -> None:
    """Refuse weights or a pool that hold the records to be scored."""
    if SOURCE in sources:
        raise DataError(
            f"pretraining has seen {SOURCE}, so no fold of it is unseen",
            allowed=f"weights in {paths.MODEL} pretrained on other corpora",
            fix="python -m cgdmer profile demo && dvc repro pretrain",
        )


def read_corpus(chosen: settings.Settings, form: settings.Signal, work: Path) -> Real:
    """Index and shard the local copy in the folder for work; of recordings that are equal to the bit the first stays.

    What `acquire` left in data/raw is passed over: after `make demo` that is simulated. DataError where there is no
    local copy.
    """
    corpus = settings.Corpus(way="local")
    root = datasets.local_root(SOURCE, corpus)
    if root is None:
        raise DataError(
            f"no local copy of {SOURCE}",
            allowed="a folder or zip of it below CGDMER_RAW_ROOT",
            fix="make folds CGDMER_RAW_ROOT=/folder/with/ptbxl",
        )
    module = datasets.module(SOURCE)
    with open_archive(root) as archive, module.find(archive) as raw:
        found = module.read_index(raw, corpus=corpus, index=chosen.index, protocol=None)
        preprocessing.preprocess(found.frame, raw, work / SOURCE, work / "shards", form, corpus.seconds)
    shards = open_shards(work / SOURCE)
    labels = found.frame.select("id", *tables.label_columns(found.frame, TASK))
    table = shards.columns("id", "patient", "report", "valid", "signal_digest").with_row_index("row")
    members = table.join(labels, on="id", how="left", maintain_order="left").filter(
        pl.col(labels.columns[1]).is_not_null()
    )
    frame = members.unique("signal_digest", keep="first", maintain_order=True)
    classes, matrix = tables.labels(frame, TASK)
    left_out = {
        "quarantined": found.quarantine.height + found.frame.height - len(shards),
        "without a class of the task": len(shards) - members.height,
        "same recording as another": members.height - frame.height,
    }
    dealt = validation.deal(frame["patient"].to_list(), matrix)
    return Real(shards, frame["row"].to_numpy().astype(np.int64), frame, classes, matrix, dealt, left_out)


def choose_rows(pool: Shards, chosen: settings.Settings) -> np.ndarray:
    """Return the pool's rows to train on."""
    rows, (learned, _) = choose(pool, chosen.train)
    return rows[:learned]


def pretrained(fold: int, chosen: settings.Settings, real: Real, pool: Shards, folder: Path) -> Features:
    """Go on with training for one fold, or read its features where an earlier call has done so."""
    kept = folder / f"fold-{fold}"
    if (kept / embeddings.META).is_file():
        return dict(embeddings.read(kept).features)
    network, form, _ = weights.load(paths.MODEL)
    learned, others = choose_rows(pool, chosen), (real.folds != fold) & (real.frame["report"] != "").to_numpy()
    own = real.rows[others] + len(pool)
    own = np.tile(own, max(1, round(len(learned) / len(own))))
    source = Records(concatenate([pool, real.shards]), np.concatenate([learned, own]), network.tokenizer)
    world, scratch = join(), folder / f"training-{fold}"
    log.info("fold %d: %d records of the pool, %d real ones", fold, len(learned), len(own))
    with threads(world.size):
        fit(Objective(network, chosen.objective), source, (len(source), 0), chosen.train, world=world, folder=scratch)
    features = encoded(Pretrained("cgdmer", network, form), real, chosen.embed.batch)
    embeddings.write(kept, real.frame["id"].to_list(), features, {"fold": fold})
    shutil.rmtree(scratch)
    return features


def every_fold(encoder: Encoder, real: Real, batch: int) -> Callable[[int], Features]:
    """Return the features of an encoder that learned from none of the records: the same for all folds."""
    features = encoded(encoder, real, batch)
    return lambda _: features


def encoded(encoder: Encoder, real: Real, batch: int) -> Features:
    """Encode all records, in order."""
    valid, parts = real.frame["valid"].to_numpy(), []
    for begin in range(0, len(real.rows), batch):
        part = slice(begin, begin + batch)
        parts.append(encoder.encode(real.shards.gather(real.rows[part]).astype(np.float32) / 1000, valid=valid[part]))
    return {name: np.concatenate([part[name] for part in parts]) for name in REPRESENTATIONS if name in encoder.dims}


def scored(encoders: dict[str, Callable[[int], Features]], real: Real, chosen: settings.Settings) -> dict[str, Any]:
    """Probe every encoder and compare the first with the others, on `pooled`."""
    counts = validation.resampled(real.frame["patient"].to_list(), chosen.probe.bootstrap)
    scores: dict[str, validation.Scores] = {}
    found: dict[str, dict[str, Any]] = {}
    for name, of in encoders.items():
        features = [of(fold) for fold in range(validation.FOLDS)]
        found[name] = {}
        for kind in features[0]:
            heads = validation.out_of_fold([each[kind] for each in features], real.labels, real.folds, chosen.probe.C)
            found[name][kind] = validation.summary(heads, real.labels, real.folds, real.classes, counts)
            scores[name] = heads if kind == "pooled" else scores.get(name, heads)
        log.info("%s: %.4f", name, found[name]["pooled"]["mean"])
    first = next(iter(encoders))
    return {
        "task": TASK,
        "folds": validation.FOLDS,
        "records": len(real.rows),
        "patients": real.frame["patient"].n_unique(),
        "records_by_fold": np.bincount(real.folds, minlength=validation.FOLDS).tolist(),
        "positives": dict(zip(real.classes, real.labels.sum(axis=0).tolist(), strict=True)),
        "left_out": real.left_out,
        "bootstrap": chosen.probe.bootstrap,
        "encoders": found,
        "differences": {
            name: validation.difference(scores[first], scores[name], real.labels, counts)
            for name in encoders
            if name != first
        },
    }


def described(chosen: settings.Settings, real: Real, simulated: int) -> dict[str, Any]:
    """Say how each fold was trained."""
    return {
        "begins_from": f"{paths.MODEL}, pretrained on {', '.join(chosen.pretraining_set.sources)}",
        "simulated_records": simulated,
        "real_records": (len(real.rows) - np.bincount(real.folds, minlength=validation.FOLDS)).tolist(),
        "params": chosen.train.model_dump(include={"epochs", "batch", "lr", "warmup", "weight_decay", "seed"}),
    }


def key(chosen: settings.Settings, real: Real, pool: dict[str, Any]) -> str:
    """Name the work by all that decides its result."""
    sections = [section.model_dump() for section in (chosen.train, chosen.objective, chosen.embed)]
    content = [sha256(paths.MODEL / weights.WEIGHTS), real.shards.digest, pool, *sections]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
