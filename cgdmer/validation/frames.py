"""Tables that the expectations check: index and shards with derived columns, and comparisons of files with settings."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.settings import Signal

SHARD_COLUMNS = {
    name: tables.ROWS_COLUMNS[name] for name in ("id", "patient", "split", "report", *tables.QUALITY_COLUMNS)
}
"""Columns of `rows.parquet` that the suites need; it may have more."""

AMPLITUDE_REASON, FLAT_REASON = r"^amplitude of ([\d.]+) mV", r"^(\d+) flat leads"
"""Start of the reasons for which `shards` quarantines records that the shares of valid records must count."""

RECORDS = {"ptb_xl": 21799, "cpsc2018": 6877, "csn": 45152}
"""Records of the full published corpora (docs/protocols.md A.3, A.4, A.5)."""


def schema(frame: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Compare the columns of a table with those it must have: one row per column."""
    rows = [(name, str(frame.schema.get(name, "missing")), str(dtype)) for name, dtype in columns.items()]
    return comparison(rows)


def form(manifest: Mapping[str, Any], rows: int, signal: Signal) -> pl.DataFrame:
    """Compare a shard manifest with the settings and with the number of its rows."""
    pairs = {
        "fs": (manifest.get("fs"), signal.fs),
        "samples": (manifest.get("samples"), signal.samples),
        "leads": (len(manifest.get("leads", ())), 12),
        "records": (manifest.get("records"), rows),
    }
    return comparison([(name, _text(observed), _text(expected)) for name, (observed, expected) in pairs.items()])


def comparison(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    """Return a table with the columns `observed` and `expected`, which should be equal in every row."""
    return pl.DataFrame(rows, schema=["id", "observed", "expected"], orient="row")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def index(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the index with one derived column per invariant that spans rows or columns."""
    assigned = pl.col("split") != tables.UNASSIGNED
    report = pl.when(pl.col("report") != "").then(pl.col("report"))
    return frame.select(
        "id", "patient", "split", "fs", "samples", "age", "sex",
        lead_count=pl.col("leads").list.len(),
        patient_splits=pl.col("split").filter(assigned).n_unique().over("patient"),
        report_words=report.str.count_matches(" ", literal=True) + 1,
        report_copies=pl.when(report.is_not_null()).then(pl.len().over("report")),
        **{f"{task}_labels": _valid_labels(frame, task) for task in tasks(frame)},
    )  # fmt: skip


def tasks(frame: pl.DataFrame) -> list[str]:
    """Return the tasks that have label columns, in the order of the benchmark."""
    labelled = {name.split("/")[0] for name in frame.columns if "/" in name}
    return [task for task in tables.TASKS if task in labelled]


def _valid_labels(frame: pl.DataFrame, task: str) -> pl.Expr:
    """Return an expression: a record's labels are 0 or 1 in every class of a task, or null in all."""
    columns = tables.label_columns(frame, task)
    nulls = pl.sum_horizontal(pl.col(column).is_null() for column in columns)
    valid = pl.all_horizontal(pl.col(column).is_in([0, 1]).fill_null(value=True) for column in columns)
    return valid & nulls.is_in([0, len(columns)])


def shards(rows: pl.DataFrame, indexed: pl.DataFrame) -> pl.DataFrame:
    """Return the shard rows with derived columns; flat and missing leads are bit masks in `rows.parquet`."""
    copies = pl.len().over("signal_digest")
    return rows.select(
        "id", "split", "valid", "clipped", "amplitude_uv", "identity_uv", "bridged",
        missing_leads=pl.col("missing").bitwise_count_ones(),
        indexed=pl.col("id").is_in(indexed["id"].implode()),
        signal_copies=copies,
        copy_splits=pl.col("split").filter(pl.col("split") != tables.UNASSIGNED).n_unique().over("signal_digest"),
    )  # fmt: skip


def records(rows: pl.DataFrame, quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return every record, in the shards or quarantined, with the measurements on which impossible records are refused.

    A measurement that a quarantined record does not have is null.
    """
    usable = rows.select(
        "id", "split", reason=pl.lit(""), quarantined=pl.lit(0),
        amplitude_uv=pl.col("amplitude_uv").cast(pl.Float64),
        flat_leads=pl.col("flat").bitwise_count_ones().cast(pl.Int64),
    )  # fmt: skip
    refused = quarantine.select(
        "id", split=pl.lit(""), reason="reason", quarantined=pl.lit(1),
        amplitude_uv=pl.col("reason").str.extract(AMPLITUDE_REASON).cast(pl.Float64) * 1000,
        flat_leads=pl.col("reason").str.extract(FLAT_REASON).cast(pl.Int64),
    )  # fmt: skip
    return pl.concat([usable, refused])


def label_totals(frame: pl.DataFrame, task: str) -> pl.DataFrame:
    """Compare records and positives of each class in each split with the published counts of the full corpus."""
    counts = published().filter(pl.col("task") == task)
    members = tables.members(frame, task)
    rows = []
    for split, name, count in counts.select("split", "class", "positives").iter_rows():
        in_split = members.filter(pl.col("split").is_in(split.split("+")))
        observed = str(_positives(in_split, task, name))
        rows.append((f"{name or 'records'} in {split}", observed, str(count)))
    return comparison(rows)


def _positives(members: pl.DataFrame, task: str, name: str) -> int | str:
    """Return the positives of a class, or the number of records if the name is empty."""
    if not name:
        return members.height
    column = f"{task}/{name}"
    return int(members[column].cast(pl.Int64).sum()) if column in members.columns else "no such class"


def published() -> pl.DataFrame:
    """Return the published counts: task, split (`train+val` is their sum), class ('' for records), positives.

    Sources: docs/protocols.md A.3.2, A.3.5, A.4 and A.5, counted in the published split tables.
    """
    text = files("cgdmer.validation").joinpath("published.csv").read_bytes()
    return pl.read_csv(text).with_columns(pl.col("class").fill_null(""))


def why_not_comparable(frame: pl.DataFrame, source: str, split: str) -> str:
    """Return why published counts do not apply to an index, or '' if they do."""
    published_records = RECORDS.get(source)
    if published_records is None:
        return "no counts are published"
    if frame.height != published_records:
        return f"holds {frame.height:,} of the {published_records:,} published records"
    if split == "hash":
        return "the split is a hash of the patient, not the published one"
    return ""
