"""Batches: the input of a model, and the torch Dataset that gathers it by row number."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch

from cgdmer.errors import ConfigError
from cgdmer.shards.reader import Shards


class Batch(TypedDict):
    """B records with their reports, as stored: the device scales to mV and standardises."""

    signal: torch.Tensor
    """int16 microvolt (B, 12, T)."""
    valid: torch.Tensor
    """int32 (B,): samples before the zero padding."""
    missing: torch.Tensor
    """bool (B, 12): True = the record does not have this lead."""
    tokens: torch.Tensor
    """int32 (B, S): report tokens."""
    row: torch.Tensor
    """int64 (B,): row numbers in the shards."""


class Pairs(torch.utils.data.Dataset[Batch]):
    """ECG-report pairs of chosen rows: a map-style Dataset whose `__getitems__` builds a whole batch.

    Reports repeat, so tokens are held once per distinct report. Use it with `collate_fn=collate`, or with
    `batch_size=None` and a sampler that yields lists of positions.
    """

    def __init__(self, shards: Shards, rows: np.ndarray, tokens: np.ndarray, report: np.ndarray) -> None:
        """`rows` are row numbers, int64 (n,), and `tokens` the distinct reports, int32 (U, S).

        `report` (N,) is the index into `tokens` for each of the N rows of `shards`, as `Shards.reports` returns it.
        ConfigError when it has another length.
        """
        if len(report) != len(shards):
            raise ConfigError(
                f"{len(report)} reports for {len(shards)} rows", allowed="one number per row of the shards"
            )
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
        """Return the batch of these positions among the chosen rows, in the given order."""
        rows = self.rows[np.asarray(positions, dtype=np.int64)]
        return Batch(
            signal=torch.from_numpy(self.shards.gather(rows)),
            valid=torch.from_numpy(self.valid[rows]),
            missing=torch.from_numpy(lead_flags(self.missing[rows], len(self.shards.leads))),
            tokens=torch.from_numpy(self.tokens[self.report[rows]]),
            row=torch.from_numpy(rows),
        )


def collate(batch: Batch) -> Batch:
    """Return the batch that `__getitems__` built; a DataLoader needs a function here."""
    return batch


def lead_flags(mask: np.ndarray, leads: int = 12) -> np.ndarray:
    """Return bool (..., leads) from bit masks (...), whose bit k stands for lead k."""
    flags: np.ndarray = (mask[..., None] >> np.arange(leads, dtype=mask.dtype)) & 1 == 1
    return flags
