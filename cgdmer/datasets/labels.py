"""Label columns: one UInt8 column per class from the names of each record, and the comparison with published labels."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import protocol
from cgdmer.datasets.corpus_index import first_ids


def columns(task: str, classes: Sequence[str], names: str, is_member: pl.Expr | None = None) -> list[pl.Expr]:
    """Return a column `<task>/<class>` per class: 1 if the list column `names` contains it; null unless `is_member`.

    By default the records with at least one name are members of the task. `names` is a column, because polars would
    compute an expression once per class.
    """
    is_member = pl.col(names).list.len() > 0 if is_member is None else is_member
    return [
        pl.when(is_member).then(pl.col(names).list.contains(name).cast(pl.UInt8)).alias(f"{task}/{name}")
        for name in classes
    ]


def translated(names: pl.Expr, table: dict[str, str]) -> pl.Expr:
    """Return the list `names` with every entry translated; entries that are not in the table are left out."""
    entry = pl.element().replace_strict(table, default=None, return_dtype=pl.String)
    return names.list.eval(entry).list.drop_nulls()


def unknown(frame: pl.DataFrame, names: str, table: dict[str, str]) -> dict[str, int]:
    """Count the entries of a list column that are not in the table."""
    entries = frame[names].drop_nulls().explode().drop_nulls()
    return dict(entries.filter(~entries.is_in(list(table))).value_counts().sort(entries.name).iter_rows())


def agreements(frame: pl.DataFrame, folder: Path | None, tasks: Iterable[str]) -> dict[str, Any]:
    """Compare the labels with the published ones, record by record, for each task that has a published table."""
    tables = [task for task in tasks if folder and task in protocol.TABLES]
    return {task: _agreement(frame, protocol.split_table(folder, task), task) for task in tables if folder}


def _agreement(frame: pl.DataFrame, published: pl.DataFrame, task: str) -> dict[str, Any]:
    both = frame.join(published, on="id", how="inner", suffix=" (published)", maintain_order="left")
    columns = {name: pl.col(f"{task}/{name}") for name in protocol.class_names(published)}
    differing = both.filter(pl.any_horizontal(column.ne_missing(pl.col(name)) for name, column in columns.items()))
    return {"compared": both.height, "differing": differing.height, "first": first_ids(differing)}
