"""One training step of a profile's model: its time, its memory, and what to change if it does not fit."""

import time
from collections.abc import Iterator

import numpy as np
import torch

from cgdmer.commands.doctor.finding import GB, Finding
from cgdmer.distributed import World, choose_device, process_count
from cgdmer.errors import CgdmerError
from cgdmer.models import text_files, weights
from cgdmer.models.cgdmer import Batch
from cgdmer.objectives import Objective
from cgdmer.objectives.targets import AMPLITUDES, MEASUREMENTS
from cgdmer.settings import Settings
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch, split_micro_batches
from cgdmer.training.throughput import synchronise

CPU_RECORDS = 2
STATEMENT_TOKENS = 16
"""Tokens of a single statement; few are longer."""
WORDS = ("sinus", "rhythm", "normal", "ecg", "atrial", "fibrillation")


def build(chosen: Settings) -> Objective:
    """Return the profile's model with its losses; without a pretrained report encoder that is not on this machine."""
    reports = [
        " ".join(WORDS[(row + word) % len(WORDS)] for word in range(chosen.model.max_tokens)) for row in range(8)
    ]
    model = chosen.model if has_encoder(chosen) else chosen.model.model_copy(update={"text": None})
    network = weights.create(model, chosen.masking, chosen.objective, chosen.signal, reports, chosen.train.seed)
    return Objective(network, chosen.objective, chosen.augmentation)


def has_encoder(chosen: Settings) -> bool:
    """Return True unless a pretrained report encoder is named and not on this machine."""
    if chosen.model.text is None:
        return True
    try:
        text_files.require(chosen.model.text, chosen.model.text_revision)
    except (CgdmerError, ImportError):
        return False
    return True


def findings(chosen: Settings, task: Objective, records: int) -> Iterator[Finding]:
    """Take a step on noise, on a GPU at the widest batch, and say what it took; `records` are those to train on."""
    try:
        device, processes = choose_device(), process_count()
    except CgdmerError as error:
        yield Finding("bad", error.problem, error.fix)
        return
    engine = Engine(task, chosen.train.model_copy(update={"compile": False}), World(0, 1, device))
    if device.type == "cuda":
        yield from on_gpu(engine, chosen, max(2, chosen.train.batch // processes), records, processes)
    else:
        seconds = timed(engine, micro_batches(engine, chosen, CPU_RECORDS, 1))
        fact = f"no GPU: a training step of {CPU_RECORDS} records instead of {chosen.train.batch} took {seconds:.1f} s "
        yield Finding("note", f"{fact}on the CPU; it proves the model, not the machine", "run this where the GPU is")


def on_gpu(engine: Engine, chosen: Settings, batch: int, records: int, processes: int) -> Iterator[Finding]:
    """Take the widest step of one process; when memory runs out, find the division of the batch that fits."""
    accumulate, total = chosen.train.accumulate, torch.cuda.mem_get_info(engine.device)[1]
    while accumulate <= batch:
        torch.cuda.reset_peak_memory_stats(engine.device)
        try:
            steps = micro_batches(engine, chosen, batch, accumulate)
            engine.try_step(steps)
            seconds = timed(engine, steps)
        except torch.OutOfMemoryError:
            engine.release_memory()
            accumulate *= 2
            continue
        peak = torch.cuda.max_memory_allocated(engine.device)
        rate = processes * batch / seconds
        fact = f"a step of {batch} records at accumulate {accumulate} takes {seconds:.2f} s and {peak / GB:.1f} of "
        fact += f"{total / GB:.1f} GB; {records:,} records x {chosen.train.epochs} epochs take "
        fact += f"{records * chosen.train.epochs / rate / 3600:.1f} h (computed, not compiled)"
        if accumulate == chosen.train.accumulate:
            yield Finding("ok", fact)
        else:
            yield Finding("bad", f"train.accumulate: {chosen.train.accumulate} does not fit in GPU memory; {fact}",
                          f"set train.accumulate: {accumulate} in params.yaml")  # fmt: skip
        return
    yield Finding(
        "bad", "not even one record fits in GPU memory", "set train.gradient_checkpointing: true in params.yaml"
    )


def micro_batches(engine: Engine, chosen: Settings, batch: int, accumulate: int) -> list[MicroBatch]:
    """Return the micro-batches of a step on noise, with reports of the greatest length."""
    split = split_micro_batches(np.arange(batch), accumulate, 1)
    return [MicroBatch(engine.pin(noise(engine, chosen, len(rows))), (len(rows),), weight) for (rows,), weight in split]


def noise(engine: Engine, chosen: Settings, records: int) -> Batch:
    """Return a batch of noise in stored form, without padding; as many statements as records."""
    generator = torch.Generator().manual_seed(0)
    samples, tokenizer = chosen.signal.samples, engine.task.model.tokenizer  # type: ignore[union-attr]
    low, high = (0, 1) if tokenizer is None else (len(tokenizer) // 2, len(tokenizer))  # type: ignore[arg-type]
    width = 1 if tokenizer is None else chosen.model.max_tokens
    return Batch(
        signal=torch.randint(-500, 500, (records, 12, samples), dtype=torch.int16, generator=generator),
        valid=torch.full((records,), samples), missing=torch.zeros(records, 12, dtype=torch.bool),
        tokens=torch.randint(low, high, (records, width), dtype=torch.int32, generator=generator),
        row=torch.arange(records), report=torch.arange(records), full=True,
        statement_tokens=torch.randint(low, high, (records, min(width, STATEMENT_TOKENS)), generator=generator),
        stated=torch.eye(records, dtype=torch.bool),
        measurements=torch.zeros(records, len(MEASUREMENTS)), amplitudes=torch.zeros(records, len(AMPLITUDES)),
    )  # fmt: skip


def timed(engine: Engine, steps: list[MicroBatch]) -> float:
    """Return the seconds of a step that changes nothing."""
    synchronise(engine.device)
    begin = time.perf_counter()
    engine.try_step(steps)
    synchronise(engine.device)
    return time.perf_counter() - begin
