"""Speed and memory of pretraining: this engine, eager and compiled, beside the plain loop."""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar, cast
from unittest.mock import patch

import numpy as np
import torch

from benchmarks import pretrain as plain
from benchmarks.gpu.plan import Bench
from benchmarks.gpu.result import Measurement
from benchmarks.pretrain_setup import fetcher, peak_memory
from cgdmer.distributed import choose_device
from cgdmer.models.cgdmer import Batch
from cgdmer.objectives import Objective
from cgdmer.shards import open_shards
from cgdmer.training import Records
from cgdmer.training.engine import Engine
from cgdmer.training.records import prefetch
from cgdmer.training.throughput import measure_peak, synchronise

WARM_UP = 3
"""Steps before the timed ones. The first allocates the optimiser's state; a compiled model may compile once more for
batches that hide another number of words."""
DATA_THREADS = 4
RATE, FIT = 1e-4, "does not fit"
PLAIN = "plain loop: wfdb and filter in every epoch, fp32, all tokens encoded, default AdamW"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Timing:
    """The speed of some steps."""

    batch: int
    records_per_s: float
    wait_share: float
    """Share of the time in which no step ran because its data had not arrived."""
    memory: int
    """Most bytes that tensors took."""
    flops: int
    """FLOPs of training on one record."""
    parameters: int
    precision: str


@dataclass(frozen=True)
class PlainTiming:
    """The speed of some steps of the plain loop."""

    batch: int
    records_per_s: float


def pretrain(bench: Bench) -> list[Measurement]:
    """Measure the engine in eager mode beside the plain loop: records/s, share of the peak and of waiting."""
    device, plan = choose_device(), bench.plan
    slow = first_that_fits(plan.plain_batches, lambda batch: time_plain(bench, batch))
    timing = eager_timing(bench)
    peak = measure_peak(device, bf16=timing.precision == "bf16")
    share, ratio = timing.records_per_s * timing.flops / peak, timing.records_per_s / slow.records_per_s
    return [
        Measurement(
            "pretraining", timing.records_per_s, "records/s", slow.records_per_s, PLAIN, "10 x the plain loop",
            ratio >= 10, note=f"batch {timing.batch}, plain loop {slow.batch}; {timing.precision}",
        ),
        Measurement("parameters", timing.parameters, ""),
        Measurement("FLOPs per record", timing.flops / 1e9, "GFLOP"),
        Measurement("measured peak", peak / 1e12, "TFLOP/s", note=f"product of two large matrices, {timing.precision}"),
        Measurement("share of the measured peak", share, "", goal="0.5", reached=share >= 0.5),
        Measurement(
            "share of time waiting for data", timing.wait_share, "", goal="below 0.03",
            reached=timing.wait_share < 0.03, note="the shards are in the page cache",
        ),
    ]  # fmt: skip


def eager_timing(bench: Bench) -> Timing:
    """Time the engine in eager mode at the largest batch that fits."""
    engine = bench.engine()
    return first_that_fits(bench.plan.batches, lambda batch: time_engine(engine, bench, batch))


def compiled(bench: Bench) -> list[Measurement]:
    """Measure the compiled engine beside the eager one, at the same batch."""
    eager = eager_timing(bench)
    release()
    begin = time.perf_counter()
    with patch.object(torch, "compile", partial(torch.compile, backend=bench.plan.compiler)):
        engine = bench.engine(batch=eager.batch, compile=True)
    engine.try_step(fetcher(engine, bench.corpus)(0))
    synchronise(engine.device)
    first = time.perf_counter() - begin
    timing = time_engine(engine, bench, eager.batch)
    faster = timing.records_per_s >= eager.records_per_s
    return [
        Measurement(
            "pretraining, compiled", timing.records_per_s, "records/s", eager.records_per_s, "eager",
            "no slower than eager", faster, note=f"batch {eager.batch}",
        ),
        Measurement("memory, compiled", timing.memory / 1e9, "GB", eager.memory / 1e9, "eager"),
        Measurement("first compiled step", first, "s", note=f"builds and compiles the model: {bench.plan.compiler}"),
    ]  # fmt: skip


def memory(bench: Bench) -> list[Measurement]:
    """Measure the peak memory of a step at several batches, beside the plain loop's model at the same batch."""
    ours = peaks(bench, partial(memory_of, bench.engine(), bench))
    plain_step = partial(plain_memory, *plain.plain_task(bench.plan.chosen(), bench.reports, choose_device()), bench)
    baselines = peaks(bench, plain_step)
    return [memory_at(batch, ours[batch], baselines[batch]) for batch in bench.plan.memory_batches]


