"""The records that pretraining reads, from data/pretraining_set.json, and the key of a training run."""

from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, settings, stage_code
from cgdmer.errors import DataError
from cgdmer.files import read_json, work_key
from cgdmer.settings.base import Section
from cgdmer.shards import Shards, concatenate, open_shards

EXECUTION = (
    "accumulate",
    "compile",
    "gradient_checkpointing",
    "checkpoint_steps",
    "checkpoint_minutes",
    "keep",
    "log_steps",
)
"""Settings of section train that change speed, memory or logs, but no result beyond rounding and the draws of dropout.
They are neither part of a run's key nor parameters of the stage in dvc.yaml."""


def open_pretraining_set(signal: settings.Signal) -> tuple[Shards, dict[str, Any]]:
    """Open the shards that data/pretraining_set.json names, and return its content too.

    DataError when a corpus has changed since, or when its sampling rate or length is not that of `signal`.
    """
    if not paths.PRETRAINING_SET.is_file():
        raise DataError(f"{paths.PRETRAINING_SET} is missing", fix="dvc repro pretraining_set")
    description: dict[str, Any] = read_json(paths.PRETRAINING_SET)
    sources: dict[str, Any] = description["sources"]
    by_source = {source: open_shards(paths.shards(source), verify=True) for source in sorted(sources)}
    for source, shards in by_source.items():
        if shards.digest != sources[source]["digest"]:
            raise DataError(
                f"shards of {source} are not those that {paths.PRETRAINING_SET} names", fix="dvc repro pretraining_set"
            )
    shards = concatenate(list(by_source.values()))
    if (shards.fs, shards.samples) != (signal.fs, signal.samples):
        raise DataError(
            f"the shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"{signal.samples} samples at {signal.fs} Hz, as section signal of params.yaml says",
            fix="dvc repro",
        )
    return shards, description


def choose(shards: Shards, train: settings.Train) -> tuple[np.ndarray, tuple[int, int]]:
    """Return row numbers, training rows before held-out rows, and how many of each; only records with a report."""
    rows = shards.columns("split", "report").with_row_index("row").filter(pl.col("report") != "")
    training, held_out = (rows.filter(split=split)["row"].to_numpy().astype(np.int64) for split in ("train", "val"))
    stride = max(1, len(held_out) // train.held_out) if train.held_out else 1
    held_out = held_out[::stride][: train.held_out]
    return np.concatenate([training, held_out]), (len(training), len(held_out))


def key(description: dict[str, Any], *sections: Section) -> str:
    """Return the key of a training run: only a run with the same data, settings and code is resumed.

    The settings of `EXECUTION` do not count, so a run goes on from its checkpoint when they change. The code is that on
    which DVC lets stage pretrain depend.
    """
    values = [section.model_dump(exclude=set(EXECUTION)) for section in sections]
    return work_key(description, stage_code.digest(stage_code.begins("pretrain")), *values)
