"""Percentiles of probabilities among reference recordings, from 101 quantiles of their scores per class.

A file `*.reference.safetensors` belongs to one probe, which it names by sha256. It holds no recording and no id.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cgdmer.errors import DataError, printable
from cgdmer.files import atomic, check_regular
from cgdmer.probing.solver import sigmoid

SUFFIX = ".reference.safetensors"
ABOUT = "reference"
"""Metadata key of the JSON description: a single key, because safetensors does not order several."""
STEPS = 100
MAX_BYTES = 1 << 24
EQUAL, LAST = 1e-5, 2e-7
"""Difference of log odds below which probabilities count as equal, because rounding depends on machine and batch; and
relative difference that float32 hardly resolves, which matters near 1."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """The quantiles of the probabilities of one class."""

    values: np.ndarray
    """(101,) ascending."""
    count: int
    """Recordings from which they come."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The scores of reference recordings as quantiles, for each class of one probe."""

    recordings: str
    """What they are, in words and in the plural, such as `held-out test records`."""
    probe: str
    """Hex sha256 of the file of the probe's layers; '' for one that is not stored."""
    classes: list[str]
    counts: list[int]
    """Reference recordings by class."""
    quantiles: np.ndarray
    """Log odds (C, 101) float32, ascending in each row."""

    def __post_init__(self) -> None:
        rows, good = len(self.classes), self.quantiles.ndim == 2
        if not rows or not good or self.quantiles.shape != (rows, STEPS + 1) or len(self.counts) != rows:
            raise ValueError(f"quantiles {self.quantiles.shape} for {rows} classes")
        if not np.isfinite(self.quantiles).all() or (np.diff(self.quantiles, axis=1) < 0).any():
            raise ValueError("quantiles that are not finite or do not ascend")

    def probabilities(self, name: str, shift: float = 0.0) -> Quantiles:
        """Return the quantiles of a class as probabilities, after `shift` is added to their log odds."""
        place = self.classes.index(name)
        values = sigmoid(self.quantiles[place].astype(np.float64) + shift)
        return Quantiles(values.astype(np.float32).astype(np.float64), self.counts[place])


def of_scores(recordings: str, probe: str, classes: Sequence[str], scores: Sequence[np.ndarray]) -> Reference:
    """Return the reference of finite log odds: for each class those of its recordings, (n,) with n of at least 1.

    Quantiles are Hazen's, by which the percentile of a recording among n is the share with a lower score plus half the
    share with an equal one, its own among them.
    """
    steps = np.linspace(0.0, 1.0, STEPS + 1)
    rows = [np.quantile(each.astype(np.float64), steps, method="hazen") for each in scores]
    quantiles = np.maximum.accumulate(np.array(rows), axis=1).astype(np.float32)
    return Reference(recordings, probe, list(classes), [len(each) for each in scores], quantiles)


def percentiles(probabilities: np.ndarray, quantiles: Quantiles) -> np.ndarray:
    """Return the percentile (n,), 0 to 100 with one decimal, of each probability (n,) among quantiles.

    It never falls as the probability rises. A probability that equals several quantiles gets their middle: 50 if the
    reference recordings all have the same. One below or above all of them gets 0 or 100; the lowest and the highest of
    n reference recordings stand at 50 / n and 100 - 50 / n, and Hazen's quantiles beyond these are flat.
    """
    values, ends = quantiles.values, (STEPS / 2 / quantiles.count, STEPS - STEPS / 2 / quantiles.count)
    score = np.asarray(probabilities, dtype=np.float64)
    margin = score * (EQUAL * (1 - score) + LAST)
    first = np.searchsorted(values, score - margin, "left")
    last = np.searchsorted(values, score + margin, "right") - 1
    below, above = np.clip(first - 1, 0, STEPS), np.clip(first, 0, STEPS)
    width = np.where(above > below, values[above] - values[below], 1.0)
    between = below + np.clip((score - values[below]) / np.where(width > 0, width, 1.0), 0, 1)
    outside = np.where(first == 0, 0.0, np.where(first > STEPS, float(STEPS), np.clip(between, *ends)))
    middle = (np.clip(first, *ends) + np.clip(last, *ends)) / 2
    rounded: np.ndarray = np.round(np.where(last >= first, middle, outside), 1)
    return rounded


def text(percentile: float) -> str:
    """Return a percentile as a whole number; `<1` and `>99` for what a few hundred recordings cannot resolve."""
    if percentile < 1 or percentile > STEPS - 1:
        return "<1" if percentile < 1 else f">{STEPS - 1}"
    return f"{percentile:.0f}"


def column(probability: str) -> str:
    """Return the name of the column of percentiles, for a column `probe/TASK/CLASS` of probabilities."""
    return f"percentile/{probability.partition('/')[2]}"


def beside(probe: Path) -> Path:
    """Return the file of the reference of a probe `NAME.probe.safetensors`."""
    return probe.with_name(probe.name.partition(".")[0] + SUFFIX)


def save(path: Path, reference: Reference) -> None:
    """Write a reference; the same content gives the same bytes."""
    about = {name: getattr(reference, name) for name in ("recordings", "probe", "classes", "counts")}
    with atomic(path) as temporary:
        save_file(
            {"quantiles": np.ascontiguousarray(reference.quantiles)},
            temporary,
            {ABOUT: json.dumps(about, sort_keys=True)},
        )


def load(path: Path, probe: str, classes: Sequence[str], fix: str) -> Reference:
    """Read a reference; DataError, with `fix`, if it is damaged or of another probe than that with sha256 `probe`."""
    try:
        check_regular(path, MAX_BYTES)
        with safe_open(path, "numpy") as stored:
            about: dict[str, Any] = json.loads((stored.metadata() or {})[ABOUT])
            reference = Reference(**about, quantiles=stored.get_tensor("quantiles"))
        _check(reference, probe, classes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        reason = printable(str(error))[:120]
        raise DataError(f"{printable(str(path))} is no reference of this probe: {reason}", fix=fix) from error
    return reference


def _check(reference: Reference, probe: str, classes: Sequence[str]) -> None:
    """Raise ValueError for fields of other types, or a reference of another probe or other classes."""
    named = isinstance(reference.recordings, str) and reference.recordings.isprintable()
    if not named or not all(type(count) is int and count > 0 for count in reference.counts):
        raise ValueError("it does not name its recordings and their number")
    if reference.probe != probe or reference.classes != list(classes):
        raise ValueError("it was made for another one")
