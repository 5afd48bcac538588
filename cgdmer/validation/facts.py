"""Owns the facts of a corpus that no threshold judges: who, how many, which labels, how long, how alike."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.validation.frames import tasks

FREQUENT = 5
"""Most frequent reports shown."""


def facts(index: pl.DataFrame, rows: pl.DataFrame, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person wants to know of a corpus; `told` is what the index stage wrote down."""
    return {
        "index": dict(told),
        "splits": _counts(index["split"]),
        "patients": index["patient"].n_unique(),
        "sexes": _counts(index["sex"].fill_null("unknown")),
        "age": _spread(index["age"]),
        "labels": {task: _positives(index, task) for task in tasks(index)},
        "reports": _reports(index),
        "signal": _signal(rows),
    }


def _counts(values: pl.Series) -> dict[str, int]:
    counts = values.value_counts().sort(values.name)
    return {str(name) or "none": int(count) for name, count in counts.iter_rows()}


def _spread(values: pl.Series) -> dict[str, float] | None:
    """Return the 5th, 50th and 95th percentile of the known values."""
    known = values.drop_nulls().cast(pl.Float64)
    if known.is_empty():
        return None
    return {f"p{q}": round(float(known.quantile(q / 100, "nearest") or 0.0), 4) for q in (5, 50, 95)}


def _positives(index: pl.DataFrame, task: str) -> dict[str, int]:
    """Return positives of each class among the task's records, most frequent first."""
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
        "words": _spread(present.str.split(" ").list.len()),
        "frequent": [[text, count] for text, count in ranked.head(FREQUENT).iter_rows()],
    }


def _signal(rows: pl.DataFrame) -> dict[str, Any]:
    """Return amplitude, lead identities and the counts of flagged records."""
    return {
        "amplitude_mv": _spread(rows["amplitude_uv"] / 1000),
        "identity_uv": _spread(rows["identity_uv"]),
        "flat": rows.filter(pl.col("flat") > 0).height,
        "bridged": rows.filter(pl.col("bridged") > 0).height,
        "clipped": rows.filter(pl.col("clipped") > 0).height,
        "copied": rows.filter(pl.col("signal_digest").is_duplicated()).height,
    }


def repeated(rows: pl.DataFrame) -> list[list[str]]:
    """Return the ids of records whose signals are the same to the last bit: one list, mostly a pair, a signal."""
    copies = rows.filter(pl.col("signal_digest").is_duplicated())
    groups = copies.group_by("signal_digest", maintain_order=True).agg("id")["id"]
    return groups.to_list()
