"""Owns published numbers: where each was read, by which protocol it was made; shown apart, never ranked with ours."""

from importlib.resources import files

import polars as pl

from cgdmer.page import Html, el, section, table
from cgdmer.report.headline import TASK_NAMES, percent

READ = "read in the source"
"""Status of a number that was read where its makers published it; any other is second-hand."""


def rows() -> pl.DataFrame:
    """Return method, task, fraction (empty for zero-shot), auroc, kind, protocol, source, status, note."""
    text = files("cgdmer.report").joinpath("published.csv").read_bytes()
    kinds = {name: pl.String() for name in ("task", "fraction", "note")}
    return pl.read_csv(text, schema_overrides=kinds).with_columns(pl.col("fraction", "note").fill_null(""))


def published_section() -> Html:
    """Set published numbers apart: those read in their source, and, folded, those at second hand."""
    found = rows()
    read = found.filter(status=READ)
    rest = found.filter(found["status"] != READ)
    summary = f"{rest.height} second-hand numbers, not checked in their source"
    more = el("details", el("summary", summary), _tables(rest))
    lead = (
        "Numbers of others, on the full corpora, each with where it was read. They are not ranked with ours: subsets, "
        "selection and scores differ between protocols, and simulated or partial corpora cannot be compared at all."
    )
    return section("published", "Published numbers", _tables(read), more, lead=lead)


def _tables(found: pl.DataFrame) -> list[Html]:
    """Return one table a source and protocol: a row a method and label share, a column a task."""
    groups = found.group_by("source", "kind", "protocol", maintain_order=True)
    return [_quoted(f"{source}. {kind[0].upper()}{kind[1:]}; {protocol}.", part)
            for (source, kind, protocol), part in groups]  # fmt: skip


def _quoted(caption: str, found: pl.DataFrame) -> Html:
    tasks = [task for task in TASK_NAMES if task in set(found["task"])]
    rows = []
    for (method, fraction), part in found.group_by("method", "fraction", maintain_order=True):
        values = dict(part.select("task", "auroc").iter_rows())
        rows.append([method, percent(str(fraction)) if fraction else "none",
                     *(f"{values[task]:.3f}" if task in values else "–" for task in tasks)])  # fmt: skip
    notes = "; ".join(f"{method}: {note}" for method, note in found.filter(found["note"] != "").select("method", "note")
                      .unique(maintain_order=True).iter_rows())  # fmt: skip
    head = ("Method", "Labels", *(TASK_NAMES[task] for task in tasks))
    return table(caption + (f" {notes}." if notes else ""), head, rows)
