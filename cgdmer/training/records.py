"""Owns what one training step reads: the order of records, their batches, and the threads that fetch ahead."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from cgdmer.errors import DataError
from cgdmer.models.cgdmer import Batch
from cgdmer.models.tokens import Tokenizer
from cgdmer.shards import Shards
from cgdmer.shards.batches import Pairs


class Records:
    """ECG-report pairs of chosen rows: positions to a `Batch` in host memory."""

    def __init__(self, shards: Shards, rows: np.ndarray, tokenizer: Tokenizer | None) -> None:
        reports, which = shards.reports()
        tokens = tokenizer(reports) if tokenizer else np.zeros((len(reports), 1), dtype=np.int32)
        self.pad = tokenizer.pad if tokenizer else 0
        self.pairs = Pairs(shards, rows, tokens, which)
        self.which = which

    def __len__(self) -> int:
        return len(self.pairs)

    def __call__(self, positions: np.ndarray) -> Batch:
        """Return the records at `positions`, their reports cut to the longest of them, rounded up to 8 tokens.

        A lead of zeros was not recorded; numpy finds it, because a large torch operation would give this thread
        workers of its own, and OpenMP lets nobody spin once there are more of them than cores: a third of the speed.
        """
        batch = self.pairs[positions]  # type: ignore[index]
        batch["missing"] |= torch.from_numpy((batch["signal"].numpy() == 0).all(2))
        longest = int((batch["tokens"] != self.pad).sum(1).max())
        batch["tokens"] = batch["tokens"][:, : max(1, -(-longest // 8) * 8)]
        full = bool((batch["valid"] >= batch["signal"].shape[2]).all()) and not bool(batch["missing"].any())
        report = torch.from_numpy(self.which[batch["row"].numpy()].astype(np.int64))
        return Batch(**batch, report=report, full=full)


@dataclass(frozen=True)
class Order:
    """Which records each step sees: every record once an epoch, in batches whose sizes differ by at most one.

    So no epoch ends in a tiny batch without negatives, and none of the records is left out.
    """

    records: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.records < 2:
            raise DataError(
                f"{self.records} records to train on",
                allowed="at least 2 training records with a report",
                fix="name more sources in pretraining_set.sources of params.yaml",
            )

    @cached_property
    def steps(self) -> int:
        """Steps an epoch."""
        return max(1, -(-self.records // self.batch))

    def __call__(self, step: int) -> np.ndarray:
        """Return the positions of the global batch of a step, from nothing but its number."""
        epoch, part = divmod(step, self.steps)
        cuts = np.arange(self.steps + 1) * self.records // self.steps
        return shuffled(self.records, self.seed, epoch)[cuts[part] : cuts[part + 1]]


@lru_cache(maxsize=2)
def shuffled(records: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of an epoch; two are kept, because threads fetch ahead into the next one."""
    return np.random.default_rng(mixed(seed, "order", epoch)).permutation(records)


@dataclass(frozen=True)
class MicroBatch:
    """One micro-batch of one rank: its batch, and how the whole micro-batch lies on the ranks."""

    batch: Batch
    sizes: tuple[int, ...]
    weight: float
    """Share of the step's records that are in this micro-batch."""


def mixed(*parts: object) -> int:
    """Return a 63-bit seed from any values: different in any of them, unrelated in all."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little") >> 1


def micro_batches(positions: np.ndarray, accumulate: int, ranks: int) -> list[tuple[list[np.ndarray], float]]:
    """Split a global batch over micro-batches and ranks, sizes as even as they can be; a small one over fewer of them.

    DataError when there are fewer records than ranks.
    """
    if len(positions) < ranks:
        raise DataError(
            f"a batch of {len(positions)} records for {ranks} processes",
            allowed="at least one record a process",
            fix=f"export CGDMER_DEVICES={max(1, len(positions))}, or set train.batch higher",
        )
    micro = np.array_split(positions, min(accumulate, len(positions) // ranks))
    return [(np.array_split(part, ranks), len(part) / len(positions)) for part in micro]


def ahead(fetch: Callable[[int], Any], steps: range, workers: int) -> Iterator[tuple[Any, float]]:
    """Yield `fetch(step)` in order with the seconds waited for it, `workers` threads running ahead.

    Threads suffice: gathering copies memory and tokenizing is done, so the interpreter lock is rarely held.
    """
    waiting: deque[Future[Any]] = deque()
    upcoming = iter(steps)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="records")
    try:
        for _ in steps:
            while len(waiting) <= workers and (step := next(upcoming, None)) is not None:
                waiting.append(pool.submit(fetch, step))
            begin = time.perf_counter()
            result = waiting.popleft().result()
            yield result, time.perf_counter() - begin
    finally:
        pool.shutdown(cancel_futures=True)
