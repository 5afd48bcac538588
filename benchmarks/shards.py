"""From records to shards on one core: decode, canonicalise and write, against a loop of wfdb, filtfilt and resample.

Both read the same files in turn; rates are records per second of CPU time. `cgdmer` also detects gaps and flat and
clipped leads, checks lead identities, hashes every signal and the file, and syncs the file to disk; the loop only saves
its array.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import wfdb
from scipy import signal as dsp

from benchmarks.decode import LEADS, recordings
from benchmarks.measuring import machine, parser_of
from cgdmer.archives import open_archive
from cgdmer.preprocessing import Job, write_shard
from cgdmer.settings import Signal
from cgdmer.waveforms import read_record, record_bytes

ROUNDS, COPIES, COMPARED = 6, 4, 40
SETTINGS = Signal()


def main() -> None:
    parser_of("shards", __doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        members, origin = lay_out(Path(scratch))
        pairs = [(rate(Path(scratch), members), baseline_rate(Path(scratch), members)) for _ in range(ROUNDS)]
        difference = largest_difference(Path(scratch), members[:COMPARED])
    ours, baseline = np.median(pairs, axis=0).tolist()
    print(
        f"{len(members)} records of 12 x 5,000 samples ({origin}), {ROUNDS} alternating rounds, median rate on one core"
    )
    print(f"cgdmer   {ours:7,.0f} records/s\nbaseline {baseline:7,.0f} records/s, ratio {ours / baseline:.1f}")
    print(f"largest difference from the float64 reference: {difference:.2f} microvolt (rounding alone gives 0.50)")
    result = {
        "name": "shards",
        "ratio": round(ours / baseline, 2),
        "ours": round(ours),
        "baseline": round(baseline),
        "unit": "records/s",
        "machine": machine(),
        "records": origin,
        "largest_difference_uv": round(difference, 3),
    }
    print(json.dumps(result))


def lay_out(folder: Path) -> tuple[list[str], str]:
    """Write the recordings `COPIES` times as WFDB format 16; return the header names and the origin of the signals."""
    digital, origin = recordings()
    digital = digital * COPIES
    for number, signal in enumerate(digital):
        for name, content in record_bytes(f"r{number:05d}", signal, 500.0, LEADS).items():
            (folder / name).write_bytes(content)
    return [f"r{number:05d}.hea" for number in range(len(digital))], origin


def rate(folder: Path, members: list[str]) -> float:
    job = Job(folder / "out/signals-00000.npy", open_archive(folder), members, members, SETTINGS, 10.0)
    job.note.unlink(missing_ok=True)
    start = time.process_time()
    refused = write_shard(job)
    seconds = time.process_time() - start
    assert refused == 0
    return len(members) / seconds


def baseline_rate(folder: Path, members: list[str]) -> float:
    rows = np.empty((len(members), 12, SETTINGS.samples), dtype=np.int16)
    start = time.process_time()
    for row, member in zip(rows, members, strict=True):
        row[:] = baseline_record(folder / member)
    np.save(folder / "baseline.npy", rows)
    return len(members) / (time.process_time() - start)


def baseline_record(header: Path) -> np.ndarray:
    """Return int16 microvolt (12, samples), filtered and resampled as most code bases do it."""
    signal, fields = wfdb.rdsamp(str(header.with_suffix("")))
    b, a = dsp.butter(SETTINGS.order, [SETTINGS.low, SETTINGS.high], "bandpass", fs=fields["fs"])
    filtered = dsp.filtfilt(b, a, signal, axis=0)
    microvolt: np.ndarray = dsp.resample(filtered, SETTINGS.samples, axis=0).T * 1000
    return microvolt.round().clip(-32767, 32767)


def largest_difference(folder: Path, members: list[str]) -> float:
    """Return the largest difference of the shard from the reference, microvolt."""
    signals, archive = np.load(folder / "out/signals-00000.npy", mmap_mode="r"), open_archive(folder)
    exact = (reference(read_record(archive, member).signal) * 1000 for member in members)
    return max(float(np.abs(row - expected).max()) for row, expected in zip(signals, exact, strict=False))


def reference(signal: np.ndarray) -> np.ndarray:
    """Return (12, 1000) mV in float64: mirrored periodically, Fourier-resampled, filtered by scipy both ways."""
    signal = signal.astype(np.float64)
    period = np.concatenate([signal, signal[:, ::-1]], axis=1)
    filtered = np.tile(dsp.resample(period, 2 * SETTINGS.samples, axis=1), (1, 7))
    for corner, kind in ((SETTINGS.low, "highpass"), (SETTINGS.high, "lowpass")):
        sos = dsp.butter(SETTINGS.order, corner, kind, fs=SETTINGS.fs, output="sos")
        filtered = dsp.sosfiltfilt(sos, filtered, axis=1, padtype=None)
    middle = 6 * SETTINGS.samples
    return filtered[:, middle : middle + SETTINGS.samples]


if __name__ == "__main__":
    main()
