"""Label columns by name, compared with plain loops."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.datasets import labels

CLASSES = ("A", "B/C", "D(E)")
TABLE = {"1": "A", "2": "B/C", "3": "D(E)", "4": "A"}


@given(st.lists(st.lists(st.sampled_from([*TABLE, "9"]), max_size=5), min_size=1, max_size=20))
def test_columns_equal_a_loop_over_records(rows):
    frame = pl.DataFrame({"codes": rows}, schema={"codes": pl.List(pl.String)})
    named = frame.with_columns(names=labels.translated(pl.col("codes"), TABLE))
    made = named.select(labels.columns("task", CLASSES, "names"))
    for row, codes in zip(made.iter_rows(named=True), rows, strict=True):
        held = {TABLE[code] for code in codes if code in TABLE}
        assert row == {f"task/{name}": int(name in held) if held else None for name in CLASSES}
    assert labels.unknown(frame, "codes", TABLE) == ({"9": n} if (n := sum(row.count("9") for row in rows)) else {})
