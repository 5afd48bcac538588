"""Throughput of pretraining: this engine against a plain loop with the same model, in turns, on the same device.

Run: python -m benchmarks.pretrain, or python -m benchmarks.pretrain --paper [--records N] [--steps N]

The plain loop is what a first version looks like: it reads WFDB with `wfdb`, filters and resamples in every epoch,
runs in fp32, encodes all tokens with the hidden ones blanked, and uses default AdamW. Ours reads shards, encodes
visible tokens only, and on a GPU runs bf16 with flash attention. Both compute the same terms. Each has its own process,
because the threads and memory that one sets up would change the speed of the other.

`--paper` measures this engine alone, with the true model of params/paper.yaml; its report encoder has random weights.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pretrain_setup import build, environment_of, fetcher, lay_out, peak_memory, prepared, sections, steps_of
from cgdmer import settings
from cgdmer.distributed import choose_device
from cgdmer.models import cgdmer as method
from cgdmer.models import masking
from cgdmer.models.cgdmer import Batch
from cgdmer.objectives import Objective
from cgdmer.training import World, threads
from cgdmer.training.engine import Engine
from cgdmer.training.records import Order
from cgdmer.training.throughput import count_flops, measure_peak

RECORDS, ROUNDS = 128, 5
DEMO_WORDS, PAPER_WORDS = 12, 40
"""Words of a report."""
running: list[Iterator[float]] = []
"""The training steps of this process."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--paper", action="store_true", help="the model of params/paper.yaml, this engine alone")
    parser.add_argument("--records", type=int, help="with --paper: records, and of a step at most (default: a batch)")
    parser.add_argument(
        "--steps", type=int, default=10, help="with --paper: steps that are timed, after one that is not"
    )
    options = parser.parse_args()
    device = choose_device()
    chosen = sections("paper" if options.paper else "demo", compiled=options.paper and device.type == "cuda")
    with tempfile.TemporaryDirectory() as scratch, threads(1):
        if options.paper:
            records = options.records or chosen.train.batch
            reports = lay_out(Path(scratch), chosen.signal, records, PAPER_WORDS)
            result = measure(Path(scratch), chosen, reports, device, options.steps)
        else:
            reports = lay_out(Path(scratch), chosen.signal, RECORDS, DEMO_WORDS)
            result = compare(Path(scratch), chosen, reports, device)
    print(json.dumps(result))


