"""Embedding files of one's own: `cgdmer embed` beside a loop of `wfdb.rdrecord`, the same filter and one call a record.

Run: python -m benchmarks.own [FOLDER WITH weights.safetensors]
Without a folder the demo's model settings are used with weights that were never trained: speed is the same.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import wfdb

from benchmarks.decode import processor, recordings
from cgdmer import load_encoder, settings
from cgdmer.encoders.cgdmer import Pretrained
from cgdmer.models import weights
from cgdmer.signals import canonical
from cgdmer.waveforms import record_bytes

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
RECORDS, NAIVE, ROUNDS = 20_000, 300, 3
"""Files of ours a round, so many that the start of the command is part of it and does not decide; files of the loop."""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else untrained(folder / "model")
        files, origin = lay_out(folder / "in")
        encoder = load_encoder(model)
        rates = []
        for _ in range(ROUNDS):
            ours = rate(RECORDS, lambda: embed(folder / "in", model, folder / "out.parquet"))
            rates.append((ours, rate(NAIVE, lambda: loop(files[:NAIVE], encoder))))
            print(f"ours {rates[-1][0]:6,.0f}, loop {rates[-1][1]:6,.0f} records/s")
    ours, baseline = np.median(rates, axis=0)
    print(
        json.dumps(
            {
                "name": "own",
                "ratio": round(ours / baseline, 2),
                "ours": round(ours),
                "baseline": round(baseline),
                "unit": "records/s",
                "machine": f"{processor()}, {os.cpu_count()} cores",
                "records": f"{RECORDS} files of 12 x 5,000 samples, {origin}",
            }
        )
    )


def untrained(folder: Path) -> Path:
    """Write the demo's encoder before training."""
    demo = settings.load()
    parts = (demo.model, demo.masking, demo.objective, demo.signal)
    weights.save(folder, weights.create(*parts, ["sinus rhythm", "atrial fibrillation"], 0), demo.signal, {})
    return folder


def lay_out(folder: Path) -> tuple[list[Path], str]:
    """Write records as WFDB files, the same few again and again under new names, their samples as links."""
    folder.mkdir()
    digital, origin = recordings()
    for number in range(RECORDS):
        known = number % len(digital)
        for name, content in record_bytes(f"r{number:05d}", digital[known], 500, LEADS).items():
            first = folder / f"r{known:05d}.dat"
            if name.endswith(".dat") and number != known:
                (folder / name).hardlink_to(first)
            else:
                (folder / name).write_bytes(content)
    return sorted(folder.glob("*.hea")), origin


def embed(folder: Path, model: Path, output: Path) -> None:
    """Run the command as a person does, its start included."""
    words = ["--quiet", "embed", str(folder), "--model", str(model), "-o", str(output)]
    subprocess.run([sys.executable, "-m", "cgdmer", *words], stdout=subprocess.DEVNULL, check=True)


def loop(files: list[Path], encoder: Pretrained) -> None:
    for path in files:
        record = wfdb.rdrecord(str(path.with_suffix("")))
        signal = record.p_signal.T.astype(np.float32)
        made = canonical(signal, record.fs, record.sig_name, encoder.form, encoder.seconds)
        encoder.encode(made.signal[None, :, : made.valid].astype(np.float32) / 1000)


def rate(count: int, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
