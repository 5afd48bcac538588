"""Encode rows of a shard folder in batches: gather, convert to float32 mV, encode, concatenate."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from cgdmer.encoders.base import Encoder
from cgdmer.shards import Shards

Transform = Callable[[np.ndarray, slice], np.ndarray]
"""Maps a batch of signals (B, L, T) in mV, and its position among the rows, to the signals that are encoded."""


def encode_rows(
    encoder: Encoder, shards: Shards, rows: np.ndarray, valid: np.ndarray, batch: int, *,
    names: Collection[str] | None = None, leads: Sequence[str] | None = None, transform: Transform | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Encode `rows` int64 (N,) of the shards, whose `valid` (N,) samples are not padding.

    Return float32 (N, dims[name]) by name, in the order of the rows, for those `names` that the encoder has (all if
    None). One batch of signals is in memory at a time. `leads` names the rows of the transformed signals.
    """
    wanted = [name for name in encoder.dims if names is None or name in names]
    chunks: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for start in range(0, max(1, len(rows)), batch):
        position = slice(start, start + batch)
        signal = shards.gather(rows[position]).astype(np.float32) / 1000  # microvolt to mV
        if transform is not None:
            signal = transform(signal, position)
        features = encoder.encode(signal, leads=leads, valid=valid[position])
        for name in wanted:
            chunks[name].append(features[name])
    return {name: np.concatenate(arrays) for name, arrays in chunks.items()}
