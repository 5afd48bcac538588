"""What both pretraining benchmarks need: a profile, its records as files, its model, and the steps of this engine."""

import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import wfdb
from scipy import signal as dsp

from benchmarks.measuring import machine
from benchmarks.report_encoder import untrained
from cgdmer import objectives, settings, tables
from cgdmer.models import weights
from cgdmer.shards import manifest, open_shards
from cgdmer.signals.leads import LEADS
from cgdmer.training import Records
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch, Order, prefetch
from cgdmer.training.throughput import synchronise

SOURCE_FS = 500
WORDS = ("sinus", "rhythm", "atrial", "fibrillation", "left", "bundle", "branch", "block", "normal", "ecg", "infarct")


def sections(profile: str, *, compiled: bool) -> settings.Settings:
    """Read a profile, with `train.compile` as given."""
    base, overlay = (settings.read(Path(f"params/{name}.yaml")) for name in ("demo", profile))
    return settings.parse(settings.merge(settings.merge(base, overlay), {"train": {"compile": compiled}}))


def lay_out(folder: Path, form: settings.Signal, records: int, words: int) -> list[str]:
    """Write the same records as WFDB at 500 Hz and as shards in the canonical form.

    Returns their reports of `words` words each.
    """
    draw = np.random.default_rng(0)
    time_axis = np.arange(SOURCE_FS * 10) / SOURCE_FS
    rate = draw.uniform(0.8, 2.0, (records, 1, 1))
    waves = np.exp(20 * (np.cos(2 * np.pi * rate * time_axis) - 1)) * draw.uniform(0.3, 1.5, (records, 12, 1))
    waves += 0.02 * draw.normal(size=waves.shape)
    for row, wave in enumerate(waves):
        wfdb.wrsamp(
            f"r{row}", fs=SOURCE_FS, units=["mV"] * 12, sig_name=list(LEADS), p_signal=wave.T, fmt=["16"] * 12,
            adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder),
        )  # fmt: skip
    stored = np.stack([prepared(str(folder / f"r{row}"), form) for row in range(records)])
    np.save(folder / manifest.shard_name(0), (1000 * stored).astype(np.int16))
    reports = [" ".join(draw.choice(WORDS, words)) for _ in range(records)]
    rows = pl.DataFrame(
        {"report": reports, "valid": np.full(records, form.samples, np.int32), "missing": np.zeros(records, np.uint16)}
    )
    tables.write(rows, folder / manifest.ROWS)
    tables.write(rows.head(0), folder / manifest.QUARANTINE)
    manifest.describe(
        folder, fs=form.fs, samples=form.samples, leads=LEADS, settings={}, shards={manifest.shard_name(0): records}
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
    model = weights.create(
        chosen.model, chosen.masking, chosen.objective, chosen.signal, reports, chosen.train.seed, untrained
    )
    return objectives.Objective(model, chosen.objective, chosen.augmentation)


def steps_of(engine: Engine, folder: Path) -> Iterator[float]:
    """Yield the seconds of each step of an engine on the records of a folder, data included."""
    fetch, device = fetcher(engine, folder), engine.device
    for step, (micro_batches, waited) in enumerate(prefetch(fetch, range(10_000), 2)):
        begin = time.perf_counter()
        engine.step(step, micro_batches, 1e-4)
        synchronise(device)
        yield time.perf_counter() - begin + waited


def fetcher(engine: Engine, folder: Path, batch: int | None = None) -> Callable[[int], list[MicroBatch]]:
    """Return a function that reads the micro-batch of a step, of `batch` records or as many as the settings say."""
    shards = open_shards(folder)
    tokenizer = engine.task.model.tokenizer  # type: ignore[union-attr]
    records = Records(shards, np.arange(len(shards)), tokenizer)  # type: ignore[arg-type]
    order = Order(len(shards), min(batch or engine.train.batch, len(shards)), 0)

    def fetch(step: int) -> list[MicroBatch]:
        pinned = engine.pin(records(order(step)))
        return [MicroBatch(pinned, (len(pinned["row"]),), 1.0)]

    return fetch


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that tensors took on a GPU, or that this process took on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def environment_of(engine: Engine, device: torch.device) -> dict[str, Any]:
    """Return what a result depends on: machine, versions, number of parameters, and how busy the machine was.

    Threads of one process wait for each other, so a busy core costs more than its share: with a load of 11 on two
    cores, two threads train the demo at 3 records/s and one thread at 40.
    """
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "machine": gpu or machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in engine.task.parameters()),
        "load": round(os.getloadavg()[0], 1),
    }
