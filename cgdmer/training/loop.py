"""`fit`: training steps, checkpoints, held-out measurements, and stopping in good order."""

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cgdmer import environment
from cgdmer.distributed import World
from cgdmer.errors import Preempted, TrainingStopped
from cgdmer.models.cgdmer import Batch
from cgdmer.settings import Train
from cgdmer.training import checkpoint, memory, replay
from cgdmer.training.engine import Engine
from cgdmer.training.interrupt import Interrupt
from cgdmer.training.optimiser import learning_rate
from cgdmer.training.progress import Bar, LogMetrics, StepLog, curve
from cgdmer.training.records import MicroBatch, Order, prefetch, split_micro_batches
from cgdmer.training.throughput import Throughput


class Source(Protocol):
    """Maps positions to a batch in host memory."""

    @property
    def longest(self) -> int:
        """The position of a record with the longest report, among those that are at hand."""

    def __call__(self, positions: np.ndarray, step: np.ndarray | None = None) -> Batch:
        """Return the records at `positions`, a part of those of a `step`, or the whole step if it is None."""


class Plan(Protocol):
    """Decides which records each step sees."""

    @property
    def steps(self) -> int:
        """Steps per epoch."""

    def __call__(self, step: int) -> np.ndarray:
        """Return the positions of a step's global batch; only the step number decides them."""

    def largest(self, step: int) -> np.ndarray:
        """Return the positions of a largest batch among records that are at hand in a step."""


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """The results of training. On ranks other than 0, curve, held-out rows and speed are empty."""

    steps: int
    curve: list[dict[str, float]]
    held_out: list[dict[str, Any]]
    speed: dict[str, float]


@dataclass(frozen=True)
class PendingStep:
    """A step whose values have not been read from the device yet."""

    number: int
    micro_batches: list[MicroBatch]
    names: list[str]
    values: Tensor
    rate: float


