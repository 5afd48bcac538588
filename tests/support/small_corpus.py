"""A small WFDB corpus on disk with its index, for tests of its readers; records are damaged on request."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.signals import LEADS
from cgdmer.signals.leads import HEXAXIAL
from cgdmer.waveforms.write import record_bytes

FAULTS: dict[str, Callable[[Path], object]] = {
    "is missing": lambda header: header.with_suffix(".dat").unlink(),
    "unknown lead names": lambda header: header.write_text(header.read_text().replace(" V3\n", " MLII\n")),
    "zero gain": lambda header: header.write_text(header.read_text().replace("1000.0(0)", "0(0)")),
    "sampling rate": lambda header: header.write_text(header.read_text().replace(" 500 ", " 3 ")),
    "samples": lambda header: header.with_suffix(".dat").write_bytes(header.with_suffix(".dat").read_bytes()[:1000]),
    "amplitude of": lambda header: header.write_text(header.read_text().replace("1000.0(0)", "1.0(0)")),
    "missing in a row": lambda header: header.with_suffix(".dat").write_bytes(
        bytes([0, 128]) * 12 * 200 + header.with_suffix(".dat").read_bytes()[24 * 200 :]
    ),
    "flat leads": lambda header: header.with_suffix(".dat").write_bytes(bytes(24 * 2000)),
}
"""A substring of the quarantine reason to the function that causes it."""


def digital(seed: int, samples: int = 2000) -> np.ndarray:
    """Return int16 ADC values (12, T), 1000 per mV, with consistent limb leads."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / 500
    beats = sum(np.exp(-((t - c) ** 2) / (2 * 0.012**2)) for c in np.arange(0.2, t[-1] + 1, 0.7))
    heart = rng.normal(size=(8, 1)) * beats * 800 + rng.normal(size=(8, samples)) * 10
    return np.concatenate([HEXAXIAL @ heart[:2], heart[2:]]).clip(-9000, 9000).astype(np.int16)


def write_corpus(folder: Path, records: int, faults: dict[int, str] | None = None) -> pl.DataFrame:
    """Write records r000, r001, ... at 500 Hz and return their index; `faults` maps a number to a key of FAULTS."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"r{number:03d}" for number in range(records)]
    for number, name in enumerate(names):
        for file, content in record_bytes(name, digital(number), 500.0, LEADS).items():
            (folder / file).write_bytes(content)
        if faults and number in faults:
            FAULTS[faults[number]](folder / f"{name}.hea")
    columns = {
        "id": names,
        "patient": [f"p{number}" for number in range(records)],
        "member": [f"{name}.hea" for name in names],
        "fs": [500.0] * records,
        "samples": [2000] * records,
        "leads": [list(LEADS)] * records,
        "report": ["sinus rhythm normal ecg" if number % 3 else "" for number in range(records)],
        "age": [50.0] * records,
        "sex": ["female"] * records,
        "split": [tables.SPLITS[number % 5 % 3] for number in range(records)],
    }
    return pl.DataFrame(columns, schema=tables.INDEX_COLUMNS)
