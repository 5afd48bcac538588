"""Training subsets by label fraction: our nested draw and the published draws of MERL and MELP."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np

PUBLISHED_SEED = 42


def nested(ids: Sequence[str], fraction: float, seed: int) -> np.ndarray:
    """Return the sorted positions of the round(fraction * n) ids whose hash with the seed is smallest, at least one.

    A smaller fraction is contained in a larger one, and the draw of a record is the same for every task, library
    version and machine.
    """
    size = max(1, round(fraction * len(ids)))
    keys = [hashlib.sha256(f"{seed}:{name}".encode()).digest() for name in ids]
    return np.sort(sorted(range(len(ids)), key=keys.__getitem__)[:size])


def merl(n: int, fraction: float) -> np.ndarray:
    """Return the positions that MERL trains on, in its order (docs/protocols.md B.2).

    scikit-learn's train_test_split(train_size=fraction, random_state=42): the last floor(fraction * n) of a
    permutation.
    """
    if fraction >= 1:
        return np.arange(n)
    return _permutation(n)[n - math.floor(fraction * n) :]


def melp(n: int, fraction: float) -> np.ndarray:
    """Return the positions that MELP trains on, in its order (docs/protocols.md B.2).

    pandas' DataFrame.sample(frac=fraction, random_state=42): the first round(fraction * n) of the same permutation.
    """
    return _permutation(n)[: round(fraction * n)]


def fingerprint(ids: Sequence[object]) -> str:
    """Return the first 12 hex digits of the sha256 of the comma-joined ids, as docs/protocols.md B.2 prints them."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:12]


def _permutation(n: int) -> np.ndarray:
    """Return the permutation both libraries draw; NumPy's legacy generator is frozen, so it will not change."""
    return np.random.RandomState(PUBLISHED_SEED).permutation(n)
