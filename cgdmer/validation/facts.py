"""Facts of a corpus that no threshold judges: patients, splits, labels, reports and signals."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.validation.frames import tasks

FREQUENT = 5
"""Number of most frequent reports that are shown."""


def facts(index: pl.DataFrame, rows: pl.DataFrame, index_facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a corpus; `index_facts` are those that the index stage wrote."""
    return {
        "index": dict(index_facts),
        "splits": _counts(index["split"]),
        "patients": index["patient"].n_unique(),
        "sexes": _counts(index["sex"].fill_null("unknown")),
        "age": _percentiles(index["age"]),
        "labels": {task: _positives(index, task) for task in tasks(index)},
        "reports": _reports(index),
        "signal": _signal(rows),
    }


def _counts(values: pl.Series) -> dict[str, int]:
    counts = values.value_counts().sort(values.name)
    return {str(name) or "none": int(count) for name, count in counts.iter_rows()}


def _percentiles(values: pl.Series) -> dict[str, float] | None:
    """Return the 5th, 50th and 95th percentile of the values that are not null, or None if all are null."""
    values = values.drop_nulls().cast(pl.Float64)
    if values.is_empty():
        return None
    return {f"p{q}": round(float(values.quantile(q / 100, "nearest") or 0.0), 4) for q in (5, 50, 95)}


def _positives(index: pl.DataFrame, task: str) -> dict[str, int]:
    """Return the positives of each class among the records of a task, most frequent first."""
    members = tables.members(index, task)
    totals = [(c.split("/", 1)[1], int(members[c].cast(pl.Int64).sum())) for c in tables.label_columns(index, task)]
    return dict(sorted(totals, key=lambda item: (-item[1], item[0])))


def _reports(index: pl.DataFrame) -> dict[str, Any]:
    """Return how many records have a report, how many reports are distinct, and the most frequent ones."""
    present = index.filter(pl.col("report") != "")["report"]
    ranked = present.value_counts().sort(["count", "report"], descending=[True, False])
    return {
        "present": present.len(),
        "distinct": ranked.height,
        "repeating": int(ranked.filter(pl.col("count") > 1)["count"].sum()),
        "words": _percentiles(present.str.count_matches(" ", literal=True) + 1),
        "frequent": [[text, count] for text, count in ranked.head(FREQUENT).iter_rows()],
    }


def _signal(rows: pl.DataFrame) -> dict[str, Any]:
    """Return percentiles of amplitude and lead identity residual, and the counts of flagged records."""
    return {
        "amplitude_mv": _percentiles(rows["amplitude_uv"] / 1000),
        "identity_uv": _percentiles(rows["identity_uv"]),
        "flat": rows.filter(pl.col("flat") > 0).height,
        "bridged": rows.filter(pl.col("bridged") > 0).height,
        "clipped": rows.filter(pl.col("clipped") > 0).height,
        "copied": rows.filter(pl.col("signal_digest").is_duplicated()).height,
    }


def repeated(rows: pl.DataFrame) -> list[list[str]]:
    """Return the ids of records with bit-identical signals, one list per signal."""
    copies = rows.filter(pl.col("signal_digest").is_duplicated())
    groups = copies.group_by("signal_digest", maintain_order=True).agg("id")["id"]
    return groups.to_list()
