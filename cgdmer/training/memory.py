"""Memory of training: one widest step before the first, and what to change when memory runs out."""

import logging

import torch

from cgdmer.errors import TrainingStopped
from cgdmer.settings import Train
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch

GIB = 2**30
log = logging.getLogger(__name__)


def try_widest(engine: Engine, micro_batches: list[MicroBatch]) -> None:
    """Run two steps without effect on the widest batch and log the peak memory of the GPU in the second.

    So a batch that is too large fails at once, and not after hours. The first step creates the optimiser's state after
    its activations were freed; every later one holds both.
    """
    engine.try_step(micro_batches)
    if engine.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(engine.device)
    engine.try_step(micro_batches)
    if engine.device.type == "cuda":
        peak, total = torch.cuda.max_memory_allocated(engine.device), torch.cuda.mem_get_info(engine.device)[1]
        log.info("the widest batch takes %.1f of %.1f GiB of GPU memory", peak / GIB, total / GIB)


def out_of_memory(error: torch.OutOfMemoryError, train: Train, done: int, total: int, saved: int) -> TrainingStopped:
    """Return the error that names the settings to change; `saved` is the step of the newest checkpoint, or 0."""
    problem = str(error).partition(". ")[0].removesuffix(".")
    next_run = f"it goes on after step {saved} of {total}" if saved else "it begins anew"
    recompute = "" if train.gradient_checkpointing else " or train.gradient_checkpointing: true"
    return TrainingStopped(
        f"step {done + 1}: {problem}",
        allowed=f"a micro-batch of {-(-train.batch // train.accumulate)} records that fits in memory",
        fix=f"set train.accumulate: {2 * train.accumulate}{recompute} in params.yaml, then run it again; {next_run}",
    )
