"""`cgdmer cross-validation`: five folds on a local copy of PTB-XL, with pretraining continued in every fold.

Each fold starts from the weights in data/models/pretrain, which were trained without real recordings. Training
continues on the pretraining set plus the recordings and reports of the other four folds, which are repeated until they
are as many as the records of the pretraining set; `params/folds.yaml` sets for how long. Nothing sees the records of a
fold before they are scored.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import datasets, embeddings, paths, preprocessing, settings, stage_code, tables
from cgdmer.archives import open_archive
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.encoders.crops import cropped
from cgdmer.encoders.encoding import encode_rows
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import DataError
from cgdmer.evaluation import cross_validation as validation
from cgdmer.files import sha256, work_key, write_json, write_text
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.objectives import Objective
from cgdmer.probing.patients import FOLDS, deal, resampled
from cgdmer.probing.representations import REPRESENTATIONS
from cgdmer.report.cross_validation import markdown
from cgdmer.shards import Shards, concatenate, open_shards
from cgdmer.training import Records, fit, join, threads
from cgdmer.training.exchanging import exchanging
from cgdmer.training.pretraining_set import choose, open_pretraining_set

SOURCE, TASK = "ptb_xl", "ptb_xl_super"
CONTROLS = ("handcrafted",)
"""Random controls, with several sets of weights, stand in `cgdmer external-validation`."""
OVERLAY = Path("params/folds.yaml")
Features = dict[str, np.ndarray]
"""Features (N, D) of all usable records by representation."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledRecords:
    """The usable real records of the task, their labels and their folds."""

    shards: Shards
    rows: np.ndarray
    """Row numbers in the shards, int64 (N,)."""
    frame: pl.DataFrame
    """Columns id, patient, report and valid among others, in the order of `rows`."""
    classes: list[str]
    labels: np.ndarray
    """(N, C) in {0, 1}."""
    folds: np.ndarray
    """The fold of each record (N,)."""
    excluded: dict[str, int]
    """Number of records left out, by reason."""


def cross_validate(params: Path = Path("params.yaml")) -> dict[str, Any]:
    """Cross-validate all encoders, write reports/folds and return the result; after a kill, done folds are reused."""
    merged = settings.merge(settings.read(params), settings.read(OVERLAY))
    config = settings.parse(merged, name=f"{params} with {OVERLAY}")
    pretraining, manifest = open_pretraining_set(config.signal)
    _, form, facts = weights.load(paths.MODEL)
    check_unseen({*facts["pool"], *manifest["sources"]})
    work = paths.scratch("folds")
    records = read_corpus(config, form, work)
    folder = work / key(config, records, manifest)
    network, _, _ = weights.load(paths.MODEL)
    simulated_only = of_network(network, form, config.embed)
    encoders: dict[str, Callable[[int], Features]] = {
        "cgdmer": lambda fold: continue_pretraining(fold, config, records, pretraining, folder),
        "cgdmer, simulated corpora only": every_fold(simulated_only, records, config.embed.batch),
    }
    for name in CONTROLS:
        control = load(name, Setup.of(form, config.model, config.embed, config.embed.seed))
        encoders[name] = every_fold(control, records, config.embed.batch)
    training = describe_training(config, records, len(training_rows(pretraining, config)))
    result = score(encoders, records, config) | {"training": training}
    results = paths.REPORTS / "folds"
    write_json(results / f"{TASK}.json", result)
    write_text(results / f"{TASK}.md", markdown(result))
    shutil.rmtree(work, ignore_errors=True)
    return result


def check_unseen(sources: set[str]) -> None:
    """Raise DataError if the weights or the pretraining set have seen the corpus to be scored."""
    if SOURCE in sources:
        raise DataError(
            f"pretraining has seen {SOURCE}, so no fold of it is unseen",
            allowed=f"weights in {paths.MODEL} pretrained on other corpora",
            fix="python -m cgdmer profile demo && dvc repro pretrain",
        )


def read_corpus(config: settings.Settings, form: settings.Signal, work: Path) -> LabelledRecords:
    """Index and shard the local copy in the folder `work`; of bit-identical recordings only the first is stored.

    data/raw is ignored, because after `make demo` it holds a simulated corpus; `corpora.ptb_xl.root` chooses between
    copies. DataError if there is no local copy.
    """
    chosen = next((corpus.root for name, corpus in config.corpora.items() if name == SOURCE), None)
    corpus = settings.Corpus(way="local", root=chosen)
    root = datasets.local_root(SOURCE, corpus)
    if root is None:
        raise DataError(
            f"no local copy of {SOURCE}",
            allowed="a folder or zip of the corpus below CGDMER_RAW_ROOT",
            fix="make folds CGDMER_RAW_ROOT=/folder/with/ptbxl",
        )
    module = datasets.module(SOURCE)
    with open_archive(root) as archive, module.find(archive) as raw:
        index = module.read_index(raw, corpus=corpus, index=config.index, protocol=None)
        preprocessing.preprocess(index.frame, raw, work / SOURCE, work / "shards", form, corpus.seconds)
    shards = open_shards(work / SOURCE)
    labels = index.frame.select("id", *tables.label_columns(index.frame, TASK))
    table = shards.columns("id", "patient", "report", "valid", "signal_digest").with_row_index("row")
    labelled = table.join(labels, on="id", how="left", maintain_order="left").filter(
        pl.col(labels.columns[1]).is_not_null()
    )
    frame = labelled.unique("signal_digest", keep="first", maintain_order=True)
    classes, matrix = tables.labels(frame, TASK)
    excluded = {
        "quarantined": index.quarantine.height + index.frame.height - len(shards),
        "without a class of the task": len(shards) - labelled.height,
        "same recording as another": labelled.height - frame.height,
    }
    folds = deal(frame["patient"].to_list(), matrix)
    rows = frame["row"].to_numpy().astype(np.int64)
    return LabelledRecords(shards, rows, frame, classes, matrix, folds, excluded)


