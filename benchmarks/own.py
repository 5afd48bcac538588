"""Compare `cgdmer embed` with a loop over `wfdb.rdrecord`, the same filter and one call of the encoder per record.

Without the folder of an encoder, an untrained one with the demo's settings is used; it is as fast as a trained one.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import wfdb

from benchmarks.decode import recordings
from benchmarks.measuring import machine, parser_of
from cgdmer import load_encoder, settings
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.models import weights
from cgdmer.signals import canonical
from cgdmer.waveforms import record_bytes

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
RECORDS, LOOP_RECORDS, ROUNDS = 20_000, 300, 3
"""Files per round of the command, so many that its start-up time does not dominate, and of the loop."""


def main() -> None:
    parser = parser_of("own", __doc__)
    parser.add_argument("encoder", nargs="?", type=Path, help="folder with weights.safetensors")
    given = parser.parse_args().encoder
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = given or save_untrained(folder / "model")
        files, origin = write_records(folder / "in")
        encoder = load_encoder(model)
        rates = []
        for _ in range(ROUNDS):
            ours = rate(RECORDS, lambda: embed(folder / "in", model, folder / "out.parquet"))
            rates.append((ours, rate(LOOP_RECORDS, lambda: loop(files[:LOOP_RECORDS], encoder))))
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
                "machine": machine(),
                "records": f"{RECORDS} files of 12 x 5,000 samples, {origin}",
            }
        )
    )


def save_untrained(folder: Path) -> Path:
    """Save an untrained encoder with the demo's settings."""
    demo = settings.load()
    parts = (demo.model, demo.masking, demo.objective, demo.signal)
    weights.save(folder, weights.create(*parts, ["sinus rhythm", "atrial fibrillation"], 0), demo.signal, {})
    return folder


def write_records(folder: Path) -> tuple[list[Path], str]:
    """Write WFDB records: the same few repeated under new names, with hard links to their signal files."""
    folder.mkdir()
    digital, origin = recordings()
    for number in range(RECORDS):
        original = number % len(digital)
        for name, content in record_bytes(f"r{number:05d}", digital[original], 500, LEADS).items():
            signal_file = folder / f"r{original:05d}.dat"
            if name.endswith(".dat") and number != original:
                (folder / name).hardlink_to(signal_file)
            else:
                (folder / name).write_bytes(content)
    return sorted(folder.glob("*.hea")), origin


def embed(folder: Path, model: Path, output: Path) -> None:
    """Run the command as a user does, including its start-up."""
    arguments = ["--quiet", "embed", str(folder), "--model", str(model), "--output", str(output)]
    subprocess.run([sys.executable, "-m", "cgdmer", *arguments], stdout=subprocess.DEVNULL, check=True)


def loop(files: list[Path], encoder: Pretrained) -> None:
    for path in files:
        record = wfdb.rdrecord(str(path.with_suffix("")))
        signal = record.p_signal.T.astype(np.float32)
        result = canonical(signal, record.fs, record.sig_name, encoder.form, encoder.seconds)
        encoder.encode(result.signal[None, :, : result.valid].astype(np.float32) / 1000)


def rate(count: int, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
