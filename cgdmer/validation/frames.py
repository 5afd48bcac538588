"""Owns the tables that expectations look at: derived columns of index and shards, and settings held against files."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.settings import Signal

SHARD_COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "patient": pl.String(),
    "split": pl.String(),
    "report": pl.String(),
    "valid": pl.Int32(),
    "missing": pl.UInt16(),
    "flat": pl.UInt16(),
    "clipped": pl.Float32(),
    "amplitude_uv": pl.Int32(),
    "identity_uv": pl.Float32(),
    "bridged": pl.Int32(),
    "signal_digest": pl.String(),
}
"""What the suites need of `rows.parquet`; more columns may be there."""

RECORDS = {"ptb_xl": 21799, "cpsc2018": 6877, "csn": 45152}
"""Records of the full published corpora (docs/protocols.md A.3, A.4, A.5)."""


def schema(frame: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Hold the columns a table must have against those it has: one row a column."""
    rows = [(name, str(frame.schema.get(name, "missing")), str(dtype)) for name, dtype in columns.items()]
    return agreement(rows)


def form(manifest: Mapping[str, Any], rows: int, signal: Signal) -> pl.DataFrame:
    """Hold a shard manifest against the settings and against its own rows."""
    pairs = {
        "fs": (manifest.get("fs"), signal.fs),
        "samples": (manifest.get("samples"), signal.samples),
        "leads": (len(manifest.get("leads", ())), 12),
        "records": (manifest.get("records"), rows),
    }
    return agreement([(name, _written(found), _written(wanted)) for name, (found, wanted) in pairs.items()])


def agreement(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    """Return a table of things that should be equal."""
    return pl.DataFrame(rows, schema=["id", "observed", "expected"], orient="row")


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def index(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the index with one derived column for each law that spans rows or columns."""
    named = pl.col("split") != tables.UNASSIGNED
    spread = pl.col("split").filter(named).n_unique().over("patient")
    report = pl.when(pl.col("report") != "").then(pl.col("report"))
    return frame.select(
        "id", "patient", "split", "fs", "samples", "age", "sex",
        lead_count=pl.col("leads").list.len(),
        patient_splits=spread,
        report_words=report.str.split(" ").list.len(),
        report_copies=pl.when(report.is_not_null()).then(pl.len().over("report")),
        **{f"{task}_labels": _sound(frame, task) for task in tasks(frame)},
    )  # fmt: skip


def tasks(frame: pl.DataFrame) -> list[str]:
    """Return the tasks that have label columns, in the order of the benchmark."""
    found = {name.split("/")[0] for name in frame.columns if "/" in name}
    return [task for task in tables.TASKS if task in found]


def _sound(frame: pl.DataFrame, task: str) -> pl.Expr:
    """Return whether a record's labels are 0 or 1 in every class of a task, or null in all."""
    columns = tables.label_columns(frame, task)
    nulls = pl.sum_horizontal(pl.col(column).is_null() for column in columns)
    valid = pl.all_horizontal(pl.col(column).is_in([0, 1]).fill_null(value=True) for column in columns)
    return valid & nulls.is_in([0, len(columns)])


def shards(rows: pl.DataFrame, indexed: pl.DataFrame) -> pl.DataFrame:
    """Return the shard rows with derived columns; `rows.parquet` keeps flat and missing leads as bit masks."""
    copies = pl.len().over("signal_digest")
    return rows.select(
        "id", "split", "valid", "clipped", "amplitude_uv", "identity_uv", "bridged",
        missing_leads=pl.col("missing").bitwise_count_ones(),
        flat_leads=pl.col("flat").bitwise_count_ones(),
        indexed=pl.col("id").is_in(indexed["id"].implode()),
        signal_copies=copies,
        copy_splits=pl.col("split").filter(pl.col("split") != tables.UNASSIGNED).n_unique().over("signal_digest"),
    )  # fmt: skip


def label_totals(frame: pl.DataFrame, task: str) -> pl.DataFrame:
    """Hold records and positives of each class in each split against the published counts of the full corpus."""
    pinned = published().filter(pl.col("task") == task)
    members = tables.members(frame, task)
    rows = []
    for split, name, count in pinned.select("split", "class", "positives").iter_rows():
        part = members.filter(pl.col("split").is_in(split.split("+")))
        found = str(_positives(part, task, name))
        rows.append((f"{name or 'records'} in {split}", found, str(count)))
    return agreement(rows)


def _positives(part: pl.DataFrame, task: str, name: str) -> int | str:
    if not name:
        return part.height
    column = f"{task}/{name}"
    return int(part[column].cast(pl.Int64).sum()) if column in part.columns else "no such class"


def published() -> pl.DataFrame:
    """Return the published counts: task, split (`train+val` is their sum), class ('' for records), positives.

    Sources: docs/protocols.md A.3.2, A.3.5, A.4 and A.5, counted in the published split tables.
    """
    text = files("cgdmer.validation").joinpath("published.csv").read_bytes()
    return pl.read_csv(text).with_columns(pl.col("class").fill_null(""))


def not_pinned(frame: pl.DataFrame, source: str, split: str) -> str:
    """Say why published counts do not apply to an index; '' when they do."""
    wanted = RECORDS.get(source)
    if wanted is None:
        return "no counts are published"
    if frame.height != wanted:
        return f"holds {frame.height:,} of the {wanted:,} published records"
    if split == "hash":
        return "the split is a hash of the patient, not the published one"
    return ""
