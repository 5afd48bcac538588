"""A source of 800,000 records without signals: the tables of index and shards, with the oddities of real corpora."""

from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import paths, tables
from cgdmer.files import write_json
from cgdmer.settings import Signal
from support.example_source import LEADS

SOURCE = "mimic_iv_ecg"
RECORDS, PER_PATIENT = 800_000, 5
FLAT_SHARE = 4 / 63
"""Share of records with a flat lead in the real CSN subset, the highest of the subsets."""
SHARE_ABOVE_20_MV = 1.25e-4
"""Share of records above 20 mV, extrapolated from real recordings (docs/protocols.md)."""


def chosen(records: int, count: int, seed: int) -> pl.Series:
    """Return a mask (records,) that is True in `count` rows drawn with `seed`."""
    mask = np.zeros(records, dtype=bool)
    mask[np.random.default_rng(seed).choice(records, count, replace=False)] = True
    return pl.Series(mask)


def index(records: int = RECORDS) -> pl.DataFrame:
    """Return an index whose ages, reports, rates, lengths and leads have a few odd values each."""
    rng = np.random.default_rng(0)
    numbers = np.arange(records)
    split = np.array(["train"] * 8 + ["val", "test"])[numbers // PER_PATIENT % 10]
    text = pl.Series(rng.zipf(1.3, records) % 90_000).cast(pl.String)
    odd = {
        name: chosen(records, 40, seed) for seed, name in enumerate(("old", "newborn", "no_age", "short", "fs", "n"))
    }
    frame = pl.DataFrame({"number": numbers, "split": split, "text": text}).select(
        id=pl.format("1{}_4{}", pl.col("number") // PER_PATIENT, "number"),
        patient=(pl.col("number") // PER_PATIENT).cast(pl.String),
        member=pl.format("files/4{}.hea", "number"),
        fs=pl.when(odd["fs"]).then(12_000.0).otherwise(500.0),
        samples=pl.when(odd["n"]).then(0).otherwise(5_000).cast(pl.Int64),
        leads=pl.when(odd["fs"]).then(pl.lit(pl.Series([LEADS[:8]]))).otherwise(pl.lit(pl.Series([LEADS]))),
        report=pl.when(odd["n"]).then(pl.lit("")).when(odd["short"]).then(pl.lit("sinus rhythm normal"))
        .otherwise(pl.format("sinus rhythm, finding {}, abnormal ecg", "text")),
        age=pl.when(odd["old"]).then(300.0).when(odd["newborn"]).then(0.0).when(odd["no_age"]).then(float("nan"))
        .otherwise((18 + pl.col("number") % 72).cast(pl.Float64)),
        sex=pl.when(pl.col("number") % 2 == 0).then(pl.lit("male")).otherwise(pl.lit("female")),
        split="split",
    )  # fmt: skip
    return frame.select(pl.col(name).cast(dtype) for name, dtype in tables.INDEX_COLUMNS.items())


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the shard rows of an index, with flat leads, clipped, bridged and repeated signals."""
    records = frame.height
    rng = np.random.default_rng(1)
    digest = np.arange(records)
    copies = np.random.default_rng(2).choice(records, 60, replace=False)
    digest[copies[:30]] = copies[30:]
    return frame.select(
        "id", "patient", "split", "report", "age", "sex",
        valid=pl.lit(1000, pl.Int32),
        missing=pl.when(chosen(records, 40, 3)).then(0b1000).otherwise(0).cast(pl.UInt16),
        flat=pl.when(chosen(records, round(FLAT_SHARE * records), 4)).then(0b111).otherwise(0).cast(pl.UInt16),
        clipped=pl.Series(rng.exponential(0.001, records), dtype=pl.Float32),
        amplitude_uv=pl.Series((1500 * rng.lognormal(0, 0.4, records)).clip(max=19_000), dtype=pl.Int32),
        identity_uv=pl.when(chosen(records, records // 100, 5)).then(170.0).otherwise(2.0).cast(pl.Float32),
        bridged=pl.when(chosen(records, 500, 6)).then(12).otherwise(0).cast(pl.Int32),
        signal_digest=pl.Series(digest).cast(pl.String),
    ).select(pl.col(name).cast(dtype) for name, dtype in tables.ROWS_COLUMNS.items())  # fmt: skip


def quarantine(index: pl.DataFrame, refused: pl.Series, reason: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of an index that stay, and the quarantine table of the refused ones."""
    return index.filter(~refused), index.filter(refused).select("id", "member", reason=pl.lit(reason))


def write(index: pl.DataFrame, rows: pl.DataFrame, refused: pl.DataFrame) -> None:
    """Write all tables of the source below the working directory."""
    folder = paths.shards(SOURCE)
    files: dict[Path, pl.DataFrame] = {
        paths.index(SOURCE): index,
        paths.index_quarantine(SOURCE): pl.DataFrame(schema=tables.QUARANTINE_COLUMNS),
        folder / "rows.parquet": rows,
        folder / "quarantine.parquet": refused,
    }
    for path, table in files.items():
        tables.write(table, path)
    write_json(paths.index_facts(SOURCE), {"split": {"kind": "hash"}, "records": index.height})
    form = {"fs": 100.0, "samples": Signal().samples, "leads": LEADS, "records": rows.height, "digest": "0" * 64}
    write_json(folder / "manifest.json", form)
