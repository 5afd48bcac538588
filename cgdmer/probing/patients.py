"""Recordings of one patient resemble each other: they share a fold, and a bootstrap draws them together."""

import hashlib
from collections.abc import Sequence

import numpy as np

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap

FOLDS = 5


def deal(patients: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """Return the fold of each record (n,): patients with equal labels are dealt out in the order of a hash.

    `labels` is (n, C) in {0, 1}. For several labels; `deal_one_label` balances one. DataError for fewer patients than
    folds.
    """
    together: dict[str, np.ndarray] = {}
    for patient, row in zip(patients, labels, strict=True):
        together[patient] = together.get(patient, np.zeros_like(row)) | row
    if len(together) < FOLDS:
        raise DataError(f"{len(together)} patients for {FOLDS} folds", fix="add records to the local copy")
    ordered = sorted(together, key=lambda name: (together[name].tolist(), hashlib.sha256(name.encode()).hexdigest()))
    fold = {patient: position % FOLDS for position, patient in enumerate(ordered)}
    return np.array([fold[patient] for patient in patients])


def deal_one_label(patients: Sequence[str] | np.ndarray, labels: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold (n,) of each recording, 0 to `folds` - 1, given its patient and its label (n,) in {0, 1}.

    Patients with a yes, with a no and with both are each dealt out over the folds, so that every fold has some of them.
    The patients with most recordings come first, each to the fold that has fewest of their kind. Equals are ordered by
    the hash of their names, so that the folds do not depend on the order of the rows.
    """
    names, owner = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    sizes = np.bincount(owner, minlength=len(names))
    yes = np.bincount(owner, weights=labels, minlength=len(names))
    kind = np.where(yes == 0, 0, np.where(yes == sizes, 2, 1))
    hashes = [hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest() for name in names.tolist()]
    fold_of, total = np.zeros(len(names), np.int64), np.zeros(folds, np.int64)
    for each in range(3):
        members, filled = np.flatnonzero(kind == each).tolist(), np.zeros(folds, np.int64)
        for patient in sorted(members, key=lambda one: (-sizes[one], hashes[one])):
            chosen = min(range(folds), key=lambda fold: (filled[fold], total[fold], fold))
            fold_of[patient] = chosen
            filled[chosen] += sizes[patient]
            total[chosen] += sizes[patient]
    return fold_of[owner]


def resampled(patients: Sequence[str], replicates: int) -> np.ndarray:
    """Return how often each record occurs in each replicate (n, replicates), patients drawn with replacement."""
    names = sorted(set(patients))
    number = {name: position for position, name in enumerate(names)}
    counts: np.ndarray = bootstrap.draws(len(names), replicates)[[number[patient] for patient in patients]]
    return counts
