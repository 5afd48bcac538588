"""A million records cost no more memory than a few: signals stay on the disk, a report's tokens are held once."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.shards import manifest
from cgdmer.signals.leads import LEADS

ROOT = Path(__file__).resolve().parents[2]
RECORDS, SAMPLES, LIMIT = 1_000_000, 1000, 500e6
START = 5.0
"""Seconds of computing from opening to the first batch; waiting for a busy machine does not count."""


MEASURE = """
import json, sys, time
from pathlib import Path
import numpy as np
from cgdmer.models import tokens
from cgdmer.shards import open_shards
from cgdmer.training.records import Order, Records

def resident():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024

folder, count = Path(sys.argv[1]), int(sys.argv[2])
tokenizer = tokens.train(["report number 1 2 3 4 5 6 7 8 9 0 of many"], 80, 16)
before, began = resident(), time.process_time()
records = Records(open_shards(folder), np.arange(count), tokenizer)
order = Order(count, 256, 0)
records(order(0))
started = time.process_time() - began
for step in range(40):
    assert records(order(step))["signal"].shape == (len(order(step)), 12, int(sys.argv[3]))
print(json.dumps({"seconds": started, "grown": resident() - before}))
"""
"""Runs in a process of its own: memory that earlier tests have freed would hide the growth."""


def write_sparse(folder):
    """24 GB of zeros that take no disk, in eight files."""
    counts = {manifest.shard_name(number): RECORDS // 8 for number in range(8)}
    for name, count in counts.items():
        shape = (count, 12, SAMPLES)
        np.lib.format.open_memmap(folder / name, mode="w+", dtype=np.int16, shape=shape)
    reports = pl.Series([f"report number {number % 5000} of many" for number in range(RECORDS)])
    columns = {"valid": np.full(RECORDS, SAMPLES, np.int32), "missing": np.zeros(RECORDS, np.uint16)}
    rows = pl.DataFrame({"report": reports, **columns})
    tables.write(rows, folder / manifest.ROWS)
    tables.write(rows.head(0), folder / manifest.QUARANTINE)
    manifest.describe(
        folder, fs=100.0, samples=SAMPLES, leads=LEADS, settings={}, shards=counts,
        digests=dict.fromkeys(counts, "0" * 64),
    )  # fmt: skip


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    write_sparse(tmp_path)
    command = [sys.executable, "-c", MEASURE, tmp_path, str(RECORDS), str(SAMPLES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["seconds"] < START
    assert measured["grown"] < LIMIT
