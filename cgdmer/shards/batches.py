"""Owns the batch: what a model is given, and the torch Dataset that gathers it by row numbers."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch

from cgdmer.errors import ConfigError
from cgdmer.shards.reader import Shards


class Batch(TypedDict):
    """`B` records with their reports; scaling to mV and normalising happen on the device."""

    signal: torch.Tensor
    """int16 microvolt (B, 12, T)."""
    valid: torch.Tensor
    """int32 (B,): samples before the zero padding."""
    missing: torch.Tensor
    """bool (B, 12): leads that the record does not have."""
    tokens: torch.Tensor
    """int32 (B, S): report tokens."""
    row: torch.Tensor
    """int64 (B,): row numbers in the shards."""


class Pairs(torch.utils.data.Dataset[Batch]):
    """ECG-report pairs of the chosen rows, as a map-style Dataset whose `__getitems__` builds a whole batch.

    Reports repeat, so tokens are held once a distinct report. Use with `collate_fn=collate`, or, with a sampler that
    yields lists of positions, with `batch_size=None`.
    """

    def __init__(self, shards: Shards, rows: np.ndarray, tokens: np.ndarray, report: np.ndarray) -> None:
        """Take row numbers int64 (n,), tokens of the distinct reports int32 (U, S), and each row's report (N,).

        `N` counts all rows of `shards`, as `Shards.reports` gives them.
        """
        if len(report) != len(shards):
            raise ConfigError(f"{len(report)} reports for {len(shards)} rows", allowed="one number a row of the shards")
        columns = shards.columns("valid", "missing")
        self.shards = shards
        self.rows = np.asarray(rows, dtype=np.int64)
        self.tokens = np.asarray(tokens, dtype=np.int32)
        self.report = np.asarray(report)
        self.valid = columns["valid"].to_numpy()
        self.missing = columns["missing"].to_numpy()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int | Sequence[int]) -> Batch:
        return self.__getitems__([position] if isinstance(position, int) else position)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """Return the batch of these positions among the chosen rows, in the order asked."""
        rows = self.rows[np.asarray(positions, dtype=np.int64)]
        return Batch(
            signal=torch.from_numpy(self.shards.gather(rows)),
            valid=torch.from_numpy(self.valid[rows]),
            missing=torch.from_numpy(lead_flags(self.missing[rows], len(self.shards.leads))),
            tokens=torch.from_numpy(self.tokens[self.report[rows]]),
            row=torch.from_numpy(rows),
        )


def collate(batch: Batch) -> Batch:
    """Return what `__getitems__` built; the DataLoader wants a function here."""
    return batch


def lead_flags(mask: np.ndarray, leads: int = 12) -> np.ndarray:
    """Return bool (..., leads) from a bit mask whose bit k is lead k."""
    flags: np.ndarray = (mask[..., None] >> np.arange(leads, dtype=mask.dtype)) & 1 == 1
    return flags
