"""How the CPU time of stage `index` grows with the number of records, beside `wfdb.rdheader`, files in the page cache.

Run: python -m benchmarks.index [--records 10000 40000 120000]

Writes CSN-shaped headers of simulated records with empty signal files, reads all of them once to warm the cache, and
then measures listing, parsing and checking the headers and translating their codes, as the stage does it.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wfdb

from benchmarks.measuring import machine
from cgdmer.archives import open_archive
from cgdmer.datasets import csn, headers
from cgdmer.signals import LEADS
from cgdmer.waveforms import record_bytes

ACRONYMS = {"426177001": "SB", "55827005": "LVH"}
COMMENTS = f"#Age: 50\n#Sex: Male\n#Dx: {','.join(ACRONYMS)}\n"
PER_FOLDER = 100
BASELINE = 2_000
"""Headers that wfdb reads."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 40_000, 120_000], metavar="N")
    sizes = sorted(parser.parse_args(arguments).records)
    microseconds = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch), size)
            ours(Path(scratch), size)  # warms the cache
            microseconds[size] = ours(Path(scratch), size)
            baseline = theirs(Path(scratch), min(size, BASELINE))
        print(f"{size:9,d} records: {microseconds[size]:6.0f} microseconds of CPU a record", flush=True)
    ratio = baseline / microseconds[sizes[-1]]
    print(f"wfdb.rdheader: {baseline:6.0f} microseconds a header, ratio {ratio:.1f}")
    result = {
        "name": "index",
        "microseconds": microseconds,
        "exponent": exponent(microseconds),
        "ratio": round(ratio, 2),
    }
    print(json.dumps(result | {"baseline": round(baseline), "machine": machine()}))


def write(top: Path, records: int) -> None:
    """Write the headers and empty signal files of a corpus in CSN's layout."""
    silence = np.zeros((len(LEADS), 5_000), np.int16)
    text = record_bytes("NAME", silence, 500.0, LEADS)["NAME.hea"].decode() + COMMENTS
    for number in range(records):
        name, at = f"JS{number:05d}", divmod(number // PER_FOLDER, PER_FOLDER)
        folder = top / "WFDBRecords" / f"{at[0]:02d}" / f"{at[1]:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.hea").write_text(text.replace("NAME", name))
        (folder / f"{name}.dat").touch()


def ours(top: Path, records: int) -> float:
    """Return the microseconds of CPU time a record, of all threads."""
    begin = time.process_time()
    archive = open_archive(top)
    rows = headers.record_rows([name for name in archive.names() if name.endswith(".hea")], r"([^/]+)\.hea$")
    scan = headers.scan(archive, rows, csn.NAME)
    assert csn.labelled(scan.frame, ACRONYMS).height == records
    return 1e6 * (time.process_time() - begin) / records


def theirs(top: Path, records: int) -> float:
    """Return the microseconds of CPU time that `wfdb.rdheader` takes a header."""
    files = sorted(top.rglob("*.hea"))[:records]
    begin = time.process_time()
    for file in files:
        wfdb.rdheader(str(file.with_suffix("")))
    return 1e6 * (time.process_time() - begin) / len(files)


def exponent(microseconds: dict[int, float]) -> float:
    """Return the exponent with which the whole time grows from the smallest to the largest size."""
    first, last = min(microseconds), max(microseconds)
    if first == last:
        return float("nan")
    growth = np.log(last * microseconds[last] / (first * microseconds[first])) / np.log(last / first)
    return round(float(growth), 3)


if __name__ == "__main__":
    main()
