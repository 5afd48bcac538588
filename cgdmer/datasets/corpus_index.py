"""Owns what reading a corpus gives: the index table, the records that cannot be used, and the facts a person reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from cgdmer.tables import INDEX_COLUMNS, QUARANTINE_COLUMNS, SPLITS, UNASSIGNED


@dataclass(frozen=True)
class CorpusIndex:
    """One corpus, read."""

    frame: pl.DataFrame
    """`tables.INDEX_COLUMNS`, then the label columns."""
    quarantine: pl.DataFrame
    """`tables.QUARANTINE_COLUMNS`: every record that cannot be used, with its reason."""
    facts: dict[str, Any]
    """Counts at every filter, the split in use, label totals; JSON without NaN."""


def assemble(frame: pl.DataFrame, quarantines: Iterable[pl.DataFrame], facts: dict[str, Any]) -> CorpusIndex:
    """Put columns into their order and dtype and add the counts every source reports."""
    labels = [column for column in frame.columns if "/" in column]
    table = frame.select(*(pl.col(name).cast(dtype) for name, dtype in INDEX_COLUMNS.items()), *labels)
    bad = pl.concat([empty_quarantine(), *quarantines])
    counted = {"records": table.height, "quarantined": bad.height, "tasks": label_counts(table), **facts}
    return CorpusIndex(table, bad, counted)


def empty_quarantine() -> pl.DataFrame:
    return pl.DataFrame(schema=QUARANTINE_COLUMNS)


def quarantine(rows: pl.DataFrame, reason: pl.Expr) -> pl.DataFrame:
    """Return quarantine rows of a frame that has `id` and `member`."""
    return rows.select("id", "member", reason.cast(pl.String).alias("reason"))


def label_counts(frame: pl.DataFrame) -> dict[str, Any]:
    """Return, for each task, its records and each class's positives by split; only splits in use appear."""
    counts: dict[str, Any] = {}
    splits = [split for split in (*SPLITS, UNASSIGNED) if split in frame["split"].unique()]
    for task in dict.fromkeys(column.split("/")[0] for column in frame.columns if "/" in column):
        columns = [column for column in frame.columns if column.startswith(f"{task}/")]
        parts = {split: frame.filter(pl.col("split") == split, pl.col(columns[0]).is_not_null()) for split in splits}
        counts[task] = {
            "records": {split or "unassigned": part.height for split, part in parts.items()},
            "positives": {
                column.split("/", 1)[1]: {
                    split or "unassigned": int(part[column].sum()) for split, part in parts.items()
                }
                for column in columns
            },
        }
    return counts
