"""The data of a training step: the order of the records, their batches, and the threads that prefetch them."""

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
from cgdmer.shards import Shards, batches
from cgdmer.shards.batches import Pairs
from cgdmer.training.statements import Statements
from cgdmer.training.token_rows import rounded_width


class Records:
    """ECG-report pairs of chosen rows. Called with positions among them, it returns a `Batch` in host memory."""

    def __init__(
        self, shards: Shards, rows: np.ndarray, tokenizer: Tokenizer | None, *, statements: bool = False,
        few_widths: bool = False,
    ) -> None:  # fmt: skip
        """`rows` (n,) are row numbers in `shards`; `statements` adds the single statements of the reports.

        With `few_widths`, reports are cut to powers of two, because a compiled model is compiled anew for every width.
        """
        reports, report_of_row = shards.reports()
        self.reports = reports
        self.statements = Statements(tokenizer) if tokenizer and statements else None
        tokens = tokenizer(reports) if tokenizer else np.zeros((len(reports), 1), dtype=np.int32)
        self.pad = tokenizer.pad if tokenizer else 0
        self.pairs = Pairs(shards, rows, tokens, report_of_row)
        self.report_of_row, self.few_widths = report_of_row, few_widths

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def longest(self) -> int:
        """The position of a record with the longest report."""
        lengths = (self.pairs.tokens != self.pad).sum(1)  # (U,)
        return int(lengths[self.report_of_row[self.pairs.rows]].argmax())

    def __call__(self, positions: np.ndarray, step: np.ndarray | None = None) -> Batch:
        """Return the records at `positions`, with their reports cut to the longest of them, rounded up.

        `step` holds the positions of the whole step, whose statements every part of it gets; without it, `positions`
        are the whole step.
        """
        pairs = self.pairs[positions]  # type: ignore[index]
        report = torch.from_numpy(self.report_of_row[pairs["row"].numpy()].astype(np.int64))
        batch = complete(pairs, report, self.pad, few_widths=self.few_widths)
        if self.statements is not None:
            texts = self.texts(positions)
            self.statements.add_to(batch, texts, texts if step is None else self.texts(step))
        return batch

    def texts(self, positions: np.ndarray) -> list[str]:
        """Return the cleaned reports of the records at `positions`."""
        return [self.reports[code] for code in self.report_of_row[self.pairs.rows[positions]]]


def complete(pairs: batches.Batch, report: torch.Tensor, pad: int, *, few_widths: bool = False) -> Batch:
    """Return the batch of a step: tokens cut, missing leads marked, and which reports are equal, int64 (B,).

    A lead of zeros was not recorded and counts as missing. numpy looks for it, because a large torch operation would
    start OpenMP workers for this thread. With more threads than cores, OpenMP stops spinning, which costs a third of
    the throughput.
    """
    pairs["missing"] |= torch.from_numpy((pairs["signal"].numpy() == 0).all(2))
    longest = int((pairs["tokens"] != pad).sum(1).max())
    pairs["tokens"] = pairs["tokens"][:, : rounded_width(longest, few_widths=few_widths)]
    full = bool((pairs["valid"] >= pairs["signal"].shape[2]).all()) and not bool(pairs["missing"].any())
    return Batch(**pairs, report=report, full=full)  # type: ignore[typeddict-item]  # the other fields are optional


@dataclass(frozen=True)
class Order:
    """Which records each step sees: every record once per epoch, in batches whose sizes differ by at most one.

    So no epoch ends in a tiny batch with few negatives, and no record is dropped.
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
        """Steps per epoch."""
        return max(1, -(-self.records // self.batch))

    def __call__(self, step: int) -> np.ndarray:
        """Return the positions of a step's global batch; only the step number decides them."""
        epoch, index = divmod(step, self.steps)
        cuts = self._cuts
        return shuffled(self.records, self.seed, epoch)[cuts[index] : cuts[index + 1]]

    def largest(self, step: int) -> np.ndarray:
        """Return the positions of a largest batch in the epoch of a step."""
        return self(step // self.steps * self.steps + int(np.diff(self._cuts).argmax()))

    @cached_property
    def _cuts(self) -> np.ndarray:
        """Where the batches of an epoch begin and end, (steps + 1,)."""
        return np.arange(self.steps + 1) * self.records // self.steps


@lru_cache(maxsize=4)
def shuffled(records: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of an epoch's records.

    Two orders of two sets of records are cached, because threads prefetch into the next epoch.
    """
    return np.random.default_rng(mix_seed(seed, "order", epoch)).permutation(records)


@dataclass(frozen=True)
class MicroBatch:
    """One rank's share of a micro-batch, and how the whole micro-batch lies on the ranks."""

    batch: Batch
    """The records of this rank."""
    sizes: tuple[int, ...]
    """Records on each rank."""
    weight: float
    """Share of the step's records that this micro-batch holds."""


def mix_seed(*values: object) -> int:
    """Return a 63-bit seed from any values; when any of them changes, the seed becomes an unrelated one."""
    return int.from_bytes(hashlib.sha256(repr(values).encode()).digest()[:8], "little") >> 1


def number_of(text: str) -> int:
    """Return a number that is the same for equal texts only, in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def split_micro_batches(positions: np.ndarray, accumulate: int, ranks: int) -> list[tuple[list[np.ndarray], float]]:
    """Split a global batch into micro-batches, and each of these over the ranks, as evenly as possible.

    Returns, per micro-batch, the positions of each rank and the share of the records. A batch that is too small for
    `accumulate` micro-batches gives fewer. DataError when there are fewer records than ranks.
    """
    if len(positions) < ranks:
        raise DataError(
            f"a batch of {len(positions)} records for {ranks} processes",
            allowed="at least one record per process",
            fix=f"export CGDMER_DEVICES={max(1, len(positions))}, or set train.batch higher",
        )
    micro_batches = np.array_split(positions, min(accumulate, len(positions) // ranks))
    return [(np.array_split(rows, ranks), len(rows) / len(positions)) for rows in micro_batches]


def prefetch(fetch: Callable[[int], Any], steps: range, workers: int) -> Iterator[tuple[Any, float]]:
    """Yield `fetch(step)` in order, with the seconds waited for it, while `workers` threads fetch the next steps.

    Threads suffice: reports are tokenised already and gathering copies memory, so the interpreter lock is rarely held.
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
