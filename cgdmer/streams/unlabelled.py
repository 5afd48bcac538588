"""Recordings without report beside records with one: a fixed share of each batch, for the terms that need no report."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from cgdmer.errors import DataError
from cgdmer.files import atomic
from cgdmer.models.cgdmer import Batch, take_rows
from cgdmer.models.tokens import Tokenizer
from cgdmer.objectives.targets import MEASUREMENTS
from cgdmer.streams import amplitudes
from cgdmer.training.loop import Plan, Source
from cgdmer.training.records import Order


@dataclass(frozen=True)
class Recordings:
    """N recordings in canonical form."""

    signal: np.ndarray
    """int16 microvolt (N, 12, T)."""
    valid: np.ndarray
    """int32 (N,): samples before the zero padding."""
    missing: np.ndarray
    """bool (N, 12)."""

    def __len__(self) -> int:
        return len(self.signal)

    def write(self, path: Path) -> None:
        """Write them as one `.npz` file."""
        with atomic(path) as temporary:
            np.savez(temporary, signal=self.signal, valid=self.valid, missing=self.missing)


def read_recordings(paths: Sequence[Path]) -> Recordings:
    """Read the recordings of several files, one after another; DataError for a damaged one."""
    parts = []
    for path in paths:
        try:
            with path.open("rb") as stream, np.load(stream) as content:
                parts.append(tuple(content[name] for name in ("signal", "valid", "missing")))
        except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
            raise DataError(f"{path} cannot be read: {error}", fix=f"rm {path}, then run it again") from error
    return Recordings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True)
class MixedPlan:
    """A plan whose batches also hold `count` recordings without report, whose positions begin at `first`."""

    labelled: Plan
    recordings: int
    count: int
    first: int
    seed: int

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return self.labelled.steps

    @cached_property
    def order(self) -> Order:
        """The order of the recordings; each is shown once before any is shown again."""
        return Order(self.recordings, self.count, self.seed)

    def __call__(self, step: int) -> np.ndarray:
        """Return the positions of a step's global batch; only the step number decides them."""
        return spread(self.labelled(step), self.first + self.order(step))

    def largest(self, step: int) -> np.ndarray:
        """Return the positions of a largest batch among records that are at hand in a step."""
        return spread(self.labelled.largest(step), self.first + self.order.largest(step))


class Mixed:
    """A source whose positions from `first` on are recordings without report."""

    def __init__(
        self, source: Source, recordings: Recordings, first: int, tokenizer: Tokenizer | None, fs: float
    ) -> None:
        """`fs` is the rate of the recordings in Hz."""
        self.source, self.recordings, self.first, self.fs = source, recordings, first, fs
        self.empty = tokenizer([""])[0] if tokenizer else np.zeros(1, np.int32)  # (S,): a report without words
        self.pad = tokenizer.pad if tokenizer else 0

    @property
    def longest(self) -> int:
        """The position of a record with the longest report."""
        return self.source.longest

    def __call__(self, positions: np.ndarray, step: np.ndarray | None = None) -> Batch:
        """Return the records at `positions`, in their order, and which of them have a report."""
        step = positions if step is None else step
        reported, with_report = positions < self.first, step[step < self.first]
        if reported.all() and len(with_report) == len(step):
            return self.source(positions, step)
        chosen = positions[reported]
        batch = self.source(chosen if len(chosen) else with_report[:1], with_report)
        batch = take_rows(batch, slice(len(chosen)))
        others = self._without_report(positions[~reported], batch)
        order = np.argsort(np.concatenate([np.flatnonzero(reported), np.flatnonzero(~reported)]), kind="stable")
        return _joined(batch, others, torch.from_numpy(order), torch.from_numpy(reported))

    def _without_report(self, positions: np.ndarray, like: Batch) -> dict[str, Tensor]:
        """Return the recordings with the fields, and the length of the tokens, of another batch."""
        rows, count = positions - self.first, len(positions)
        width = like["tokens"].shape[1]
        tokens = np.full((count, width), self.pad, np.int32)
        tokens[:, : len(self.empty)] = self.empty[:width]
        fields = {
            "signal": torch.from_numpy(self.recordings.signal[rows]),
            "valid": torch.from_numpy(self.recordings.valid[rows].astype(np.int32)),
            "missing": torch.from_numpy(self.recordings.missing[rows]),
            "tokens": torch.from_numpy(tokens),
            "row": torch.from_numpy(positions),
            "report": torch.from_numpy(-1 - rows),
        }
        if "stated" in like:
            fields["stated"] = torch.zeros(count, like["stated"].shape[1], dtype=torch.bool)
        if "measurements" in like:
            fields["measurements"] = torch.full((count, len(MEASUREMENTS)), torch.nan)
        if "amplitudes" in like:
            chosen = (self.recordings.signal[rows], self.recordings.valid[rows], self.recordings.missing[rows])
            fields["amplitudes"] = torch.from_numpy(amplitudes.measure_all(*chosen, self.fs))
        return fields


def _joined(batch: Batch, others: dict[str, Tensor], order: Tensor, has_report: Tensor) -> Batch:
    """Return both as one batch, its rows in `order`."""
    joined = {name: torch.cat([cast(Tensor, batch[name]), rows])[order] for name, rows in others.items()}  # type: ignore[literal-required]
    full = bool((joined["valid"] >= joined["signal"].shape[2]).all()) and not bool(joined["missing"].any())
    return cast(Batch, {**batch, **joined, "has_report": has_report, "full": full})


def spread(positions: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return both arrays as one, with `others` at even distances, so that every part of a batch has some."""
    places = np.arange(len(others)) * len(positions) // max(1, len(others))
    return np.insert(positions, places, others)