def training_rows(pretraining: Shards, config: settings.Settings) -> np.ndarray:
    """Return the rows of the pretraining set to train on."""
    rows, (count, _) = choose(pretraining, config.train)
    return rows[:count]


def continue_pretraining(
    fold: int, config: settings.Settings, records: LabelledRecords, pretraining: Shards, folder: Path
) -> Features:
    """Continue training for one fold and return the features, or read them if an earlier call stored them."""
    stored = folder / f"fold-{fold}"
    if (stored / embeddings.META).is_file():
        return dict(embeddings.read(stored).features)
    network, form, _ = weights.load(paths.MODEL)
    pretraining_rows = training_rows(pretraining, config)
    other_folds = (records.folds != fold) & (records.frame["report"] != "").to_numpy()
    real = records.rows[other_folds] + len(pretraining)
    real = np.tile(real, max(1, round(len(pretraining_rows) / len(real))))
    rows = np.concatenate([pretraining_rows, real])
    statements = config.objective.statements > 0
    pairs = Records(concatenate([pretraining, records.shards]), rows, network.tokenizer, statements=statements)
    source = exchanging(pairs, len(pairs), config.augmentation, config.train, network.tokenizer)
    task = Objective(network, config.objective, config.augmentation)
    world, scratch = join(), folder / f"training-{fold}"
    log.info("fold %d: %d pretraining records, %d real ones", fold, len(pretraining_rows), len(real))
    with threads(world.size):
        fit(task, source, (len(pairs), 0), config.train, world=world, folder=scratch)
    features = encode(of_network(network, form, config.embed), records, config.embed.batch)
    embeddings.write(stored, records.frame["id"].to_list(), features, {"fold": fold})
    shutil.rmtree(scratch)
    return features


def of_network(network: CGDMER, form: settings.Signal, embed: settings.Embed) -> Encoder:
    """Return a network as the encoder that reads records as `embed` says."""
    return cropped(Pretrained("cgdmer", network, form), embed.crops, embed.crop_seconds)


def every_fold(encoder: Encoder, records: LabelledRecords, batch: int) -> Callable[[int], Features]:
    """Return a function from fold to features for an encoder that was trained on none of the records."""
    features = encode(encoder, records, batch)
    return lambda _: features


def encode(encoder: Encoder, records: LabelledRecords, batch: int) -> Features:
    """Encode all records, in order."""
    valid = records.frame["valid"].to_numpy()
    features = encode_rows(encoder, records.shards, records.rows, valid, batch, names=REPRESENTATIONS)
    return {name: features[name] for name in REPRESENTATIONS if name in features}


def score(
    encoders: dict[str, Callable[[int], Features]], records: LabelledRecords, config: settings.Settings
) -> dict[str, Any]:
    """Probe every encoder and compare the first with the others on `pooled`."""
    counts = resampled(records.frame["patient"].to_list(), config.probe.bootstrap)
    scores: dict[str, validation.Scores] = {}
    results: dict[str, dict[str, Any]] = {}
    for name, features_of in encoders.items():
        features = [features_of(fold) for fold in range(FOLDS)]
        results[name] = {}
        for kind in features[0]:
            by_fold = [each[kind] for each in features]
            out_of_fold = validation.out_of_fold(by_fold, records.labels, records.folds, config.probe.C)
            results[name][kind] = validation.summary(
                out_of_fold, records.labels, records.folds, records.classes, counts
            )
            scores[name] = out_of_fold if kind == "pooled" else scores.get(name, out_of_fold)
        log.info("%s: macro AUROC %.4f", name, results[name]["pooled"]["mean"])
    first = next(iter(encoders))
    return {
        "task": TASK,
        "folds": FOLDS,
        "records": len(records.rows),
        "patients": records.frame["patient"].n_unique(),
        "records_by_fold": np.bincount(records.folds, minlength=FOLDS).tolist(),
        "positives": dict(zip(records.classes, records.labels.sum(axis=0).tolist(), strict=True)),
        "left_out": records.excluded,
        "bootstrap": config.probe.bootstrap,
        "encoders": results,
        "differences": {
            name: validation.difference(scores[first], scores[name], records.labels, counts)
            for name in encoders
            if name != first
        },
    }


def describe_training(config: settings.Settings, records: LabelledRecords, simulated: int) -> dict[str, Any]:
    """Return how each fold was trained."""
    return {
        "begins_from": f"{paths.MODEL}, pretrained on {', '.join(config.pretraining_set.sources)}",
        "simulated_records": simulated,
        "real_records": (len(records.rows) - np.bincount(records.folds, minlength=FOLDS)).tolist(),
        "params": config.train.model_dump(include={"epochs", "batch", "lr", "warmup", "weight_decay", "seed"}),
    }


def key(config: settings.Settings, records: LabelledRecords, pretraining: dict[str, Any]) -> str:
    """Return a hash of everything that decides the features of a fold.

    These are the weights, the records and their deal, the pretraining set, the settings and the code.
    """
    sections = (config.train, config.objective, config.augmentation, config.embed)
    dealt = [hashlib.sha256(array.tobytes()).hexdigest() for array in (records.rows, records.labels, records.folds)]
    code = (
        stage_code.digest(stage_code.begins("pretrain") | stage_code.begins("embed", "cgdmer")),
        sha256(Path(__file__)),
    )
    return work_key(
        sha256(paths.MODEL / weights.WEIGHTS), records.shards.digest, records.classes, dealt, pretraining, code,
        *(section.model_dump() for section in sections),
    )  # fmt: skip
