"""A small synthetic source, written to the paths of the stages, for tests of later stages."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, tables
from cgdmer.files import write_json
from cgdmer.settings import Signal

LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
SUPER = ["NORM", "MI", "STTC", "CD", "HYP"]


def index(records: int = 60) -> pl.DataFrame:
    """Return an index with two records per patient, splits by patient, and one report in three repeated."""
    numbers = np.arange(records)
    split = np.array(["train", "train", "train", "val", "test"])[(numbers // 2) % 5]
    frame = pl.DataFrame(
        {
            "id": [str(n) for n in numbers],
            "patient": [f"p{n // 2}" for n in numbers],
            "member": [f"records500/{n}.hea" for n in numbers],
            "fs": np.full(records, 500.0),
            "samples": np.full(records, 5000, dtype=np.int64),
            "leads": [LEADS] * records,
            "report": [f"sinus rhythm number {n % 40} & <normal>" for n in numbers],
            "age": [None if n % 7 == 0 else float(30 + n % 50) for n in numbers],
            "sex": [("male", "female", None)[n % 3] for n in numbers],
            "split": split,
        },
        schema=tables.INDEX_COLUMNS,
    )
    labels = {f"ptb_xl_super/{name}": (numbers % 5 == position).astype(np.uint8) for position, name in enumerate(SUPER)}
    return frame.with_columns(**labels)


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    count = frame.height
    return frame.select(
        "id", "patient", "split", "report",
        valid=pl.lit(1000, pl.Int32), missing=pl.lit(0, pl.UInt16), flat=pl.lit(0, pl.UInt16),
        clipped=pl.lit(0.0, pl.Float32), amplitude_uv=pl.Series(range(1000, 1000 + count), dtype=pl.Int32),
        identity_uv=pl.lit(2.0, pl.Float32), bridged=pl.lit(0, pl.Int32),
        signal_digest=pl.Series([f"{n:016x}" for n in range(count)], dtype=pl.String),
        age=pl.col("age"), sex=pl.col("sex"),
    )  # fmt: skip


@dataclass
class Example:
    """The tables of a source; change them, then call `write`."""

    source: str = "ptb_xl"
    index: pl.DataFrame = field(default_factory=index)
    rows: pl.DataFrame = field(default_factory=lambda: rows(index()))
    manifest: dict[str, Any] = field(default_factory=dict)
    quarantine: list[tuple[str, str, str]] = field(default_factory=list)

    def write(self) -> Path:
        """Write all tables below the working directory; return the shard folder."""
        folder = paths.shards(self.source)
        tables.write(self.index, paths.index(self.source))
        tables.write(self.rows, folder / "rows.parquet")
        bad = pl.DataFrame(self.quarantine, schema=tables.QUARANTINE_COLUMNS, orient="row")
        tables.write(bad, paths.index_quarantine(self.source))
        tables.write(bad.clear(), folder / "quarantine.parquet")
        write_json(paths.index_facts(self.source), {"split": {"kind": "folds"}, "records": self.index.height})
        form = {"fs": 100.0, "samples": Signal().samples, "leads": LEADS, "records": self.rows.height}
        write_json(folder / "manifest.json", {**form, "digest": "0" * 64, **self.manifest})
        return folder
