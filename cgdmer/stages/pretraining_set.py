"""Stage pretraining_set: validated corpora -> the list of those that pretraining reads, with their digests."""

from typing import Any

import polars as pl

from cgdmer import paths
from cgdmer import shards as storage
from cgdmer.errors import ConfigError, DataError, ValidationFailed
from cgdmer.files import read_json, write_json
from cgdmer.settings import PretrainingSet


def pretraining_set(*, pretraining_set: PretrainingSet) -> None:
    """Write `data/pretraining_set.json`; `trainable` counts records of the training split that have a report.

    ValidationFailed for a source whose validation failed, DataError if there is no record to train on. ConfigError for
    records that only `train-encoder` reads: the pipeline would depend on the simulator, or on files outside it.
    """
    for name, wanted, off in (
        ("simulated.records", pretraining_set.simulated.records, 0),
        ("unlabelled.folders", pretraining_set.unlabelled.folders, []),
    ):
        if wanted:
            raise ConfigError(
                f"pretraining_set.{name} of params.yaml is {wanted}, which the pipeline does not read",
                allowed=f"{off}",
                fix="python -m cgdmer train-encoder, which reads params/encoder.yaml",
            )
    shards = {source: _validated(source) for source in pretraining_set.sources}
    storage.concatenate(list(shards.values()))
    entries = {source: _describe(corpus) for source, corpus in shards.items()}
    if not any(entry["trainable"] for entry in entries.values()):
        raise DataError(
            f"no record to pretrain on in {', '.join(pretraining_set.sources)}",
            allowed="records of the training split with a report",
            fix="add a source with reports, mimic_iv_ecg or ptb_xl, to pretraining_set.sources in params.yaml",
        )
    write_json(paths.PRETRAINING_SET, {"sources": entries})


def _validated(source: str) -> storage.Shards:
    """Open the shards of a source whose validation succeeded."""
    result = paths.validation(source) / "result.json"
    if not result.is_file():
        raise DataError(f"{source} has not been validated: {result} is missing", fix=f"dvc repro validate@{source}")
    if read_json(result).get("success") is not True:
        raise ValidationFailed(
            f"{source} did not pass validation, so pretraining may not use it",
            allowed="sources without a failed critical expectation",
            fix=f"read {paths.validation(source) / 'index.html'}, fix the data, then dvc repro; "
            f"or remove {source} from pretraining_set.sources in params.yaml",
        )
    return storage.open_shards(paths.shards(source), verify=True)


def _describe(shards: storage.Shards) -> dict[str, Any]:
    trainable = shards.columns("split", "report").filter(pl.col("split") == "train", pl.col("report") != "")
    return {
        "digest": shards.digest,
        "records": len(shards),
        "trainable": len(trainable),
        "fs": shards.fs,
        "samples": shards.samples,
    }
