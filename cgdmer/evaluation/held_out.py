"""Draw records of one split that have a report: the same records on every machine."""

import polars as pl

from cgdmer.probing.subsets import nested
from cgdmer.shards import Shards


def draw(shards: Shards, split: str, limit: int) -> pl.DataFrame:
    """Return at most `limit` records of a split that have a report, in row order; a hash of their ids decides which.

    Columns: row, id, split, report, valid, missing, source.
    """
    table = shards.columns("id", "split", "report", "valid", "missing").with_row_index("row")
    records = table.filter(pl.col("split") == split, pl.col("report") != "")
    names = (records["source"] + "/" + records["id"]).to_list()
    return records[nested(names, min(1.0, limit / len(names)), seed=0)] if names else records
