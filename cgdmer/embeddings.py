"""Cached features: one float32 array per representation, the record ids of its rows, and checksums of all files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sha256, with_digest, without_digest, write_json
from cgdmer.json_dataclass import Json

META = "meta.json"
IDS = "ids.parquet"


@dataclass(frozen=True)
class Embeddings:
    """Features of one encoder on one corpus: `features[name]` is float32 (N, D), row k belongs to `ids[k]`."""

    ids: list[str]
    features: dict[str, np.ndarray]
    meta: dict[str, Any]

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row number of each id, int64; DataError if a record has no features."""
        row_of = {name: row for row, name in enumerate(self.ids)}
        absent = [name for name in ids if name not in row_of]
        if absent:
            raise DataError(
                f"{len(absent)} of {len(ids)} records have no features, for example {absent[:3]}",
                allowed="ids of records that have shards",
                fix="dvc repro embed",
            )
        return np.array([row_of[name] for name in ids], dtype=np.int64)


@dataclass(frozen=True)
class Origin(Json):
    """Who trained an encoder that the pipeline did not, on what, and how its weights may be used."""

    title: str
    citation: str
    link: str
    code: str
    licence: str
    trained_on: list[str]
    """Corpora that its training saw, by the name of the source here where there is one; empty if not known."""
    notes: str = ""


def origin(folder: Path) -> Origin | None:
    """Return the origin of the encoder behind stored features; None without features, or if the pipeline made it."""
    path = folder / META
    meta = read_json(path).get("meta", {}) if path.is_file() else {}
    return Origin.from_json(meta["origin"]) if meta.get("origin") else None


def write(folder: Path, ids: Sequence[str], features: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write the features; `meta.json` comes last and marks a complete folder. DataError for NaN or infinity."""
    (folder / META).unlink(missing_ok=True)
    for name, values in features.items():
        _check(folder, name, values, len(ids))
        with atomic(folder / f"{name}.npy") as temporary:
            np.save(temporary, np.ascontiguousarray(values))
    tables.write(pl.DataFrame({"id": pl.Series(ids, dtype=pl.String)}), folder / IDS)
    files = {path: sha256(folder / path) for path in sorted([IDS, *(f"{name}.npy" for name in features)])}
    content = {"meta": dict(meta), "features": sorted(features), "records": len(ids), "files": files}
    write_json(folder / META, with_digest(content))


def read(folder: str | Path) -> Embeddings:
    """Memory-map the features after comparing every checksum; DataError names a missing or damaged file."""
    folder = Path(folder)
    fix = f"rm -r {folder} && dvc checkout {folder}, or dvc repro"
    if not (folder / META).is_file():
        raise DataError(f"{folder / META} is missing", fix=fix)
    try:
        content = without_digest(read_json(folder / META))
        names, files, meta = content["features"], content["files"], content["meta"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{folder / META} cannot be read: {error}", fix=fix) from error
    for name, digest in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise DataError(f"{folder / name} is missing or differs from its sha256 in {META}", fix=fix)
    features = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    return Embeddings(tables.read(folder / IDS)["id"].to_list(), features, meta)


def _check(folder: Path, name: str, values: np.ndarray, records: int) -> None:
    if values.ndim != 2 or len(values) != records or values.dtype != np.float32:
        raise DataError(
            f"features '{name}' are {values.dtype} {values.shape}", allowed=f"float32 ({records}, dimensions)"
        )
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise DataError(
            f"features '{name}' for {folder} hold NaN or Inf in {bad} records",
            allowed="finite numbers",
            fix="look at the signals of these records: cgdmer check <source>",
        )