def peaks(bench: Bench, measure: Callable[[int], int]) -> dict[int, int | None]:
    """Return the peak memory by batch; None for a batch that does not fit."""
    return {batch: result_or_none(partial(measure, batch)) for batch in bench.plan.memory_batches}


def memory_at(batch: int, ours: int | None, baseline: int | None) -> Measurement:
    """Return the row of a batch; one that does not fit (None) is a result, not a failure."""
    notes = [f"{name} {FIT}" for name, size in (("ours", ours), ("the plain loop", baseline)) if size is None]
    return Measurement(
        f"peak memory at batch {batch}",
        None if ours is None else ours / 1e9,
        "GB",
        None if baseline is None else baseline / 1e9,
        None if baseline is None else "fp32, all tokens encoded",
        note="; ".join(notes) or None,
    )


def memory_of(engine: Engine, bench: Bench, batch: int) -> int:
    """Return the peak memory in bytes of a step of this engine whose optimiser has its state already."""
    engine.release_memory()
    micro_batches = fetcher(engine, bench.corpus, batch)(0)
    engine.try_step(micro_batches)
    reset_peak(engine.device)
    engine.try_step(micro_batches)
    synchronise(engine.device)
    return peak_memory(engine.device)


def plain_memory(task: Objective, optimiser: torch.optim.Optimizer, bench: Bench, batch: int) -> int:
    """Return the peak memory in bytes of a step of the plain loop whose optimiser has its state already."""
    device = choose_device()
    optimiser.zero_grad()
    release()
    shards = open_shards(bench.corpus)
    stored = Records(shards, np.arange(len(shards)), task.model.tokenizer)(np.arange(min(batch, len(shards))))
    on_device = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in stored.items()}
    plain.plain_step(task, optimiser, cast(Batch, on_device), torch.Generator(device))
    reset_peak(device)
    plain.plain_step(task, optimiser, cast(Batch, on_device), torch.Generator(device))
    return peak_memory(device)


def time_engine(engine: Engine, bench: Bench, batch: int) -> Timing:
    """Time steps of an engine as `fit` runs them: data is prefetched, and a value is read one step late."""
    engine.release_memory()
    fetch, steps = fetcher(engine, bench.corpus, batch), WARM_UP + bench.plan.steps
    batch, pending = min(batch, bench.plan.records), deque[torch.Tensor]()
    begin = waited_total = 0.0
    reset_peak(engine.device)
    for step, (micro_batches, waited) in enumerate(prefetch(fetch, range(steps), DATA_THREADS)):
        if step == WARM_UP:
            synchronise(engine.device)
            begin = time.perf_counter()
        pending.append(engine.step(step, micro_batches, RATE)[1])
        if len(pending) > 1:
            pending.popleft().tolist()
        waited_total += waited if step > WARM_UP else 0.0
    synchronise(engine.device)
    seconds = time.perf_counter() - begin
    return Timing(
        batch, bench.plan.steps * batch / seconds, waited_total / seconds, peak_memory(engine.device),
        engine.flops(fetch(0)[0]), sum(parameter.numel() for parameter in engine.task.parameters()),
        "bf16" if engine.bf16 else "fp32",
    )  # fmt: skip


def time_plain(bench: Bench, batch: int) -> PlainTiming:
    """Time steps of the plain loop after one that warms up."""
    loop = plain.plain(bench.corpus, bench.plan.chosen(batch=batch), bench.reports, choose_device())
    seconds = list(islice(loop, bench.plan.plain_steps + 1))[1:]
    return PlainTiming(batch, batch * len(seconds) / sum(seconds))


def first_that_fits(batches: Iterable[int], run: Callable[[int], Result]) -> Result:
    """Return the result of the first batch that fits in memory; OutOfMemoryError if none does."""
    for batch in batches:
        result = result_or_none(partial(run, batch))
        if result is not None:
            return result
    raise torch.OutOfMemoryError("no batch of the plan fits in memory")


def result_or_none(run: Callable[[], Result]) -> Result | None:
    """Return a result, or None if the GPU's memory is too small for it; memory is free again afterwards."""
    try:
        result = run()
    except torch.OutOfMemoryError:
        result = None
    release()
    return result


def release() -> None:
    """Return the memory of what is no longer used to the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def reset_peak(device: torch.device) -> None:
    """Start the measurement of peak memory on a GPU again."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
