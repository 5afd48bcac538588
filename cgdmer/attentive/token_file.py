"""Tokens of many records on disk, in half precision: they are many times as large as pooled features."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.errors import DataError
from cgdmer.files import atomic

LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class TokenFile:
    """Tokens of R records, one record after the other."""

    path: Path
    ends: np.ndarray
    """int64 (R,): the number of tokens up to the end of each record."""
    width: int

    @property
    def counts(self) -> np.ndarray:
        """Tokens of each record, int64 (R,)."""
        counts: np.ndarray = np.diff(self.ends, prepend=0)
        return counts

    def padded(self, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the tokens of some records, float32 (n, N, D), zero behind shorter ones, and which exist, (n, N)."""
        stored = self._stored()
        counts = self.counts[records]
        present = np.arange(counts.max(initial=1)) < counts[:, None]
        tokens = np.zeros((*present.shape, self.width), np.float32)
        for row, (end, count) in enumerate(zip(self.ends[records], counts, strict=True)):
            tokens[row, :count] = stored[end - count : end]
        return tokens, present

    def means(self, records: np.ndarray) -> np.ndarray:
        """Return the mean token of some records, float64 (n, D)."""
        stored = self._stored()
        spans = zip(self.ends[records], self.counts[records], strict=True)
        return np.stack([stored[end - count : end].mean(axis=0, dtype=np.float64) for end, count in spans])

    def _stored(self) -> np.ndarray:
        return np.memmap(self.path, np.float16, "r", shape=(int(self.ends[-1]), self.width))


def write(path: Path, records: Iterable[Sequence[np.ndarray]]) -> TokenFile:
    """Write the tokens (N, D) of records that come in chunks; DataError for a value that half precision cannot hold."""
    counts: list[int] = []
    width = 0
    with atomic(path) as temporary, temporary.open("wb") as file:
        for chunk in records:
            for tokens in chunk:
                if not len(tokens) or not np.abs(tokens).max() <= LARGEST:  # also NaN
                    raise DataError(
                        f"record {len(counts)} has no tokens, or tokens that are not finite or above {LARGEST:,.0f}",
                        allowed="at least one token, and finite features",
                        fix="check the encoder's weights",
                    )
                counts, width = [*counts, len(tokens)], tokens.shape[1]
                file.write(np.ascontiguousarray(tokens, np.float16).tobytes())
    return TokenFile(path, np.cumsum(counts, dtype=np.int64), width)
