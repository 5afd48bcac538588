"""Owns published numbers: where each was read, by which protocol it was made; shown apart, never ranked with ours."""

from importlib.resources import files

import polars as pl

READ = "read in the source"
"""Status of a number that was read where its makers published it; any other is second-hand."""


def rows() -> pl.DataFrame:
    """Return method, task, fraction (empty for zero-shot), auroc, kind, protocol, source, status, note."""
    text = files("cgdmer.evaluation.report").joinpath("published.csv").read_bytes()
    kinds = {name: pl.String() for name in ("task", "fraction", "note")}
    return pl.read_csv(text, schema_overrides=kinds).with_columns(pl.col("fraction", "note").fill_null(""))
