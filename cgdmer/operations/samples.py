"""Samples of recordings that monitoring compares: incoming ones, and the reference from the training data."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from cgdmer import paths, tables
from cgdmer.commands.scorer import Scorer
from cgdmer.errors import DataError
from cgdmer.files import read_json
from cgdmer.operations import examined
from cgdmer.operations.examined import Row
from cgdmer.progress import terminal_bar
from cgdmer.recordings import ArrayMetadata, RecordingPath, plausibility
from cgdmer.recordings.batches import map_batches
from cgdmer.recordings.discovery import Rejected
from cgdmer.settings import Signal
from cgdmer.shards import concatenate, open_shards
from cgdmer.signals import Canonical

log = logging.getLogger(__name__)
BATCH = 64
FEATURES = "features"
TOO_SHORT = "fewer samples than a patch"
KEPT = paths.STATE / "monitoring" / "references"


@dataclass(frozen=True, eq=False)
class Sample:
    """Examined recordings, one row each, with their features and scores."""

    frame: pl.DataFrame
    """Columns `CATEGORIES`, `NUMBERS` and `score/CLASS`."""
    features: np.ndarray
    """float32 (N, D)."""
    rejected: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.features)


NOTHING = Sample(pl.DataFrame(), np.zeros((0, 0), np.float32))
"""A sample without recordings."""


def read(found: Iterable[RecordingPath | Rejected], metadata: ArrayMetadata, scorer: Scorer, most: int) -> Sample:
    """Read, examine and encode recordings: all, or a random choice of `most`, the same for the same names."""
    chosen = _choice(found, most)
    encoder = scorer.encoder
    batches = map_batches(iter(chosen), metadata, encoder.form, encoder.seconds, examined.examine)
    rows, features, reasons = list[Row](), list[np.ndarray](), Counter[str]()
    with terminal_bar(total=len(chosen), unit="record", desc="examining") as bar:
        for batch in batches:
            reasons.update(one.reason for one in batch.rejected)
            if batch.rows:
                new, encoded = _encoded(scorer, batch.rows, np.stack(batch.signal), np.array(batch.valid))
                rows += new
                features.append(encoded)
                reasons.update([TOO_SHORT] * (len(batch.rows) - len(new)))
            bar.update(len(batch.rows) + len(batch.rejected))
    return Sample(_frame(rows), np.concatenate(features) if features else NOTHING.features, reasons)


def _choice(found: Iterable[RecordingPath | Rejected], most: int) -> list[RecordingPath | Rejected]:
    """Return `most` recordings with the smallest digests of their names, in the order in which they were found."""
    numbered = [
        (hashlib.sha256(one.id.encode("utf-8", "replace")).digest(), place, one) for place, one in enumerate(found)
    ]
    kept = sorted(numbered, key=lambda entry: entry[:2])[:most]
    return [one for _, _, one in sorted(kept, key=lambda entry: entry[1])]


def training(scorer: Scorer, most: int) -> Sample:
    """Return a random sample of the records that pretraining trained on; kept on disk, for it does not change.

    DataError if this machine has no shards of the pretraining set.
    """
    try:
        sources = read_json(paths.PRETRAINING_SET)["sources"]
        if not all(isinstance(source, str) for source in sources):
            raise ValueError("a source is not a name")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "there is no training data to compare with", allowed="a reference folder, or data/shards",
            fix="--reference FOLDER with recordings of a good month (deployment: -p reference=FOLDER), or dvc pull",
        ) from error  # fmt: skip
    facts = [scorer.encoder.digest, sources, most, scorer.tasks, scorer.classes, examined.NUMBERS]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    path = KEPT / f"{key}.parquet"
    if not path.exists():
        sample = _from_shards(sorted(sources), scorer, most)
        tables.write(sample.frame.with_columns(pl.Series(FEATURES, sample.features)), path)
    frame = tables.read(path)
    return Sample(frame.drop(FEATURES), frame[FEATURES].to_numpy())


def _from_shards(sources: list[str], scorer: Scorer, most: int) -> Sample:
    """Examine and encode random records of the split `train`, drawn from all sources alike."""
    rows, features = list[Row](), list[np.ndarray]()
    shards = concatenate([open_shards(paths.shards(source)) for source in sources])
    form, table = scorer.encoder.form, shards.rows
    if (shards.fs, shards.samples) != (form.fs, form.samples):
        raise DataError(
            f"the shards have {shards.samples} samples at {shards.fs:g} Hz",
            allowed=f"{form.samples} samples at {form.fs:g} Hz, which the encoder reads",
            fix="--reference FOLDER with recordings of a good month (deployment: -p reference=FOLDER)",
        )
    rates = pl.concat([
        tables.read(paths.index(source), ["id", "fs"]).with_columns(source=pl.lit(source)) for source in sources
    ])  # fmt: skip
    joined = table.join(rates, on=["id", "source"], how="left", maintain_order="left")
    trained = np.flatnonzero(table["split"].to_numpy() == "train")
    chosen = np.sort(np.random.default_rng(0).choice(trained, min(most, len(trained)), replace=False))
    for begin in terminal_bar(range(0, len(chosen), BATCH), unit="batch", desc="examining the training data"):
        numbers = chosen[begin : begin + BATCH]
        signal = shards.gather(numbers)
        described = [
            _described(one, row, form) for one, row in zip(signal, joined[numbers].iter_rows(named=True), strict=True)
        ]
        new, encoded = _encoded(scorer, described, signal, joined[numbers]["valid"].to_numpy())
        rows += new
        features.append(encoded)
    return Sample(_frame(rows), np.concatenate(features))


def _described(signal: np.ndarray, row: dict[str, object], form: Signal) -> Row:
    quality = {name: row[name] for name in tables.QUALITY_COLUMNS if name != "valid"}
    recording = Canonical(signal, int(row["valid"]), quality)  # type: ignore[arg-type, call-overload]
    return examined.describe(recording, float(row["fs"]), form.fs, plausibility.doubts(recording))  # type: ignore[arg-type]


def _encoded(scorer: Scorer, rows: list[Row], signal: np.ndarray, valid: np.ndarray) -> tuple[list[Row], np.ndarray]:
    """Return the rows with a column per score, and the features, of the recordings that hold at least a patch."""
    encoder = scorer.encoder
    usable = np.flatnonzero(valid >= encoder.model.settings.patch)
    if not len(usable):
        return [], np.zeros((0, encoder.dims["pooled"]), np.float32)
    millivolt, lengths = signal[usable].astype(np.float32) / 1000, valid[usable].astype(np.int32)
    features = encoder.encode(millivolt, valid=lengths)
    scores = scorer.columns(features) if not scorer.own.probes else {}
    columns = {f"score/{name}": values for name, values in scores.items()}
    merged = [
        rows[place] | {name: float(values[number]) for name, values in columns.items()}
        for number, place in enumerate(usable)
    ]
    return merged, features["pooled"]


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)
