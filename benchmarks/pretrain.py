"""Throughput of pretraining: this engine against a plain loop with the same model, in turns, on the same device.

Run: python -m benchmarks.pretrain [--paper]

The plain loop is what a first version looks like: it reads WFDB with `wfdb`, filters and resamples in every epoch,
runs in fp32, encodes all tokens with the hidden ones blanked, and uses default AdamW. Ours reads shards, encodes
visible tokens only, and on a GPU runs bf16 with flash attention. Both compute the same terms. Each has its own process,
because the threads and memory that one sets up would change the speed of the other. `--paper` takes the model sizes of
params/paper.yaml.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import wfdb
from scipy import signal as dsp

from benchmarks.decode import processor
from cgdmer import objectives, settings, tables
from cgdmer.distributed import choose_device
from cgdmer.models import cgdmer as method
from cgdmer.models import masking, weights
from cgdmer.models.cgdmer import Batch
from cgdmer.shards import manifest, open_shards
from cgdmer.signals.leads import LEADS
from cgdmer.training import Records, World, threads
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch, Order, prefetch
from cgdmer.training.throughput import count_flops, measure_peak, synchronise

RECORDS, ROUNDS, SOURCE_FS = 128, 5, 500
running: list[Iterator[float]] = []
"""The training steps of this process."""
WORDS = ("sinus", "rhythm", "atrial", "fibrillation", "left", "bundle", "branch", "block", "normal", "ecg", "infarct")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--paper", action="store_true", help="model sizes of params/paper.yaml")
    chosen = sections("paper" if options.parse_args().paper else "demo")
    device = choose_device()
    with tempfile.TemporaryDirectory() as scratch, threads(1):
        reports = lay_out(Path(scratch), chosen.signal)
        result = compare(Path(scratch), chosen, reports, device)
    print(json.dumps(result))


def sections(profile: str) -> settings.Settings:
    """Read a profile; its report encoder is trained from scratch, so that nothing is downloaded."""
    base = settings.read(Path("params/demo.yaml"))
    offline: dict[str, Any] = {"model": {"text": None}, "train": {"compile": False}}
    overlay = settings.read(Path(f"params/{profile}.yaml"))
    return settings.parse(settings.merge(settings.merge(base, overlay), offline))


def lay_out(folder: Path, form: settings.Signal) -> list[str]:
    """Write the same records as WFDB at 500 Hz and as shards in the canonical form; return their reports."""
    draw = np.random.default_rng(0)
    time_axis = np.arange(SOURCE_FS * 10) / SOURCE_FS
    rate = draw.uniform(0.8, 2.0, (RECORDS, 1, 1))
    waves = np.exp(20 * (np.cos(2 * np.pi * rate * time_axis) - 1)) * draw.uniform(0.3, 1.5, (RECORDS, 12, 1))
    waves += 0.02 * draw.normal(size=waves.shape)
    for row, wave in enumerate(waves):
        wfdb.wrsamp(
            f"r{row}", fs=SOURCE_FS, units=["mV"] * 12, sig_name=list(LEADS), p_signal=wave.T, fmt=["16"] * 12,
            adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder),
        )  # fmt: skip
    stored = np.stack([prepared(str(folder / f"r{row}"), form) for row in range(RECORDS)])
    np.save(folder / manifest.shard_name(0), (1000 * stored).astype(np.int16))
    reports = [" ".join(draw.choice(WORDS, 12)) for _ in range(RECORDS)]
    rows = pl.DataFrame(
        {"report": reports, "valid": np.full(RECORDS, form.samples, np.int32), "missing": np.zeros(RECORDS, np.uint16)}
    )
    tables.write(rows, folder / manifest.ROWS)
    tables.write(rows.head(0), folder / manifest.QUARANTINE)
    manifest.describe(
        folder, fs=form.fs, samples=form.samples, leads=LEADS, settings={}, shards={manifest.shard_name(0): RECORDS}
    )  # fmt: skip
    return reports


def prepared(path: str, form: settings.Signal) -> np.ndarray:
    """Read, filter and resample one record the usual way; return float32 mV (12, T)."""
    record = wfdb.rdrecord(path)
    assert record.p_signal is not None
    corners = dsp.butter(form.order, [form.low, form.high], "bandpass", fs=SOURCE_FS, output="sos")
    filtered = dsp.sosfiltfilt(corners, record.p_signal.T, axis=1)
    return dsp.resample_poly(filtered, round(form.fs), SOURCE_FS, axis=1).astype(np.float32)


def build(chosen: settings.Settings, reports: list[str]) -> objectives.Objective:
    """Return a freshly drawn model with its losses."""
    model = weights.create(chosen.model, chosen.masking, chosen.objective, chosen.signal, reports, chosen.train.seed)
    return objectives.Objective(model, chosen.objective)


def ours(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> Iterator[float]:
    """Yield the seconds of each step of this engine, data included."""
    engine = Engine(build(chosen, reports), chosen.train, World(0, 1, device))
    shards = open_shards(folder)
    tokenizer = engine.task.model.tokenizer  # type: ignore[union-attr]
    records = Records(shards, np.arange(RECORDS), tokenizer)  # type: ignore[arg-type]
    order = Order(RECORDS, min(chosen.train.batch, RECORDS), 0)

    def fetch(step: int) -> list[MicroBatch]:
        batch = records(order(step))
        return [MicroBatch(batch, (len(batch["row"]),), 1.0)]

    for step, (micro_batches, waited) in enumerate(prefetch(fetch, range(10_000), 2)):
        begin = time.perf_counter()
        engine.step(step, micro_batches, 1e-4)
        synchronise(device)
        yield time.perf_counter() - begin + waited


def plain(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> Iterator[float]:
    """Yield the seconds of each step of the plain loop, data included."""
    task = build(chosen, reports).to(device)
    encode_all_tokens(task.model)
    optimiser = torch.optim.AdamW(task.parameters(), lr=1e-4, foreach=False)
    order, generator = Order(RECORDS, min(chosen.train.batch, RECORDS), 0), torch.Generator(device)
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
        loss = task(batch, task.draw_noise(count, generator))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        loss.item()
        yield time.perf_counter() - begin


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
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    for name, rate in rates.items():
        print(f"{name:>8}: {rate:8.1f} records/s")
    share = rates["ours"] * flops / peak
    print(f"    ours: {flops / 1e9:.2f} GFLOP per record, {share:.1%} of a measured peak of {peak / 1e12:.2f} TFLOP/s")
    return {
        "name": "pretrain",
        "ratio": round(rates["ours"] / rates["baseline"], 2),
        **{name: round(rate, 1) for name, rate in rates.items()},
        "unit": "records/s",
        "machine": gpu or f"{processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in engine.task.parameters()),
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
