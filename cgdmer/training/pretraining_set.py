"""The records that pretraining reads, from data/pretraining_set.json, and the key of a training run."""

import hashlib
import json
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, settings
from cgdmer.errors import DataError
from cgdmer.files import read_json
from cgdmer.settings.base import Section
from cgdmer.shards import Shards, concatenate, open_shards


def open_pretraining_set(signal: settings.Signal) -> tuple[Shards, dict[str, Any]]:
    """Open the shards that data/pretraining_set.json names; DataError when one changed since or has another form."""
    if not paths.PRETRAINING_SET.is_file():
        raise DataError(f"{paths.PRETRAINING_SET} is missing", fix="dvc repro pretraining_set")
    pool: dict[str, Any] = read_json(paths.PRETRAINING_SET)
    parts = [open_shards(paths.shards(source), verify=True) for source in sorted(pool["sources"])]
    for source, part in zip(sorted(pool["sources"]), parts, strict=True):
        if part.digest != pool["sources"][source]["digest"]:
            raise DataError(
                f"shards of {source} are not those that {paths.PRETRAINING_SET} names", fix="dvc repro pretraining_set"
            )
    whole = concatenate(parts)
    if (whole.fs, whole.samples) != (signal.fs, signal.samples):
        raise DataError(
            f"the shards have {whole.samples} samples at {whole.fs} Hz",
            allowed=f"{signal.samples} samples at {signal.fs} Hz, as section signal of params.yaml says",
            fix="dvc repro",
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
