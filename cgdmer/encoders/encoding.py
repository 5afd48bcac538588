"""Encode stored records in batches: gather, convert to float32 mV, encode, concatenate."""

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
    """Encode `rows` int64 (N,) of the shards, whose `valid` (N,) samples are not padding, as `encode_stored` does."""

    def gather(position: slice) -> np.ndarray:
        return shards.gather(rows[position])

    return encode_stored(encoder, gather, valid, batch, names=names, leads=leads, transform=transform)


def encode_stored(
    encoder: Encoder, gather: Callable[[slice], np.ndarray], valid: np.ndarray, batch: int, *,
    names: Collection[str] | None = None, leads: Sequence[str] | None = None, transform: Transform | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Encode N records, whose `valid` (N,) samples are not padding; `gather` returns int16 microvolt (B, L, T).

    Return float32 (N, dims[name]) by name, in order, for those `names` that the encoder has (all if None). One batch of
    signals is in memory at a time. `leads` names the rows of the transformed signals.
    """
    wanted = [name for name in encoder.dims if names is None or name in names]
    chunks: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for start in range(0, max(1, len(valid)), batch):
        position = slice(start, start + batch)
        signal = gather(position).astype(np.float32) / 1000  # microvolt to mV
        if transform is not None:
            signal = transform(signal, position)
        features = encoder.encode(signal, leads=leads, valid=valid[position])
        for name in wanted:
            chunks[name].append(features[name])
    return {name: np.concatenate(arrays) for name, arrays in chunks.items()}
