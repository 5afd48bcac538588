"""Cosine similarity of one vector with any number of others: exact, block by block, the best k kept."""

import numpy as np

from cgdmer.errors import DataError

MARGIN = 1e-5
"""How far a cosine in float32 may be from the exact one; what is so near is computed again in float64."""
SQUARED = (1e-15, 1e15)
"""Between these, squares of float32 are neither lost nor infinite."""


class Nearest:
    """The rows that are most similar to a query, the most similar first; of equal ones the earlier row.

    Blocks of rows are added one after another; only the best rows are kept.
    """

    def __init__(self, query: np.ndarray, count: int, without: int | None = None) -> None:
        """Look for the `count` rows nearest to `query` (D,), leaving out row number `without`.

        DataError if the query has no direction: NaN, infinity, or length zero.
        """
        vector = np.asarray(query, np.float64)
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or not norm:
            raise DataError("the query has no direction", allowed="finite numbers that are not all zero")
        self._unit, self._count, self._without = vector / norm, count, without
        self.rows = np.zeros(0, np.int64)
        """Numbers of the rows, counted over all blocks (k,)."""
        self.similarity = np.zeros(0)
        """Cosines, -1 to 1, float64 (k,)."""
        self.searched = 0
        """How many rows were added."""

    def add(self, block: np.ndarray) -> None:
        """Compare the rows of a block, float32 (b, D); DataError for another width, NaN, infinity or length zero."""
        block, first = self._checked(block), self.searched
        near = (block @ self._unit.astype(np.float32)) / np.sqrt(np.einsum("ij,ij->i", block, block))
        self.searched += len(block)
        if self._without is not None and first <= self._without < self.searched:
            near[self._without - first] = -np.inf
        known = self.similarity[-1] if len(self.similarity) >= self._count else -np.inf
        best = np.flatnonzero(near >= max(known, kth_largest(near, self._count)) - MARGIN)
        best = best[np.isfinite(near[best])]
        rows, similarity = np.append(self.rows, best + first), np.append(self.similarity, self._exact(block[best]))
        order = np.argsort(-similarity, kind="stable")[: self._count]
        self.rows, self.similarity = rows[order], similarity[order]

    def _exact(self, rows: np.ndarray) -> np.ndarray:
        """Return the cosines of rows in float64, each the same in whatever block the row stands."""
        wide = rows.astype(np.float64)
        return np.asarray(np.clip((wide * self._unit).sum(axis=1) / np.sqrt((wide * wide).sum(axis=1)), -1.0, 1.0))

    def _checked(self, block: np.ndarray) -> np.ndarray:
        """Return a block, scaled row by row where float32 squares would leave its range; DataError for bad rows."""
        if block.ndim != 2 or block.shape[1] != len(self._unit):
            raise DataError(
                f"a vector of {' x '.join(map(str, block.shape[1:]))} numbers",
                allowed=f"{len(self._unit)} numbers, as in the query",
            )
        block = np.ascontiguousarray(block, np.float32)
        largest = np.maximum(block.max(axis=1, initial=0), -block.min(axis=1, initial=0))
        bad = np.flatnonzero(~np.isfinite(largest) | (largest == 0))
        if len(bad):
            raise DataError(
                f"row {self.searched + int(bad[0]) + 1:,} has no direction: it holds NaN, infinity, or only zeros",
                allowed="finite numbers that are not all zero",
            )
        extreme = (largest < SQUARED[0]) | (largest > SQUARED[1])
        return block / np.where(extreme, largest, np.float32(1))[:, None] if extreme.any() else block


def kth_largest(values: np.ndarray, count: int) -> float:
    """Return the `count`-th largest of the values (n,), or minus infinity if there are fewer."""
    return float(np.partition(values, len(values) - count)[len(values) - count]) if count <= len(values) else -np.inf
