"""Encode the records of an embedding file again, with fewer leads or with a disturbed signal."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from cgdmer.encoders import Encoder
from cgdmer.encoders.encoding import encode_rows
from cgdmer.errors import DataError
from cgdmer.shards import Shards
from cgdmer.signals.leads import LEADS, LIMB

Change = Callable[[np.ndarray, np.ndarray, list[str]], np.ndarray]
"""Maps signals (B, 12, T) in mV, valid samples (B,) and record ids to the signals that are encoded."""


def select_leads(signal: np.ndarray, valid: np.ndarray, ids: Sequence[str], leads: Sequence[str]) -> np.ndarray:
    """Return only the named leads of (B, 12, T)."""
    return signal[:, [LEADS.index(name) for name in leads]]


def lead_set_name(leads: Sequence[str]) -> str:
    """Return the size of a lead set and its leads; all six limb leads are called `limb`."""
    words = "limb" if sorted(leads) == sorted(LEADS[:LIMB]) else ", ".join(leads)
    return f"{len(leads)} lead{'' if len(leads) == 1 else 's'} ({words})"


class EmbeddedRecords:
    """The signals of the records of an embedding file, in its order."""

    def __init__(self, encoder: Encoder, shards: Shards, source: str, ids: list[str], batch: int) -> None:
        """Find the records in the shards of their source; DataError if one is not there."""
        self.encoder, self.shards, self.batch = encoder, shards, batch
        rows = shards.columns("id", "valid", "split").with_row_index("row")
        self.table = pl.DataFrame({"id": ids}).join(rows, on="id", how="left", maintain_order="left")
        if self.table["row"].null_count():
            raise DataError(
                f"{self.table['row'].null_count()} embedded records of {source} are not in its shards",
                fix=f"dvc repro --force embed@{encoder.name}-{source}",
            )

    def encode(
        self, representation: str, leads: Sequence[str] | None, change: Change, split: str | None = None
    ) -> np.ndarray:
        """Return one representation (N, D) of the changed signals.

        With `split`, only records of that split are encoded and the other rows are zero, which takes no memory.
        """
        features = np.zeros((self.table.height, self.encoder.dims[representation]), np.float32)
        chosen = np.flatnonzero(self.table["split"] == split) if split else np.arange(self.table.height)
        table = self.table[chosen]
        rows, valid, ids = table["row"].to_numpy().astype(np.int64), table["valid"].to_numpy(), table["id"].to_list()
        features[chosen] = encode_rows(
            self.encoder, self.shards, rows, valid, self.batch, names=[representation], leads=leads,
            transform=lambda signal, position: change(signal, valid[position], ids[position]),
        )[representation]  # fmt: skip
        return features
