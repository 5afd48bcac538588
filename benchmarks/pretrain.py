"""Pretraining steps of this engine beside a plain loop on the same model sizes, in turns, on the same device.

Run: python -m benchmarks.pretrain [--paper]

The plain loop is what a first version looks like: WFDB read by `wfdb`, filtered and resampled in every epoch, fp32,
all tokens through the encoder with hidden ones blanked, AdamW as it comes. Ours reads shards, hides before encoding,
and on a GPU runs bf16 with flash attention. Both do the same terms, each in a process of its own, because threads and
memory that one has set up would speed up or slow down the other. `--paper` takes the sizes of params/paper.yaml.
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
from cgdmer.training.records import MicroBatch, Order, ahead
from cgdmer.training.speed import count_flops, peak, wait

RECORDS, ROUNDS, SOURCE_FS = 128, 5, 500
running: list[Iterator[float]] = []
"""Steps of the way that this process takes."""
WORDS = ("sinus", "rhythm", "atrial", "fibrillation", "left", "bundle", "branch", "block", "normal", "ecg", "infarct")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--paper", action="store_true", help="the sizes of params/paper.yaml")
    chosen = sections("paper" if options.parse_args().paper else "demo")
    device = choose_device()
    with tempfile.TemporaryDirectory() as scratch, threads(1):
        reports = lay_out(Path(scratch), chosen.signal)
        result = compare(Path(scratch), chosen, reports, device)
    print(json.dumps(result))


def sections(profile: str) -> settings.Settings:
    """Read a profile; report encoders are trained from scratch, so that nothing is downloaded."""
    base = settings.read(Path("params/demo.yaml"))
    small: dict[str, Any] = {"model": {"text": None}, "train": {"compile": False}}
    overlay = settings.read(Path(f"params/{profile}.yaml"))
    return settings.parse(settings.merge(settings.merge(base, overlay), small))


def lay_out(folder: Path, form: settings.Signal) -> list[str]:
    """Write the same records as WFDB at 500 Hz and as shards at the method's rate; return their reports."""
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
    """Read, filter and resample one record in the usual way: float32 mV (12, T)."""
    record = wfdb.rdrecord(path)
    assert record.p_signal is not None
    corners = dsp.butter(form.order, [form.low, form.high], "bandpass", fs=SOURCE_FS, output="sos")
    filtered = dsp.sosfiltfilt(corners, record.p_signal.T, axis=1)
    return dsp.resample_poly(filtered, round(form.fs), SOURCE_FS, axis=1).astype(np.float32)


def built(chosen: settings.Settings, reports: list[str]) -> objectives.Objective:
    model = weights.create(chosen.model, chosen.masking, chosen.objective, chosen.signal, reports, chosen.train.seed)
    return objectives.Objective(model, chosen.objective)


def ours(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> Iterator[float]:
    """Yield the seconds of each step, data included."""
    engine = Engine(built(chosen, reports), chosen.train, World(0, 1, device))
    shards = open_shards(folder)
    tokenizer = engine.task.model.tokenizer  # type: ignore[union-attr]
    records = Records(shards, np.arange(RECORDS), tokenizer)  # type: ignore[arg-type]
    order = Order(RECORDS, min(chosen.train.batch, RECORDS), 0)

    def fetch(step: int) -> list[MicroBatch]:
        batch = records(order(step))
        return [MicroBatch(batch, (len(batch["row"]),), 1.0)]

    for step, (micro, waited) in enumerate(ahead(fetch, range(10_000), 2)):
        begin = time.perf_counter()
        engine.step(step, micro, 1e-4)
        wait(device)
        yield time.perf_counter() - begin + waited


def plain(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> Iterator[float]:
    """Yield the seconds of each step of the plain loop, data included."""
    task = built(chosen, reports).to(device)
    show_all(task.model)
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
        loss = task(batch, task.noise(count, generator))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        loss.item()
        yield time.perf_counter() - begin


def show_all(model: method.CGDMER) -> None:
    """Let every token through the encoder, the hidden ones blanked."""
    encode, hide, chosen = model.ecg.forward, model.hide, list[masking.Mask]()

    def blanked(
        patches: torch.Tensor, spread: torch.Tensor, leads: torch.Tensor, places: torch.Tensor, real: None
    ) -> torch.Tensor:
        hidden = chosen[-1].hidden.unflatten(1, patches.shape[1:3])
        tokens: torch.Tensor = encode(patches.masked_fill(hidden[..., None], 0.0), spread, leads, places, real)
        return tokens

    def everywhere(*arguments: Any, **named: Any) -> masking.Mask:
        drawn = hide(*arguments, **named)
        chosen[:] = [drawn]
        tokens = drawn.hidden.shape[1]
        return replace(drawn, places=torch.arange(tokens, device=drawn.hidden.device).expand(len(drawn.hidden), -1))

    model.ecg.forward = blanked  # type: ignore[assignment]
    model.hide = everywhere  # type: ignore[method-assign]


def begin(way: str, *arguments: Any) -> None:
    """Make this process one that takes steps of one way."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    running.append({"ours": ours, "baseline": plain}[way](*arguments))


def take(count: int) -> list[float]:
    """Return the seconds of the next steps of this process."""
    return [next(running[0]) for _ in range(count)]


def compare(folder: Path, chosen: settings.Settings, reports: list[str], device: torch.device) -> dict[str, Any]:
    """Take steps in turns and return medians as records/s."""
    counts, context = {"ours": 3, "baseline": 1}, get_context("spawn")
    seconds: dict[str, list[float]] = {name: [] for name in counts}
    with ExitStack() as stack:
        ways = {
            name: stack.enter_context(ProcessPoolExecutor(1, context, begin, (name, folder, chosen, reports, device)))
            for name in counts
        }
        for turn in range(ROUNDS + 1):
            for name, way in ways.items():
                taken = way.submit(take, counts[name]).result()
                seconds[name] += taken if turn else []
    batch = min(chosen.train.batch, RECORDS)
    rates = {name: batch / float(np.median(taken)) for name, taken in seconds.items()}
    engine = Engine(built(chosen, reports), chosen.train, World(0, 1, device))
    best = peak(device, engine.bf16)
    flops = flops_of(engine, chosen, batch)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    for name, rate in rates.items():
        print(f"{name:>8}: {rate:8.1f} records/s")
    share = rates["ours"] * flops / best
    print(f"    ours: {flops / 1e9:.2f} GFLOP a record, {share:.1%} of a measured peak of {best / 1e12:.2f} TFLOP/s")
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
    """Count the FLOPs of a record of our step."""
    model = engine.task.model
    samples = chosen.signal.samples
    given = Batch(
        signal=torch.randint(-500, 500, (batch, 12, samples), dtype=torch.int16), valid=torch.full((batch,), samples),
        missing=torch.zeros(batch, 12, dtype=torch.bool), tokens=torch.full((batch, 16), 7, dtype=torch.int32),
        row=torch.arange(batch), report=torch.arange(batch), full=True,
    )  # fmt: skip
    assert isinstance(model, method.CGDMER)
    drawn = engine.drawn((batch,), 0, "flops")
    with torch.autocast(engine.device.type, torch.bfloat16, enabled=engine.bf16):
        return count_flops(lambda: engine.task(engine.placed(given), drawn)["loss"]) / batch


if __name__ == "__main__":
    main()