def ours(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> Iterator[float]:
    """Yield the seconds of each step of this engine, data included."""
    yield from steps_of(Engine(build(chosen, reports), chosen.train, World(0, 1, device)), folder)


def plain(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> Iterator[float]:
    """Yield the seconds of each step of the plain loop, data included."""
    task, optimiser = plain_task(chosen, reports, device)
    order = Order(len(reports), min(chosen.train.batch, len(reports)), 0)
    generator = torch.Generator(device)
    assert task.model.tokenizer is not None
    tokens = torch.from_numpy(task.model.tokenizer(reports))
    for step in range(10_000):
        begin = time.perf_counter()
        rows = order(step)
        signal = torch.from_numpy(np.stack([prepared(str(folder / f"r{row}"), chosen.signal) for row in rows]))
        count = len(rows)
        batch = Batch(
            signal=signal.to(device), valid=torch.full((count,), signal.shape[2], device=device),
            missing=torch.zeros(count, 12, dtype=torch.bool, device=device), tokens=tokens[rows].to(device),
            row=torch.from_numpy(rows), report=torch.from_numpy(rows).to(device), full=True,
        )  # fmt: skip
        plain_step(task, optimiser, batch, generator)
        yield time.perf_counter() - begin


def plain_task(
    chosen: settings.Settings, reports: list[str], device: torch.device
) -> tuple[Objective, torch.optim.Optimizer]:
    """Return the model of the plain loop, which encodes all tokens, and its optimiser."""
    task = build(chosen, reports).to(device)
    encode_all_tokens(task.model)
    return task, torch.optim.AdamW(task.parameters(), lr=1e-4, foreach=False)


def plain_step(
    task: Objective, optimiser: torch.optim.Optimizer, batch: Batch, generator: torch.Generator
) -> None:  # fmt: skip
    """Take a step of the plain loop in fp32 and wait until it is done."""
    loss = task(batch, task.draw_noise(len(batch["signal"]), generator))["loss"]
    loss.backward()
    torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    loss.item()


def encode_all_tokens(model: method.CGDMER) -> None:
    """Make the encoder see every token, with the hidden patches blanked."""
    encode, sample_mask, masks = model.ecg_encoder.forward, model.sample_mask, list[masking.Mask]()

    def encode_blanked(patches: torch.Tensor, *arguments: Any) -> torch.Tensor:
        hidden = masks[-1].hidden.unflatten(1, patches.shape[1:3])  # (B, L, N)
        tokens: torch.Tensor = encode(patches.masked_fill(hidden[..., None], 0.0), *arguments)
        return tokens

    def keep_all(*arguments: Any, **options: Any) -> masking.Mask:
        mask = sample_mask(*arguments, **options)
        masks[:] = [mask]
        every_token = torch.arange(mask.hidden.shape[1], device=mask.hidden.device)  # (L*N,)
        return replace(mask, ids_keep=every_token.expand(len(mask.hidden), -1))

    model.ecg_encoder.forward = encode_blanked  # type: ignore[assignment]
    model.sample_mask = keep_all  # type: ignore[method-assign]


def begin(implementation: str, *arguments: Any) -> None:
    """Prepare this process for the steps of one implementation."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    running.append({"ours": ours, "baseline": plain}[implementation](*arguments))


def take(count: int) -> list[float]:
    """Return the seconds of the next steps of this process."""
    return [next(running[0]) for _ in range(count)]


def measure(
    folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device, steps: int
) -> dict[str, Any]:
    """Time steps of this engine after one that warms up, and return records/s, FLOPs, share of peak and memory."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    engine = Engine(build(chosen, reports), chosen.train, World(0, 1, device))
    flops, batch = engine.flops(fetcher(engine, folder)(0)[0]), min(chosen.train.batch, len(reports))
    seconds = list(islice(steps_of(engine, folder), steps + 1))[1:]
    rate, peak = batch / float(np.median(seconds)), measure_peak(device, engine.bf16)
    result = {
        "name": "pretrain_paper",
        "records_per_s": round(rate, 3),
        "gflop_per_record": round(flops / 1e9, 1),
        "peak_tflop_per_s": round(peak / 1e12, 3),
        "peak_share": round(rate * flops / peak, 4),
        "memory_gb": round(peak_memory(device) / 1e9, 1),
        "batch": batch,
        "steps": steps,
        "precision": "bf16" if engine.bf16 else "fp32",
        **environment_of(engine, device),
    }
    for name, value in result.items():
        print(f"{name:>18}: {value}")
    return result


def compare(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> dict[str, Any]:
    """Let both take steps in turns and return their medians as records/s."""
    counts, context = {"ours": 3, "baseline": 1}, get_context("spawn")
    seconds: dict[str, list[float]] = {name: [] for name in counts}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(ProcessPoolExecutor(1, context, begin, (name, folder, chosen, reports, device)))
            for name in counts
        }
        for turn in range(ROUNDS + 1):
            for name, process in processes.items():
                taken = process.submit(take, counts[name]).result()
                seconds[name] += taken if turn else []  # the first turn warms up
    batch = min(chosen.train.batch, RECORDS)
    rates = {name: batch / float(np.median(taken)) for name, taken in seconds.items()}
    engine = Engine(build(chosen, reports), chosen.train, World(0, 1, device))
    peak = measure_peak(device, engine.bf16)
    flops = flops_of(engine, chosen, batch)
    for name, rate in rates.items():
        print(f"{name:>8}: {rate:8.1f} records/s")
    share = rates["ours"] * flops / peak
    print(f"    ours: {flops / 1e9:.2f} GFLOP per record, {share:.1%} of a measured peak of {peak / 1e12:.2f} TFLOP/s")
    return {
        "name": "pretrain",
        "ratio": round(rates["ours"] / rates["baseline"], 2),
        **{name: round(rate, 1) for name, rate in rates.items()},
        "unit": "records/s",
        **environment_of(engine, device),
        "peak_share": round(share, 4),
    }


def flops_of(engine: Engine, chosen: settings.Settings, batch: int) -> float:
    """Count the FLOPs per record of a step of this engine."""
    model = engine.task.model
    samples = chosen.signal.samples
    batch_of_noise = Batch(
        signal=torch.randint(-500, 500, (batch, 12, samples), dtype=torch.int16), valid=torch.full((batch,), samples),
        missing=torch.zeros(batch, 12, dtype=torch.bool), tokens=torch.full((batch, 16), 7, dtype=torch.int32),
        row=torch.arange(batch), report=torch.arange(batch), full=True,
    )  # fmt: skip
    assert isinstance(model, method.CGDMER)
    noise = engine.draw_noise((batch,), 0, "flops")
    with torch.autocast(engine.device.type, torch.bfloat16, enabled=engine.bf16):
        return count_flops(lambda: engine.task(engine.to_device(batch_of_noise), noise)["loss"]) / batch


if __name__ == "__main__":
    main()
