"""Example recordings for tests: beats at 500 Hz in any file format, and a small encoder for them."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np

from cgdmer import settings
from cgdmer.models import weights
from cgdmer.signals import LEADS
from cgdmer.signals.leads import HEXAXIAL
from cgdmer.waveforms import record_bytes
from support import example_pool as example

FS, SECONDS = 500.0, 5.0
S3 = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
"""Variables with which boto3 reaches a pretended store."""


def beat_interval(seed: int) -> float:
    """Return the seconds between two beats of `millivolt`."""
    return np.random.default_rng(seed).uniform(0.6, 1.0)


def millivolt(seed: int = 0, seconds: float = SECONDS) -> np.ndarray:
    """Return beats whose limb leads satisfy the identities, float64 mV (12, T), whole microvolts."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(seconds * FS)) / FS
    wave = sum(np.exp(-(((time - peak) / 0.03) ** 2)) for peak in np.arange(0.4, seconds, draw.uniform(0.6, 1.0)))
    pair = draw.uniform(0.4, 1.0, (2, 1)) * wave + 0.02 * np.cumsum(draw.normal(size=(2, len(time))), axis=1) / 20
    chest = draw.uniform(0.5, 1.5, (6, 1)) * wave + 0.02 * draw.normal(size=(6, len(time)))
    return np.concatenate([HEXAXIAL @ pair, chest]).round(3)


def wfdb(folder: Path, name: str, seed: int = 0, seconds: float = SECONDS) -> Path:
    """Write a WFDB record whose header is called `name`, with any characters, and return the header's path."""
    folder.mkdir(parents=True, exist_ok=True)
    digital = (millivolt(seed, seconds) * 1000).round().astype(np.int16)
    files = record_bytes(f"r{seed}", digital, FS, LEADS)
    (folder / f"r{seed}.dat").write_bytes(files[f"r{seed}.dat"])
    (folder / f"{name}.hea").write_bytes(files[f"r{seed}.hea"])
    return folder / f"{name}.hea"


def npy(folder: Path, name: str, seed: int = 0, *, sidecar: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", millivolt(seed))
    if sidecar:
        (folder / f"{name}.json").write_text(json.dumps({"fs": FS, "unit": "mV", "leads": list(LEADS)}))
    return folder / f"{name}.npy"


def csv(folder: Path, name: str, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.column_stack([np.arange(len(millivolt(seed)[0])) / FS, millivolt(seed).T])
    lines = [",".join(["time", *LEADS]), *(",".join(f"{value:.4f}" for value in row) for row in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines))
    (folder / f"{name}.json").write_text(json.dumps({"fs": FS, "unit": "mV"}))
    return folder / f"{name}.csv"


def edf(folder: Path, name: str, seed: int = 0, prefix: str = "ECG ") -> Path:
    import edfio

    folder.mkdir(parents=True, exist_ok=True)
    signals = [
        edfio.EdfSignal(row, FS, label=f"{prefix}{lead}", physical_dimension="mV", physical_range=(-10, 10))
        for lead, row in zip(LEADS, millivolt(seed), strict=True)
    ]
    other = edfio.EdfSignal(
        np.zeros(round(SECONDS * 10)), 10, label="SpO2", physical_dimension="%", physical_range=(0, 100)
    )
    edfio.Edf([other, *signals]).write(folder / f"{name}.edf")
    return folder / f"{name}.edf"


@functools.cache
def _folder(leads: str):
    return tempfile.TemporaryDirectory(prefix=f"model-{leads}")


@functools.cache
def model(leads: str = "all") -> Path:
    """Return a folder with a small untrained encoder, for signals of 4 s at 50 Hz, whose tokens are of these leads."""
    _, reports, _ = example.signals(20)
    settings_of_model = example.MODEL.model_copy(update={"leads": leads})
    network = example.awake(
        weights.create(settings_of_model, settings.Masking(), settings.Objective(), example.SIGNAL, reports, 0)
    )
    folder = Path(_folder(leads).name)
    weights.save(folder, network, example.SIGNAL, {})
    return folder
