"""Reconstruct the hidden patches of many records in batches and return the error of each record."""

import numpy as np
import polars as pl

from cgdmer.evaluation.reconstruction import errors
from cgdmer.models.cgdmer import CGDMER
from cgdmer.shards import Shards
from cgdmer.shards.batches import lead_flags


def reconstruction_errors(model: CGDMER, shards: Shards, records: pl.DataFrame, batch: int) -> dict[str, np.ndarray]:
    """Return the error (N,) of each record, by the features that the decoder may read.

    `records` has the columns row, valid and missing. The number of a batch is the seed of its mask.
    """
    chunks: dict[str, list[np.ndarray]] = {}
    for number, chunk in enumerate(records.iter_slices(batch)):
        signal = shards.gather(chunk["row"].to_numpy().astype(np.int64))
        missing = lead_flags(chunk["missing"].to_numpy())
        for name, values in errors(model, signal, chunk["valid"].to_numpy(), missing, seed=number).items():
            chunks.setdefault(name, []).append(values)
    return {name: np.concatenate(arrays) for name, arrays in chunks.items()}
