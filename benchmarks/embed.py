"""Time `cgdmer embed` with the shipped encoder, from the start of the command to its end, and the encoder alone.

Run: python -m benchmarks.embed [--model FOLDER] [--files N]
Writes simulated WFDB files (a few thousand, repeated under other names) and prints records/s of the command. Then it
compares one thread of PyTorch with one of ONNX Runtime, alternating, in CPU time, which other work on the machine
hardly changes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import processor
from cgdmer import load_encoder
from cgdmer.encoders import cgdmer_base
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.sharing import onnx
from cgdmer.signals.leads import LEADS
from cgdmer.simulator import draw_cases, simulate
from cgdmer.waveforms import record_bytes

FILES, DISTINCT, CHUNK = 20_000, 2_000, 100
"""Files of the command, different ones among them, and records that are simulated at once. The command's CPU time is
measured with the different ones, in one process."""
SEED, FS = 5, 500.0
BATCH, ROUNDS = 8, 20
"""Records per call of the graph, as the encoder takes them on a CPU, and alternating rounds."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embed")
    parser.add_argument("--model", default=cgdmer_base.WORD, help="folder of a model; default: the shipped encoder")
    parser.add_argument("--files", type=int, default=FILES, help=f"recordings of the command; default: {FILES:,}")
    options = parser.parse_args()
    files, model = options.files, options.model
    with tempfile.TemporaryDirectory() as scratch:
        write_records(Path(scratch) / "in", files)
        write_records(Path(scratch) / "few", min(DISTINCT, files))
        seconds, _ = embed(Path(scratch) / "in", model, Path(scratch) / "out.parquet")
        _, cpu = embed(Path(scratch) / "few", model, Path(scratch) / "out.parquet", CGDMER_WORKERS="1")
        per_cpu_second = min(DISTINCT, files) / cpu
        print(f"embed: {files / seconds:,.0f} records/s, start included; {per_cpu_second:,.0f} per second of CPU time")
        encoder = load_encoder(model)
        difference = onnx.export(encoder, Path(scratch) / onnx.FILE)
        torch_rate, onnx_rate = compare(encoder, Path(scratch) / onnx.FILE)
    print(
        f"encoder alone, one thread: PyTorch {torch_rate:,.0f}, ONNX Runtime {onnx_rate:,.0f} records/s of CPU time; "
        f"the features differ by {difference:.1g} at most"
    )
    result = {"name": "embed", "ours": round(files / seconds), "unit": "records/s", "files": files}
    result |= {"per_cpu_second": round(per_cpu_second), "torch": round(torch_rate), "onnxruntime": round(onnx_rate)}
    print(json.dumps(result | {"parity": difference, "machine": f"{processor()}, {os.cpu_count()} cores"}))


def write_records(folder: Path, files: int) -> None:
    """Write WFDB records of ten seconds: different ones, then the same under new names, as hard links."""
    folder.mkdir()
    distinct = min(DISTINCT, files)
    cases = draw_cases(SEED, 0, distinct)
    for first in range(0, distinct, CHUNK):
        signals = simulate(cases[first : first + CHUNK], SEED, first, 10.0, FS)
        for number, signal in enumerate(signals, first):
            for name, content in record_bytes(f"{number:06d}", signal, FS, LEADS).items():
                (folder / name).write_bytes(content)
    for number in range(distinct, files):
        (folder / f"{number:06d}.hea").hardlink_to(folder / f"{number % distinct:06d}.hea")


def embed(folder: Path, model: str, output: Path, **variables: str) -> tuple[float, float]:
    """Run the command as a user does; return its seconds, and those of CPU time, which lack what workers used."""
    words = ["--quiet", "embed", str(folder), "--model", model, "--output", str(output)]
    before, start = cpu_of_children(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "cgdmer", *words], stdout=subprocess.DEVNULL, check=True, env=os.environ | variables
    )
    return time.perf_counter() - start, cpu_of_children() - before


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare(encoder: Pretrained, graph: Path) -> tuple[float, float]:
    """Return the median rates of PyTorch and ONNX Runtime, each on one thread, in records per second of CPU time."""
    import onnxruntime

    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    signal = simulate(draw_cases(SEED, 0, BATCH), SEED, 0, encoder.seconds, encoder.fs).astype(np.float32) / 1000
    inputs = {"signal": signal, "valid": np.full(BATCH, signal.shape[2], np.int32)}
    runs = (lambda: encoder.encode(signal), lambda: session.run(None, inputs))
    for run in runs:
        run()
    rates = np.array([[rate(run) for run in runs] for _ in range(ROUNDS)])
    ours, theirs = np.median(rates, axis=0)
    return float(ours), float(theirs)


def rate(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return BATCH / (time.process_time() - start)


if __name__ == "__main__":
    main()
