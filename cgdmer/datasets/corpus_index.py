"""The result of reading a corpus: the index table, the quarantined records, and counts for the user."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from cgdmer.tables import INDEX_COLUMNS, QUARANTINE_COLUMNS, SPLITS, UNASSIGNED, label_columns, label_tasks

REPEATED = "its id occurs more than once; the first record with that id is used"
"""Reason for which a record is quarantined whose id an earlier record has."""


@dataclass(frozen=True)
class CorpusIndex:
    """One corpus, as its module read it."""

    frame: pl.DataFrame
    """`tables.INDEX_COLUMNS`, then the label columns."""
    quarantine: pl.DataFrame
    """`tables.QUARANTINE_COLUMNS`: each record that cannot be used, with the reason."""
    facts: dict[str, Any]
    """Record counts after each filter, the split in use, label totals; JSON without NaN."""


def assemble(frame: pl.DataFrame, quarantines: Iterable[pl.DataFrame], facts: dict[str, Any]) -> CorpusIndex:
    """Order and cast the columns, and add the counts that every source reports."""
    labels = [column for column in frame.columns if "/" in column]
    table = frame.select(*(pl.col(name).cast(dtype) for name, dtype in INDEX_COLUMNS.items()), *labels)
    quarantined = pl.concat([pl.DataFrame(schema=QUARANTINE_COLUMNS), *quarantines])
    counts = {"records": table.height, "quarantined": quarantined.height, "tasks": label_counts(table)}
    return CorpusIndex(table, quarantined, {**counts, **facts})


def quarantine(rows: pl.DataFrame, reason: pl.Expr) -> pl.DataFrame:
    """Return the quarantine rows of a frame with the columns `id` and `member`."""
    return rows.select("id", "member", reason.cast(pl.String).alias("reason"))


def examples(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the number of rows and their first ids."""
    return {"records": rows.height, "first": first_ids(rows)}


def first_ids(rows: pl.DataFrame) -> list[str]:
    ids: list[str] = rows["id"].head(5).to_list()
    return ids


def label_counts(frame: pl.DataFrame) -> dict[str, Any]:
    """Return, per task and split, the number of records and the positives of each class; unused splits are omitted."""
    counts: dict[str, Any] = {}
    splits = [split for split in (*SPLITS, UNASSIGNED) if split in frame["split"].unique()]
    for task in label_tasks(frame):
        columns = label_columns(frame, task)
        members = frame.filter(pl.col(columns[0]).is_not_null())
        by_split = {split or "unassigned": members.filter(pl.col("split") == split) for split in splits}
        counts[task] = {
            "records": {split: rows.height for split, rows in by_split.items()},
            "positives": {
                column.split("/", 1)[1]: {split: int(rows[column].sum()) for split, rows in by_split.items()}
                for column in columns
            },
        }
    return counts
