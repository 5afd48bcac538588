"""How the time of stage `index` grows with the number of records, beside `wfdb.rdheader`.

Run: python -m benchmarks.index [--records 10000 40000 120000]

Writes CSN-shaped headers with empty signal files, reads all of them once, and then measures listing, parsing and
checking the headers and translating their codes, as the stage does it. The CPU time of the program is told apart from
that of the kernel, which depends on how many files its caches still hold.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from resource import RUSAGE_SELF, getrusage, struct_rusage

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
    program, kernel = {}, {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch), size)
            ours(Path(scratch), size)
            program[size], kernel[size] = ours(Path(scratch), size)
            baseline = theirs(Path(scratch), min(size, BASELINE))
        print(
            f"{size:9,d} records: {program[size]:5.0f} us a record, and {kernel[size]:5.0f} in the kernel", flush=True
        )
    ratio = baseline[0] / program[sizes[-1]]
    print(f"wfdb.rdheader: {baseline[0]:5.0f} us a header, and {baseline[1]:5.0f} in the kernel; ratio {ratio:.1f}")
    result = {"name": "index", "us": rounded(program), "kernel_us": rounded(kernel), "exponent": exponent(program)}
    print(json.dumps(result | {"ratio": round(ratio, 2), "baseline": round(baseline[0]), "machine": machine()}))


def rounded(values: dict[int, float]) -> dict[int, int]:
    return {size: round(value) for size, value in values.items()}


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


def ours(top: Path, records: int) -> tuple[float, float]:
    """Return the CPU time per record in microseconds, of all threads: the program's, and the kernel's."""
    begin = getrusage(RUSAGE_SELF)
    archive = open_archive(top)
    rows = headers.record_rows([name for name in archive.names() if name.endswith(".hea")], r"([^/]+)\.hea$")
    scan = headers.scan(archive, rows, csn.NAME)
    assert csn.labelled(scan.frame, ACRONYMS).height == records
    return since(begin, records)


def theirs(top: Path, records: int) -> tuple[float, float]:
    """Return the same times of `wfdb.rdheader`, for each header."""
    files = sorted(top.rglob("*.hea"))[:records]
    begin = getrusage(RUSAGE_SELF)
    for file in files:
        wfdb.rdheader(str(file.with_suffix("")))
    return since(begin, len(files))


def since(begin: struct_rusage, records: int) -> tuple[float, float]:
    now = getrusage(RUSAGE_SELF)
    return 1e6 * (now.ru_utime - begin.ru_utime) / records, 1e6 * (now.ru_stime - begin.ru_stime) / records


def exponent(microseconds: dict[int, float]) -> float:
    """Return the exponent with which the time of all records grows from the smallest to the largest size."""
    first, last = min(microseconds), max(microseconds)
    if first == last:
        return float("nan")
    growth = np.log(last * microseconds[last] / (first * microseconds[first])) / np.log(last / first)
    return round(float(growth), 3)


if __name__ == "__main__":
    main()
