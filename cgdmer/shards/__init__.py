"""Shards: int16 microvolt arrays of many records in one file, the tables beside them, and batches of them.

`Pairs`, `Batch` and `collate` live in `cgdmer.shards.batches`, which imports torch.
"""

from cgdmer.shards.reader import Shards, concatenate, open_shards

__all__ = ["Shards", "concatenate", "open_shards"]