class Run:
    """One call of `fit`: the engine and everything around it."""

    def __init__(
        self, task: nn.Module, source: Source, sizes: tuple[int, int], train: Train, world: World, folder: Path,
        log_metrics: LogMetrics, plan: Plan | None = None,
    ) -> None:  # fmt: skip
        """`sizes` counts training and held-out records; in `source`, held-out positions follow the training ones."""
        self.train, self.world, self.folder, self.source, self.log_metrics = train, world, folder, source, log_metrics
        self.records, self.held_out = sizes
        self.order = plan or Order(self.records, train.batch, train.seed)
        self.total = self.order.steps * train.epochs
        self.engine = Engine(task, train, world)
        self.log = StepLog(folder / "steps.jsonl")
        self.pending: deque[PendingStep] = deque()
        self.throughput: Throughput | None = None
        self.writer, self.saved_at = checkpoint.Writer(), time.monotonic()

    def resume(self) -> int:
        """Load the newest intact checkpoint, if any, and return the number of steps done."""
        resumed = checkpoint.newest(self.folder)
        done = self.world.agree(resumed.step if resumed else 0, "checkpoints of step")
        if resumed:
            self.engine.restore(resumed.tensors)
            log.info("resumed after step %d of %d", done, self.total)
        if self.world.is_main:
            for unfinished in self.folder.glob(".*.tmp*"):
                unfinished.unlink(missing_ok=True)
            self.log.cut(done)
        return done

    def fetch(self, step: int) -> list[MicroBatch]:
        """Read this rank's share of each micro-batch of a step."""
        return self.read(self.order(step))

    def read(self, positions: np.ndarray, *, widen: bool = False) -> list[MicroBatch]:
        """Read this rank's share of each micro-batch; with `widen`, each begins with a longest report."""
        split = split_micro_batches(positions, self.train.accumulate, self.world.size)
        if widen:
            split = [
                ([np.concatenate([[self.source.longest], rows[1:]]) for rows in by_rank], weight)
                for by_rank, weight in split
            ]
            positions = np.concatenate([rows for by_rank, _ in split for rows in by_rank])
        return [
            MicroBatch(
                self.engine.pin(self.source(by_rank[self.world.rank], positions)),
                tuple(len(rows) for rows in by_rank),
                weight,
            )
            for by_rank, weight in split
        ]

    def step(self, number: int, micro_batches: list[MicroBatch], waited: float) -> None:
        """Run one training step; `waited` are the seconds that its data took to arrive."""
        if self.throughput is None:
            self.throughput = Throughput(self.engine.flops(micro_batches[0]))
        rate = learning_rate(number, self.total, self.train.lr, self.train.warmup)
        names, values = self.engine.step(number, micro_batches, rate)
        self.throughput.waited += waited
        self.throughput.records += sum(sum(micro_batch.sizes) for micro_batch in micro_batches)
        self.pending.append(PendingStep(number, micro_batches, names, values, rate))

    def try_widest(self, number: int) -> None:
        """Try the largest batch with the longest reports on a GPU, whose memory is the scarce one, before a step."""
        if self.world.device.type == "cuda":
            largest = self.order.largest(number)
            self.read(largest)  # a source that loads records as they are asked for then has some to choose from
            memory.try_widest(self.engine, self.read(largest, widen=True))

    def out_of_memory(
        self, error: torch.OutOfMemoryError, done: int, bar: Bar, *, measuring: bool = False
    ) -> TrainingStopped:
        """Save a checkpoint after `done` steps if the state is sound, and return the error to raise.

        Not while `measuring`, because a run that resumed after `done` steps would not measure them again.
        """
        self.engine.release_memory()
        if done and not (self.engine.updating or measuring):
            self.log_pending(bar)
            self.save(done)
        self.writer.wait()
        newest = checkpoint.newest(self.folder)
        return memory.out_of_memory(error, self.train, done, self.total, newest.step if newest else 0)

    def log_pending(self, bar: Bar, keep: int = 0) -> None:
        """Log all pending steps but the newest `keep`; TrainingStopped when a value is not finite."""
        while len(self.pending) > keep:
            step = self.pending.popleft()
            terms = dict(zip(step.names, step.values.tolist(), strict=True))
            if not np.isfinite(list(terms.values())).all():
                self.stop(step, terms)
            if self.world.is_main and self.throughput:
                line = {"lr": step.rate, **terms, **self.throughput.rates()}
                self.log.add("train", step.number + 1, step.number // self.order.steps + 1, line)
                self.log_metrics(step.number + 1, line)
                bar(line)

    def stop(self, step: PendingStep, terms: dict[str, float]) -> None:
        """Dump the step that gave a non-finite term, and raise TrainingStopped with the term's name."""
        names = [name for name, value in terms.items() if not np.isfinite(value)]
        folder = self.folder / f"nonfinite-{step.number + 1}"
        rows = replay.dump(folder, self.engine, step.number, step.micro_batches, terms)
        raise TrainingStopped(
            f"step {step.number + 1}: {', '.join(names)} not finite; rows {rows[:8]}... of the pretraining set; "
            f"dump in {folder}",
            allowed="finite terms",
            fix=f"python -m cgdmer replay {folder}, which names the records; then fix them or lower train.lr in "
            "params.yaml, and run it again",
        )

    def measure(self, done: int) -> None:
        """Measure the held-out records after `done` steps; save the weights when their loss is the lowest so far."""
        if not (self.world.is_main and self.held_out):
            return
        terms = self.engine.measure(self.held_out_batches())
        earlier = [line["loss"] for line in self.log.read("held_out")]
        epoch = done // self.order.steps
        self.log.add("held_out", done, epoch, terms)
        self.log_metrics(done, {f"held_out/{name}": value for name, value in terms.items()})
        log.info("epoch %d/%d: held-out %s", epoch, self.train.epochs, {k: round(v, 4) for k, v in terms.items()})
        if not earlier or terms["loss"] < min(earlier):
            weights = self.engine.result.state_dict()
            self.writer.submit(weights, lambda copies: checkpoint.save_best(self.folder, done, copies))

    def held_out_batches(self) -> Iterator[list[MicroBatch]]:
        """Yield the held-out records in batches of micro-batches, each weighted by its share of them."""
        positions = np.arange(self.records, self.records + self.held_out)
        for batch in np.array_split(positions, -(-self.held_out // self.train.batch)):
            micro_batches = np.array_split(batch, min(self.train.accumulate, len(batch)))
            yield [
                MicroBatch(self.source(rows, batch), (len(rows),), len(rows) / self.held_out) for rows in micro_batches
            ]

    def loop(self, done: int, interrupt: Interrupt) -> None:
        """Train from step `done` to the end; Preempted, with a checkpoint saved, on SIGTERM or SIGINT."""
        lag = 1 if self.world.device.type == "cuda" else 0  # reading a value at once would make a GPU wait for the host
        bar = Bar(self.total, done, self.world.is_main)
        batches = prefetch(self.fetch, range(done, self.total), min(4, environment.read().workers))
        for number, (micro_batches, waited) in zip(range(done, self.total), batches, strict=True):
            try:
                if self.throughput is None:
                    self.try_widest(number)
                self.step(number, micro_batches, waited)
            except torch.OutOfMemoryError as error:
                raise self.out_of_memory(error, number, bar) from error
            done = number + 1
            stops, epoch_ends = interrupt.agreed(done), done % self.order.steps == 0
            saves = stops or self.due(done) or done == self.total
            self.log_pending(bar, keep=0 if saves or epoch_ends else lag)
            if epoch_ends:
                try:
                    self.measure(done)
                except torch.OutOfMemoryError as error:
                    raise self.out_of_memory(error, done, bar, measuring=True) from error
            if saves:
                self.save(done)
            if stops and done < self.total:
                self.writer.wait()
                reason = interrupt.name or "a signal to another process"
                raise Preempted(
                    f"stopped by {reason} after step {done} of {self.total}; a checkpoint is saved", fix="run it again"
                )
        bar.close()

    def due(self, done: int) -> bool:
        """Return True if a checkpoint is due after `done` steps, by their number or by the minutes since the last."""
        minutes = (time.monotonic() - self.saved_at) / 60
        return done % self.train.checkpoint_steps == 0 or minutes >= self.train.checkpoint_minutes

    def save(self, done: int) -> None:
        """Write a checkpoint after `done` steps in the background, once the step log is on disk."""
        self.saved_at = time.monotonic()
        if self.world.is_main:
            self.writer.submit(self.engine.state(), lambda copies: self.write(done, copies))

    def write(self, done: int, tensors: dict[str, Tensor]) -> None:
        """Write a checkpoint; called in the thread of the writer."""
        self.log.sync()
        checkpoint.save(self.folder, checkpoint.Checkpoint(done, tensors, {}), self.train.keep)

    def finish(self) -> Fitted:
        """Load the resulting weights into the task and return the results."""
        if self.train.select == "best" and self.held_out:
            self.world.barrier()
            self.engine.task.load_state_dict(checkpoint.best(self.folder))
        elif self.engine.average is not None:
            self.engine.task.load_state_dict(self.engine.average.state_dict())
        self.world.barrier()  # the caller may delete the folder only after every rank has read it
        if not self.world.is_main:
            return Fitted(self.total, [], [], {})
        held_out = [{k: v for k, v in line.items() if k != "kind"} for line in self.log.read("held_out")]
        return Fitted(self.total, curve(self.log.read("train"), self.train.log_steps), held_out, self.speed())

    def speed(self) -> dict[str, float]:
        """Return how well the device was used; empty when a resumed run had no step left to do."""
        if self.throughput is None:
            return {}
        return self.throughput.summary(self.world.device, self.engine.bf16, self.world.size)


def fit(
    task: nn.Module, source: Source, sizes: tuple[int, int], train: Train, *, world: World, folder: Path,
    log_metrics: LogMetrics = lambda step, metrics: None, plan: Plan | None = None,
) -> Fitted:  # fmt: skip
    """Train `task` in place; after a kill, the same call resumes from the checkpoints in `folder`.

    `source` maps positions to a batch, and `sizes` counts its training and its held-out records. `plan` decides what
    each step sees; without one, an epoch shows every training record once. The result does not
    depend on kills or data threads, nor, within rounding, on the number of ranks. Raises TrainingStopped for a
    non-finite term, and Preempted, with a checkpoint saved, on SIGTERM or SIGINT.
    """
    run = Run(task, source, sizes, train, world, folder, log_metrics, plan)
    done = run.resume()
    with Interrupt(world) as interrupt, run.writer:
        run.loop(done, interrupt)
    return run.finish()
