"""A small synthetic task: an index, features that carry its labels, and the settings of a tiny model."""

import numpy as np
import polars as pl

from cgdmer import settings, tables

TINY_MODEL = settings.Model(
    width=8, depth=1, heads=2, decoder_width=8, decoder_depth=1, projection=8, vocabulary=64, text_width=8,
    text_depth=1, text_heads=2,
)  # fmt: skip
CLASSES = ("AFIB", "VPC", "NORM", "STE")


def make_index(n: int = 240) -> pl.DataFrame:
    """Return an index: two thirds train, an eighth val, the remainder test; four records are in no split."""
    rng = np.random.default_rng(0)
    split = np.array(["train"] * (2 * n // 3) + ["val"] * (n // 8) + ["test"] * (n - 2 * n // 3 - n // 8), dtype=object)
    split[:4] = tables.UNASSIGNED
    text = {name: ["x"] * n for name in ("patient", "member", "report", "sex")}
    columns = {"id": [f"r{i}" for i in range(n)], **text, "split": split.tolist(), "leads": [["I"]] * n}
    columns |= {"fs": [500.0] * n, "samples": [5000] * n, "age": [60.0] * n}
    labels = {
        f"cpsc2018/{name}": pl.Series(rng.random(n) < share, dtype=pl.UInt8)
        for name, share in zip(CLASSES, (0.25, 0.2, 0.5, 0.15), strict=True)
    }
    return pl.DataFrame(columns | labels, schema_overrides=tables.INDEX_COLUMNS)


def make_features(index: pl.DataFrame) -> np.ndarray:
    """Return features, float32 (n, 12), in the order of the index; each label is one feature plus noise."""
    rng = np.random.default_rng(1)
    labels = index.select(pl.col("^cpsc2018/.*$")).to_numpy()
    noise = rng.normal(size=(index.height, 12))
    noise[:, : len(CLASSES)] += 2.0 * labels
    return noise.astype(np.float32)
