"""A tiny pretraining set as shards; its reports describe the waves: rate, shape, and where they are tall."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch

from cgdmer import paths, settings, tables
from cgdmer.files import write_json
from cgdmer.models.cgdmer import CGDMER, Batch
from cgdmer.shards import manifest, open_shards
from cgdmer.signals.leads import HEXAXIAL, LEADS

SIGNAL = settings.Signal(fs=50.0, seconds=4.0)
MODEL = settings.Model(
    width=32, depth=2, heads=2, patch=20, decoder_width=16, decoder_depth=1, projection=16, text_width=32, text_depth=1,
    text_heads=2, vocabulary=128, max_tokens=16,
)  # fmt: skip
RATES, SHAPES, PLACES = ("slow", "fast", "very fast"), ("smooth", "peaked"), ("limb", "chest")


def awake(module):
    """Move every weight off its start, where blocks are the identity and attention could not be seen to be wrong."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return module


def signals(records: int, seed: int = 0) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return int16 microvolt (n, 12, 200), reports, and the three findings (n, 3)."""
    draw = np.random.default_rng(seed)
    findings = np.stack([draw.integers(0, len(kind), records) for kind in (RATES, SHAPES, PLACES)], 1)
    time = np.arange(SIGNAL.samples) / SIGNAL.fs
    phase = 2 * np.pi * (np.array([0.8, 1.5, 2.5])[findings[:, :1]] * time + draw.random((records, 1)))
    wave = np.where(findings[:, 1:2] == 0, np.sin(phase), np.exp(8 * (np.cos(phase) - 1)))
    limb = np.einsum("lk,nk->nl", HEXAXIAL, draw.uniform(0.5, 1.0, (records, 2)))
    chest = draw.uniform(0.5, 1.0, (records, 6))
    gain = np.concatenate([limb * (1 + 2 * (findings[:, 2:] == 0)), chest * (1 + 2 * (findings[:, 2:] == 1))], 1)
    millivolt = gain[:, :, None] * wave[:, None] + 0.05 * draw.normal(size=(records, 12, len(time)))
    text = [f"{RATES[a]} rate with {SHAPES[b]} waves tall in {PLACES[c]} leads" for a, b, c in findings]
    return (1000 * millivolt).round().astype(np.int16), text, findings


def batch(model: CGDMER, records: int = 6, short: Sequence[int] = ()) -> Batch:
    """Return the first records as a training step gets them; `short` ones are half padding."""
    microvolt, reports, _ = signals(records)
    signal = torch.from_numpy(microvolt)
    valid = torch.full((records,), signal.shape[2], dtype=torch.int32)
    for row in short:
        valid[row] = signal.shape[2] // 2
        signal[row, :, signal.shape[2] // 2 :] = 0
    tokens = torch.from_numpy(model.tokenizer(reports)) if model.report_encoder else torch.zeros(records, 1).int()
    codes = torch.tensor([sorted(set(reports)).index(report) for report in reports])
    missing = torch.zeros(records, 12, dtype=torch.bool)
    return Batch(
        signal=signal, valid=valid, missing=missing, tokens=tokens, row=torch.arange(records), report=codes,
        full=not short,
    )  # fmt: skip


def write(root: Path, source: str = "mimic_iv_ecg", records: int = 96, seed: int = 0) -> None:
    """Write shards and the pretraining set below `root`; the last quarter is validation, each seventh record short."""
    microvolt, text, _ = signals(records, seed)
    folder = root / paths.shards(source)
    folder.mkdir(parents=True, exist_ok=True)
    valid = np.full(records, SIGNAL.samples, dtype=np.int32)
    valid[6::7] = SIGNAL.samples // 2
    for row, count in enumerate(valid):
        microvolt[row, :, count:] = 0
    half = records // 2
    for number, shard in enumerate((microvolt[:half], microvolt[half:])):
        np.save(folder / manifest.shard_name(number), shard)
    rows = pl.DataFrame(
        {
            "id": [f"{source}-{row:04d}" for row in range(records)],
            "patient": [str(row) for row in range(records)],
            "split": ["val" if row >= records * 3 // 4 else "train" for row in range(records)],
            "report": text,
            "valid": valid,
            "missing": np.zeros(records, dtype=np.uint16),
            "flat": np.zeros(records, dtype=np.uint16),
        }
    )
    tables.write(rows, folder / manifest.ROWS)
    tables.write(rows.head(0), folder / manifest.QUARANTINE)
    counts = {manifest.shard_name(0): half, manifest.shard_name(1): records - half}
    manifest.describe(folder, fs=SIGNAL.fs, samples=SIGNAL.samples, leads=LEADS, settings={}, shards=counts)
    digest = open_shards(folder).digest
    write_json(root / paths.PRETRAINING_SET, {"sources": {source: {"digest": digest, "records": records}}})
