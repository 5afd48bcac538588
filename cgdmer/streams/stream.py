"""The source of simulated records: workers simulate ahead of training, never more than a pool and its shift."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cgdmer import environment, settings
from cgdmer.distributed import World
from cgdmer.errors import DataError
from cgdmer.executor import background_processes, worker_died
from cgdmer.models.cgdmer import Batch
from cgdmer.models.tokens import Tokenizer
from cgdmer.shards import batches
from cgdmer.streams import blocks
from cgdmer.streams.blocks import Block, Key, read_block, simulate_block
from cgdmer.streams.plan import SlidingPlan
from cgdmer.streams.reference import Reference
from cgdmer.training.records import complete, mix_seed, number_of
from cgdmer.training.statements import Statements
from cgdmer.training.token_rows import padded

PATIENCE = 900.0
"""Seconds to wait for a block that another rank simulates."""
POLL = 0.02
"""Seconds between two looks for such a block."""


@dataclass(frozen=True)
class Loaded:
    """A block in memory."""

    block: Block
    tokens: np.ndarray
    """Tokens of its reports, int32 (n, S)."""


class Stream:
    """Records of a `SlidingPlan`, by number; numbers from `plan.records` on are held-out records of another seed.

    Blocks of records travel in files of `folder`, so that n ranks share the work: each simulates every n-th block. A
    resumed run uses the files that are there and simulates the others anew, to the same bytes.
    """

    def __init__(
        self, plan: SlidingPlan, form: settings.Signal, tokenizer: Tokenizer | None, reference: Reference, folder: Path,
        world: World, workers: ProcessPoolExecutor, *, statements: bool,
    ) -> None:  # fmt: skip
        self.plan, self.form, self.tokenizer, self.reference = plan, form, tokenizer, reference
        self.folder, self.world, self.workers = folder, world, workers
        self.pad = tokenizer.pad if tokenizer else 0
        self.statements = Statements(tokenizer) if tokenizer and statements else None
        self.held_out_seed = mix_seed(plan.simulated.seed, "held out") % 2**31
        self._lock = threading.Lock()
        self._submitted: dict[Key, Future[None]] = {}
        self._loaded: dict[Key, Loaded] = {}
        self._high = -1

    @property
    def longest(self) -> int:
        """The number of a record with the longest report, among those that are in memory."""
        longest, at = -1, max(self._high, 0)
        for key, loaded in list(self._loaded.items()):
            lengths = (loaded.tokens != self.pad).sum(1)
            if key.seed == self.plan.simulated.seed and lengths.max() > longest:
                longest, at = int(lengths.max()), key.first + int(lengths.argmax())
        return min(at, self.plan.records - 1)  # the last block may reach beyond the last record

    def __call__(self, positions: np.ndarray, step: np.ndarray | None = None) -> Batch:
        """Return the records with the numbers `positions`, and the statements of all records of the `step`."""
        wanted = positions if step is None else step
        self._advance(wanted)
        taken = [self._record(number) for number in positions.tolist()]
        texts = [loaded.block.reports[row] for loaded, row in taken]
        pairs = batches.Batch(
            signal=torch.from_numpy(np.stack([loaded.block.signal[row] for loaded, row in taken])),
            valid=torch.from_numpy(np.stack([loaded.block.valid[row] for loaded, row in taken])),
            missing=torch.from_numpy(np.stack([loaded.block.missing[row] for loaded, row in taken])),
            tokens=torch.from_numpy(padded([loaded.tokens[row] for loaded, row in taken], self.pad)),
            row=torch.from_numpy(np.asarray(positions, dtype=np.int64)),
        )
        batch = complete(pairs, torch.tensor([number_of(text) for text in texts]), self.pad)
        measured = np.stack([loaded.block.measured[row] for loaded, row in taken])
        batch["measurements"] = torch.from_numpy(self.reference.standardise(measured))
        batch["amplitudes"] = torch.from_numpy(np.stack([loaded.block.amplitudes[row] for loaded, row in taken]))
        if self.statements is not None:
            self.statements.add_to(batch, texts, self.texts(wanted))
        return batch

    def texts(self, positions: np.ndarray) -> list[str]:
        """Return the reports of the records with the numbers `positions`."""
        return [loaded.block.reports[row] for loaded, row in map(self._record, positions.tolist())]

    def _record(self, number: int) -> tuple[Loaded, int]:
        """Return the block of a record and its row there."""
        key, row = self._locate(number)
        return self._load(key), row

    def _locate(self, number: int) -> tuple[Key, int]:
        seed = self.plan.simulated.seed
        if number >= self.plan.records:
            seed, number = self.held_out_seed, number - self.plan.records
        return Key(seed, number - number % blocks.RECORDS), number % blocks.RECORDS

    def _advance(self, numbers: np.ndarray) -> None:
        """Let workers simulate up to a shift beyond the pool that holds `numbers`, and forget what no step needs."""
        numbers = numbers[numbers < self.plan.records]
        with self._lock:
            if not len(numbers) or (high := int(numbers.max())) <= self._high:
                return
            begins, self._high = self._high < 0, high
            simulated, low = self.plan.simulated, max(0, high - self.plan.simulated.pool)
            end = min(high + self.plan.shift, self.plan.records - 1)
            for first in range(low - low % blocks.RECORDS, end + 1, blocks.RECORDS):
                self._submit(Key(simulated.seed, first))
            self._forget(low - self.plan.shift - blocks.RECORDS, everywhere=begins)

    def _submit(self, key: Key) -> None:
        if self._is_own(key) and key not in self._submitted:
            self._submitted[key] = self.workers.submit(simulate_block, key, self.plan.simulated, self.form, self.folder)

    def _is_own(self, key: Key) -> bool:
        """Return True if this rank simulates a block; held-out records are simulated by the rank that measures."""
        return key.seed == self.held_out_seed or key.first // blocks.RECORDS % self.world.size == self.world.rank

    def _forget(self, below: int, *, everywhere: bool) -> None:
        """Drop blocks that begin below a number; `everywhere` looks for files of an earlier run too."""
        seed = self.plan.simulated.seed
        old = {key for key in (*self._loaded, *self._submitted) if key.seed == seed and key.first < below}
        if everywhere:
            names = [path.stem.split("-") for path in self.folder.glob(f"block-{seed}-*.npz")]
            old |= {Key(seed, int(first)) for _, _, first in names if int(first) < below}
        for key in old:
            self._loaded.pop(key, None)
            self._submitted.pop(key, None)
            if self._is_own(key):
                key.path(self.folder).unlink(missing_ok=True)

    def _load(self, key: Key) -> Loaded:
        """Return a block, after waiting for the worker that simulates it."""
        if loaded := self._loaded.get(key):
            return loaded
        with self._lock:
            self._submit(key)
            future = self._submitted.get(key)
        if future is not None:
            try:
                future.result()
            except BrokenProcessPool as error:
                raise worker_died([]) from error
        else:
            self._wait(key.path(self.folder))
        block = read_block(key, self.folder)
        tokens = self.tokenizer(block.reports) if self.tokenizer else np.zeros((blocks.RECORDS, 1), np.int32)
        with self._lock:
            return self._loaded.setdefault(key, Loaded(block, tokens))

    def _wait(self, path: Path) -> None:
        """Wait for the file of another rank."""
        deadline = time.monotonic() + PATIENCE
        while not path.is_file():
            if time.monotonic() > deadline:
                raise DataError(
                    f"{path} did not come within {PATIENCE:.0f} s from the process that simulates it",
                    allowed="one project folder for all processes",
                    fix="put the project on a shared file system, then run it again",
                )
            time.sleep(POLL)


@contextmanager
def open_stream(
    plan: SlidingPlan, form: settings.Signal, tokenizer: Tokenizer | None, reference: Reference, folder: Path,
    world: World, *, statements: bool,
) -> Iterator[Stream]:  # fmt: skip
    """Open a stream with its share of the CGDMER_WORKERS worker processes; they end with this process."""
    folder.mkdir(parents=True, exist_ok=True)
    with background_processes(max(1, environment.read().workers // world.size)) as workers:
        yield Stream(plan, form, tokenizer, reference, folder, world, workers, statements=statements)
