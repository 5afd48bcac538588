"""Owns the stage pretraining_set: which validated corpora pretraining sees, named by content."""

from typing import Any

import polars as pl

from cgdmer import paths
from cgdmer import shards as storage
from cgdmer.errors import DataError, ValidationFailed
from cgdmer.files import read_json, write_json
from cgdmer.settings import PretrainingSet


def pretraining_set(*, pretraining_set: PretrainingSet) -> None:
    """Write `data/pretraining_set.json`.

    Raises ValidationFailed for a source whose validation failed, DataError when there is no record to train on.

    `trainable` counts records of the training split that have a report.
    """
    opened = {source: _validated(source) for source in pretraining_set.sources}
    storage.concatenate(list(opened.values()))
    described = {source: _describe(part) for source, part in opened.items()}
    if not any(entry["trainable"] for entry in described.values()):
        raise DataError(
            f"no record to pretrain on in {', '.join(pretraining_set.sources)}",
            allowed="records of the training split with a report",
            fix="add a source with reports, mimic_iv_ecg or ptb_xl, to pretraining_set.sources in params.yaml",
        )
    write_json(paths.PRETRAINING_SET, {"sources": described})


def _validated(source: str) -> storage.Shards:
    """Open the shards of a source whose validation succeeded."""
    result = paths.validation(source) / "result.json"
    if not result.is_file():
        raise DataError(f"{source} has not been validated: {result} is missing", fix=f"dvc repro validate@{source}")
    if read_json(result).get("success") is not True:
        raise ValidationFailed(
            f"{source} did not pass validation, so pretraining may not see it",
            allowed="sources without a failed critical expectation",
            fix=f"read {paths.validation(source) / 'index.html'}, mend the data, then dvc repro; "
            f"or take {source} out of pretraining_set.sources in params.yaml",
        )
    return storage.open_shards(paths.shards(source), verify=True)


def _describe(part: storage.Shards) -> dict[str, Any]:
    trainable = part.columns("split", "report").filter(pl.col("split") == "train", pl.col("report") != "")
    return {
        "digest": part.digest,
        "records": len(part),
        "trainable": len(trainable),
        "fs": part.fs,
        "samples": part.samples,
    }
