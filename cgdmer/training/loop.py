"""Owns `fit`: steps, checkpoints, held-out measurements, and stopping well."""

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from cgdmer import environment
from cgdmer.distributed import World
from cgdmer.errors import Preempted, TrainingStopped
from cgdmer.models.cgdmer import Batch
from cgdmer.settings import Train
from cgdmer.training import checkpoint, replay, speed
from cgdmer.training.engine import Engine
from cgdmer.training.progress import Bar, Report, StepLog, curve
from cgdmer.training.records import MicroBatch, Order, ahead, micro_batches
from cgdmer.training.schedule import rate

AGREE = 10
"""Steps between two questions among ranks whether one was told to stop."""
Source = Callable[[np.ndarray], Batch]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """What training leaves; on other ranks than the first, curve and held-out rows are empty."""

    steps: int
    curve: list[dict[str, float]]
    held_out: list[dict[str, Any]]
    speed: dict[str, float]


class Run:
    """One call of `fit`: the engine with everything around it."""

    def __init__(
        self, task: nn.Module, source: Source, sizes: tuple[int, int], train: Train, world: World, folder: Path,
        report: Report,
    ) -> None:  # fmt: skip
        """`sizes` counts training and held-out records; held-out positions of `source` follow the training ones."""
        self.train, self.world, self.folder, self.source, self.report = train, world, folder, source, report
        self.records, self.held_out = sizes
        self.order = Order(self.records, train.batch, train.seed)
        self.total = self.order.steps * train.epochs
        self.engine = Engine(task, train, world)
        self.log = StepLog(folder / "steps.jsonl")
        self.pending: deque[tuple[int, list[MicroBatch], list[str], Tensor, float]] = deque()
        self.flops, self.began, self.waited, self.seen = 0, 0.0, 0.0, 0

    def resume(self) -> int:
        """Go back to the newest good checkpoint and return the number of steps done."""
        found = checkpoint.newest(self.folder)
        done = self.world.agree(found.step if found else 0, "checkpoints of step")
        if found:
            self.engine.restore(found.tensors)
            log.info("resumed after step %d of %d", done, self.total)
        if self.world.chief:
            for torn in self.folder.glob(".*.tmp*"):
                torn.unlink(missing_ok=True)
            self.log.cut(done)
        return done

    def fetch(self, step: int) -> list[MicroBatch]:
        """Read this rank's part of a global batch."""
        split = micro_batches(self.order(step), self.train.accumulate, self.world.size)
        return [
            MicroBatch(
                self.engine.pinned(self.source(ranks[self.world.rank])), tuple(len(rank) for rank in ranks), weight
            )
            for ranks, weight in split
        ]

    def step(self, number: int, micro: list[MicroBatch], waited: float) -> None:
        if not self.flops:
            self.flops, self.began = self.engine.flops(micro[0]), time.perf_counter()
        lr = rate(number, self.total, self.train.lr, self.train.warmup)
        names, values = self.engine.step(number, micro, lr)
        self.waited += waited
        self.seen += sum(sum(part.sizes) for part in micro)
        self.pending.append((number, micro, names, values, lr))

    def settle(self, bar: Bar, keep: int = 0) -> None:
        """Read the values of finished steps, all but the newest `keep`; TrainingStopped when one is not finite."""
        while len(self.pending) > keep:
            number, micro, names, values, lr = self.pending.popleft()
            terms = dict(zip(names, values.tolist(), strict=True))
            if not np.isfinite(list(terms.values())).all():
                self.stop(number, micro, terms)
            if self.world.chief:
                elapsed = max(time.perf_counter() - self.began, 1e-9)
                line = {"lr": lr, **terms, "records_per_s": self.seen / elapsed, "wait_share": self.waited / elapsed}
                self.log.add("train", number + 1, number // self.order.steps + 1, line)
                self.report(number + 1, line)
                bar(line)

    def stop(self, number: int, micro: list[MicroBatch], terms: dict[str, float]) -> None:
        """Keep what made a non-finite term, and say which term it was."""
        names = [name for name, value in terms.items() if not np.isfinite(value)]
        folder = self.folder / f"nonfinite-{number + 1}"
        rows = replay.dump(folder, self.engine, number, micro, terms)
        raise TrainingStopped(
            f"step {number + 1}: {', '.join(names)} not finite; rows {rows[:8]}... of the pool; dump in {folder}",
            allowed="finite terms",
            fix=f"python -m cgdmer replay {folder}, which names the records; then mend them or lower train.lr in "
            "params.yaml, and run it again",
        )

    def measure(self, done: int) -> None:
        """Measure the held-out records; keep the weights when they are the best so far."""
        if not (self.world.chief and self.held_out):
            return
        terms = self.engine.measure(self.held_out_parts())
        earlier = [line["loss"] for line in self.log.read("held_out")]
        epoch = done // self.order.steps
        self.log.add("held_out", done, epoch, terms)
        self.report(done, {f"held_out/{name}": value for name, value in terms.items()})
        log.info("epoch %d/%d: held-out %s", epoch, self.train.epochs, {k: round(v, 4) for k, v in terms.items()})
        if not earlier or terms["loss"] < min(earlier):
            checkpoint.save_best(self.folder, done, self.engine.result.state_dict())

    def held_out_parts(self) -> Iterator[MicroBatch]:
        positions = np.arange(self.records, self.records + self.held_out)
        for part in np.array_split(positions, -(-self.held_out // self.train.batch)):
            yield MicroBatch(self.source(part), (len(part),), len(part) / self.held_out)

    def save(self, done: int) -> None:
        if self.world.chief:
            self.log.sync()
            checkpoint.save(self.folder, checkpoint.Checkpoint(done, self.engine.state(), {}), self.train.keep)

    def finished(self) -> Fitted:
        """Put the weights that count into the task and sum up."""
        if self.train.select == "best" and self.held_out:
            self.world.meet()
            self.engine.task.load_state_dict(checkpoint.best(self.folder))
        elif self.engine.average is not None:
            self.engine.task.load_state_dict(self.engine.average.state_dict())
        self.world.meet()  # nobody clears the folder while another reads it
        if not self.world.chief:
            return Fitted(self.total, [], [], {})
        held_out = [{k: v for k, v in line.items() if k != "kind"} for line in self.log.read("held_out")]
        return Fitted(self.total, curve(self.log.read("train"), self.train.log_steps), held_out, self.speed())

    def speed(self) -> dict[str, float]:
        elapsed = max(time.perf_counter() - self.began, 1e-9)
        if not self.seen:
            return {}
        rate, peak = self.seen / elapsed, speed.peak(self.world.device, self.engine.bf16)
        return {
            "records_per_s": rate,
            "wait_share": self.waited / elapsed,
            "flops_per_record": float(self.flops),
            "peak_flops": peak,
            "peak_share": rate * self.flops / peak / self.world.size,
        }


class Interrupt:
    """Remembers a SIGTERM until the step is done; outside the main thread there is nothing to catch it."""

    def __init__(self, world: World) -> None:
        self.world, self.told = world, False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, self._tell)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.before)

    def _tell(self, *_: object) -> None:
        self.told = True

    def agreed(self, done: int) -> bool:
        """Return whether to stop now; ranks ask each other every `AGREE` steps, so that they stop together."""
        if self.world.size == 1:
            return self.told
        if done % AGREE:
            return False
        flag = torch.tensor(float(self.told), device=self.world.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag)


def fit(
    task: nn.Module, source: Source, sizes: tuple[int, int], train: Train, *, world: World, folder: Path,
    report: Report = lambda step, metrics: None,
) -> Fitted:  # fmt: skip
    """Train `task` in place, going on from `folder` where an earlier call was killed there.

    The result does not depend on kills, data threads or, within rounding, ranks. Raises TrainingStopped for a
    non-finite term and Preempted, with a checkpoint left, on SIGTERM.
    """
    run = Run(task, source, sizes, train, world, folder, report)
    done = run.resume()
    lag = 1 if world.device.type == "cuda" else 0  # reading a value at once would make a GPU wait for the host
    bar = Bar(run.total, done, world.chief)
    with Interrupt(world) as interrupt:
        batches = ahead(run.fetch, range(done, run.total), min(4, environment.read().workers))
        for number, (micro, waited) in zip(range(done, run.total), batches, strict=True):
            run.step(number, micro, waited)
            done = number + 1
            stop, epoch_ends = interrupt.agreed(done), done % run.order.steps == 0
            saves = stop or done % train.checkpoint_steps == 0 or done == run.total
            run.settle(bar, keep=0 if saves or epoch_ends else lag)
            if epoch_ends:
                run.measure(done)
            if saves:
                run.save(done)
            if stop and done < run.total:
                raise Preempted(
                    f"told to stop after step {done} of {run.total}; a checkpoint is left", fix="run it again"
                )
    bar.close()
    return run.finished()
