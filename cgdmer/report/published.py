"""Published numbers with source and protocol; they are shown separately and never ranked with ours."""

from importlib.resources import files

import polars as pl

from cgdmer.page import Html, el, section
from cgdmer.report import table
from cgdmer.report.headline import TASK_NAMES, percent
from cgdmer.report.table import Content, Table

READ = "read in the source"
"""Status of a number that was read in its original publication; any other number is second-hand."""


def rows() -> pl.DataFrame:
    """Return method, task, fraction (empty for zero-shot), auroc, kind, protocol, source, status, note."""
    text = files("cgdmer.report").joinpath("published.csv").read_bytes()
    kinds = {name: pl.String() for name in ("task", "fraction", "note")}
    return pl.read_csv(text, schema_overrides=kinds).with_columns(pl.col("fraction", "note").fill_null(""))


def published_section() -> Html:
    """Draw the numbers read in their source and, folded, the second-hand ones."""
    numbers = rows()
    second_hand = numbers.filter(numbers["status"] != READ)
    summary = f"{second_hand.height} second-hand numbers, not checked in their source"
    folded = el("details", el("summary", summary), _tables(second_hand))
    lead = (
        "Numbers of other groups on the full corpora, each with its source. They are not ranked with ours: subsets, "
        "selection and scores differ between protocols, and simulated or partial corpora cannot be compared at all."
    )
    return section("published", "Published numbers", _tables(numbers.filter(status=READ)), folded, lead=lead)


def _tables(numbers: pl.DataFrame) -> list[Html]:
    """Return one table per source and protocol: a row per method and label share, a column per task."""
    groups = numbers.group_by("source", "kind", "protocol", maintain_order=True)
    return [table.html(_table(f"{source}. {kind[0].upper()}{kind[1:]}; {protocol}.", group))
            for (source, kind, protocol), group in groups]  # fmt: skip


def _table(caption: str, numbers: pl.DataFrame) -> Table:
    tasks = [task for task in TASK_NAMES if task in set(numbers["task"])]
    rows: list[list[Content]] = []
    for (method, fraction), group in numbers.group_by("method", "fraction", maintain_order=True):
        values = dict(group.select("task", "auroc").iter_rows())
        labels = percent(str(fraction)) if fraction else "none"
        rows.append([str(method), labels, *(f"{values[task]:.3f}" if task in values else None for task in tasks)])
    noted = numbers.filter(numbers["note"] != "").select("method", "note").unique(maintain_order=True)
    notes = "; ".join(f"{method}: {note}" for method, note in noted.iter_rows())
    head = ("Method", "Labels", *(TASK_NAMES[task] for task in tasks))
    return Table(caption + (f" {notes}." if notes else ""), head, rows)
