"""A small shard folder with random content, for tests of its readers."""

from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.shards.manifest import QUARANTINE, ROWS, Manifest, describe, shard_name
from cgdmer.signals import LEADS


def rows_frame(records: int) -> pl.DataFrame:
    """Return a table with the columns of `rows.parquet`: one report in three is empty, the others share five texts."""
    number = pl.int_range(records, eager=True)
    return pl.DataFrame({"number": number}).select(
        id=pl.format("r{}", "number"),
        patient=pl.format("p{}", "number"),
        split=pl.when(pl.col("number") % 4 < 2).then(pl.lit("train")).otherwise(pl.lit("test")),
        report=pl.when(pl.col("number") % 3 == 0).then(pl.lit("")).otherwise(pl.format("report {}", number % 5)),
        age=pl.lit(50.0),
        sex=pl.lit("female"),
        valid=pl.lit(100, dtype=pl.Int32),
        missing=(pl.col("number") % 2 * 2048).cast(pl.UInt16),
        flat=pl.lit(0, dtype=pl.UInt16),
        clipped=pl.lit(0.0, dtype=pl.Float32),
        amplitude_uv=pl.lit(900, dtype=pl.Int32),
        identity_uv=pl.lit(0.5, dtype=pl.Float32),
        bridged=pl.lit(0, dtype=pl.Int32),
        signal_digest=pl.format("{}", pl.col("number").hash(seed=1)),
    )


def write_folder(folder: Path, sizes: list[int], samples: int = 100, seed: int = 0) -> np.ndarray:
    """Write shards of these sizes and return all signals, int16 (N, 12, samples)."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    signals = rng.integers(-3000, 3000, (sum(sizes), 12, samples), dtype=np.int16)
    begin = 0
    for number, size in enumerate(sizes):
        np.save(folder / shard_name(number), signals[begin : begin + size])
        begin += size
    finish(folder, sizes, samples)
    return signals


def finish(folder: Path, sizes: list[int], samples: int, digests: dict[str, str] | None = None) -> Manifest:
    """Write the tables and the manifest next to the signal files."""
    tables.write(rows_frame(sum(sizes)), folder / ROWS)
    tables.write(pl.DataFrame(schema=tables.QUARANTINE_COLUMNS), folder / QUARANTINE)
    shards = {shard_name(number): size for number, size in enumerate(sizes)}
    form = {"fs": 100.0, "samples": samples, "leads": LEADS, "settings": {"order": 2}}
    return describe(folder, **form, shards=shards, digests=digests)
