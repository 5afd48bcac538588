"""Compare decoding to float32 mV with `wfdb.rdsamp`: the same files, alternating, in CPU time of one core."""

import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import wfdb

from benchmarks.measuring import machine, parser_of
from cgdmer.archives import Archive, open_archive
from cgdmer.waveforms import read_record, record_bytes

SHARED = Path(os.environ.get("CGDMER_TEST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
RECORDS, ROUNDS = 120, 8
LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")


def main() -> None:
    parser_of("decode", __doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        layouts, origin = write_records(Path(scratch))
        print(
            f"{RECORDS} records of 12 x 5,000 samples ({origin}), {ROUNDS} alternating rounds, median rate of one core"
        )
        rates = {layout: compare(*paths) for layout, paths in layouts.items()}
    for layout, (ours, theirs) in rates.items():
        print(f"{layout:>14}: {ours:8,.0f} records/s, wfdb.rdsamp {theirs:6,.0f}, ratio {ours / theirs:5.1f}")
    ours, theirs = rates["16"]
    print(
        json.dumps(
            {
                "name": "decode",
                "ratio": round(ours / theirs, 2),
                "ours": round(ours),
                "baseline": round(theirs),
                "unit": "records/s",
                "machine": machine(),
                "records": origin,
                "ratios": {layout: round(ours / theirs, 2) for layout, (ours, theirs) in rates.items()},
            }
        )
    )


def write_records(scratch: Path) -> tuple[dict[str, tuple[Archive, Path]], str]:
    """Write the same records in format 16, in format 16+24, and in a zip of the first; real ones if there are any."""
    digital, origin = recordings()
    for fmt in ("16", "16+24"):
        (scratch / fmt).mkdir()
        for number, signal in enumerate(digital):
            for name, content in record_bytes(f"{number:05d}_hr", signal, 500, LEADS, fmt=fmt).items():
                (scratch / fmt / name).write_bytes(content)
    with zipfile.ZipFile(scratch / "16.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((scratch / "16").iterdir()):
            archive.write(path, path.name)
    folders = {fmt: (open_archive(scratch / fmt), scratch / fmt) for fmt in ("16", "16+24")}
    return {**folders, "16 in a zip": (open_archive(scratch / "16.zip"), scratch / "16")}, origin


def recordings() -> tuple[list[np.ndarray], str]:
    """Return int16 signals (12, 5000): PTB-XL's if the real recordings are here, else random walks."""
    corpus = SHARED / "real" / "ptbxl" / "records500"
    if corpus.is_dir():
        archive = open_archive(corpus)
        headers = [name for name in archive.names() if name.endswith(".hea")][:RECORDS]
        signals = [read_record(archive, name).digital for name in headers]
        return [signal.astype(np.int16) for signal in signals if signal is not None], "PTB-XL"
    rng = np.random.default_rng(0)
    steps = rng.integers(-9, 10, (RECORDS, len(LEADS), 5000))
    return list(np.cumsum(steps, axis=2).clip(-3000, 3000).astype(np.int16)), "random walks"


def compare(archive: Archive, folder: Path) -> tuple[float, float]:
    """Return both median rates in records per second of CPU time; the results must be equal bit by bit."""
    members = sorted(path.name for path in folder.glob("*.hea"))
    for member in members[:20]:
        theirs = wfdb.rdsamp(str(folder / member.removesuffix(".hea")))[0].astype(np.float32)
        assert np.array_equal(read_record(archive, member).signal, theirs.T, equal_nan=True), member
    rates = [
        (
            rate(lambda member: read_record(archive, member), members),
            rate(lambda member: wfdb.rdsamp(str(folder / member.removesuffix(".hea"))), members),
        )
        for _ in range(ROUNDS)
    ]
    ours, theirs = np.median(rates, axis=0)
    return float(ours), float(theirs)


def rate(read: Callable[[str], object], members: list[str]) -> float:
    start = time.process_time()
    for member in members:
        read(member)
    return len(members) / (time.process_time() - start)


if __name__ == "__main__":
    main()
